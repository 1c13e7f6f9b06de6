"""The importance-weighted autoencoder (Burda et al. 2016) and its combinations (Rainforth et al. 2018).

    w_i   = p(x, z_i) / q(z_i|x),  z_i ~ q(z|x),  i = 1..k
    L_k   = E[log 1/k sum_i w_i]               (Burda et al., equation 8)   L_1 <= L_k <= log p(x)

    bound     generative network                inference network
    iwae      L_k                               L_k
    miwae     mean of m copies of L_k           the same
    ciwae     beta L_1 + (1 - beta) L_k         the same
    piwae     L_mk                              mean of m copies of L_k

The gradient of L_k for the inference network gets noisier as k grows (Rainforth et al., theorem 1). The doubly
reparameterized one (Tucker et al. 2019, equation 8) does not: sum_i v_i^2 dlog w_i/dz_i dz_i/dphi with the
normalized weights v_i = w_i / sum_j w_j.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.errors import ZooError
from zoo.sampling import draw
from zoo.vae.likelihoods import Likelihood
from zoo.vae.posteriors import Posterior
from zoo.vae.priors import Prior
from zoo.vae.vae import VAE
from zoo.validation import check_choice, check_count, check_positive

BOUNDS = ("iwae", "miwae", "ciwae", "piwae")
GRADIENTS = ("reparameterized", "doubly_reparameterized")


class _Terms(NamedTuple):
    """Values at draws of z, [repeats, num_samples, batch] each."""

    reconstruction: tf.Tensor  # log p(x|z)
    rate: tf.Tensor  # log q(z|x) - log p(z)
    log_weights: tf.Tensor


@keras.saving.register_keras_serializable(package="zoo")
class IWAE(VAE):
    """A VAE that is trained with tighter bounds, from several draws an image.

    Args:
        encoder, decoder, posterior, prior, likelihood: As in `VAE`.
        num_samples: k, draws an image (and copy); the time a step takes grows with it.
        bound: "iwae", "miwae", "ciwae" or "piwae"; see the module.
        repeats: m, the copies of "miwae" and "piwae", at least 2; 1 for the others.
        beta: The share of the elbo in "ciwae", in [0, 1].
        gradient: "reparameterized", or "doubly_reparameterized" for the inference network.
        kl_warm_up: As in `VAE`; weighs log p(z) - log q(z|x) in the weights.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: An option is out of its range, or the options do not go together.
    """

    objective_names = ("loss", "bound", "elbo", "reconstruction", "kl")

    collapse_remedies = "kl_warm_up (steps), more draws, or a weaker decoder"

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        posterior: str | Posterior = "diagonal_normal",
        prior: str | Prior = "standard_normal",
        likelihood: str | Likelihood = "bernoulli",
        num_samples: int = 5,
        bound: str = "iwae",
        repeats: int = 1,
        beta: float = 0.5,
        gradient: str = "reparameterized",
        kl_warm_up: int = 0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            encoder, decoder, posterior, prior, likelihood, kl_warm_up=kl_warm_up, seed=seed, **_no_free_bits(kwargs)
        )
        self.num_samples = check_count(num_samples, "num_samples")
        self.repeats = check_count(repeats, "repeats")
        self.bound, self.beta, self.gradient = bound, beta, gradient
        for choice, known, name in ((bound, BOUNDS, "bound"), (gradient, GRADIENTS, "gradient")):
            check_choice(choice, known, name)
        if check_positive(beta, "beta", or_zero=True) > 1:
            raise ZooError(f"beta is {beta!r}, expected a share of the elbo from 0 to 1.")
        if repeats > 1 and bound in ("iwae", "ciwae"):
            raise ZooError(f"repeats is {repeats}, but bound '{bound}' has no copies: raise num_samples instead.")
        if repeats == 1 and bound in ("miwae", "piwae"):
            raise ZooError(f"bound '{bound}' of one copy is 'iwae': give repeats, the number of copies, 2 or more.")
        if self._split and not self.posterior_layer.has_fast_density:
            raise ZooError(
                f"{type(self.posterior_layer).__name__} has no fast density at points that are not its own draws, "
                f"which gradient='{gradient}' with bound='{bound}' needs. Use gradient='reparameterized' with "
                "another bound than 'piwae', or posterior='diagonal_normal'."
            )

    @property
    def _split(self) -> bool:
        """Whether the two networks follow gradients of different functions."""
        return self.bound == "piwae" or self.gradient == "doubly_reparameterized"

    def objective(
        self, images: tf.Tensor, seed: random.Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the loss, the bound and the terms of the elbo, each [batch], in nats."""
        targets = self.likelihood_layer.targets(tf.cast(images, tf.float32), random.fold_in(seed, 0))
        prior, posterior = self.prior(), self.posterior(targets, training, labels)  # in this order, as in `terms`
        latents = draw(posterior, random.fold_in(seed, 1), [self.repeats * self.num_samples])
        if training and self._split:
            loss, terms = self._split_loss(targets, posterior, prior, latents, labels)
        else:
            terms = self._weigh(targets, posterior, prior, latents, training, labels)
            loss = -self._bound(terms.log_weights)
        return {
            "loss": loss,
            "bound": self._bound(terms.reconstruction - terms.rate),  # without the warm-up
            "elbo": tf.reduce_mean(terms.reconstruction - terms.rate, axis=[0, 1]),
            "reconstruction": tf.reduce_mean(terms.reconstruction, axis=[0, 1]),
            "kl": tf.reduce_mean(terms.rate, axis=[0, 1]),
        }

    def _weigh(
        self,
        targets: tf.Tensor,
        posterior: tfd.Distribution,
        prior: tfd.Distribution,
        latents: tf.Tensor,
        training: bool,
        labels: tf.Tensor | None,
    ) -> _Terms:
        shape = [self.repeats, self.num_samples, -1]
        reconstruction = tf.reshape(self._log_likelihoods(targets, latents, training, labels), shape)
        rate = tf.reshape(posterior.log_prob(latents) - prior.log_prob(latents), shape)
        return _Terms(reconstruction, rate, reconstruction - (self._warm_up() if training else 1.0) * rate)

    def _bound(self, log_weights: tf.Tensor) -> tf.Tensor:
        """Returns the bound [batch], for "piwae" that of the generative network."""
        elbo = tf.reduce_mean(log_weights, axis=[0, 1])
        if self.bound == "piwae":
            return tf.reduce_logsumexp(log_weights, axis=[0, 1]) - _log(self.repeats * self.num_samples)
        importance = tf.reduce_mean(tf.reduce_logsumexp(log_weights, axis=1), axis=0) - _log(self.num_samples)
        return self.beta * elbo + (1 - self.beta) * importance if self.bound == "ciwae" else importance

    def _split_loss(
        self,
        targets: tf.Tensor,
        posterior: tfd.Distribution,
        prior: tfd.Distribution,
        latents: tf.Tensor,
        labels: tf.Tensor | None,
    ) -> tuple[tf.Tensor, _Terms]:
        """Returns a loss whose gradients for the two networks are those of their own objectives, and the terms.

        The weights w_i are cut off from the inference network by holding the latents still; it gets its
        gradient through dlog w_i/dz_i, which is computed here, times the latents.
        """
        with tf.GradientTape() as tape:
            held = tf.stop_gradient(latents)
            tape.watch(held)
            terms = self._weigh(targets, posterior, prior, held, True, labels)
        to_latents = tape.gradient(terms.log_weights, held)
        generative, path, score = (tf.stop_gradient(share) for share in self._shares(terms.log_weights))
        path_by_draw = tf.reshape(path, [tf.shape(latents)[0], -1, 1])
        through_latents = path_by_draw * tf.stop_gradient(to_latents) * latents
        log_posterior = tf.reshape(posterior.log_prob(held), tf.shape(path))
        # log q(z|x) in the weights is no part of the generative objective.
        joint = terms.log_weights + self._warm_up() * log_posterior
        surrogate = -tf.reduce_sum(generative * joint, axis=[0, 1]) - tf.reduce_sum(through_latents, axis=[0, 2])
        surrogate += self._warm_up() * tf.reduce_sum(score * log_posterior, axis=[0, 1])
        return surrogate + tf.stop_gradient(-self._bound(terms.log_weights) - surrogate), terms

    def _shares(self, log_weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns what each draw counts, [repeats, num_samples, batch].

        First in the gradient of the generative network; then, in that of the inference network, along the path
        through the latents, and through the density q(z|x) at latents held still.
        """
        own = tf.nn.softmax(log_weights, axis=1) / self.repeats
        elbo = tf.ones_like(own) / (self.repeats * self.num_samples)
        share = self.beta if self.bound == "ciwae" else 0.0
        mixed = share * elbo + (1 - share) * own
        generative = (
            tf.exp(log_weights - tf.reduce_logsumexp(log_weights, axis=[0, 1])) if self.bound == "piwae" else mixed
        )
        if self.gradient == "reparameterized":
            return generative, mixed, mixed
        # The elbo's doubly reparameterized gradient is its path derivative (Roeder et al. 2017).
        # With the share t of log q in the weights, for the warm-up, its score counts t times: (1 - t) v + t v^2.
        warm = self._warm_up()
        squared = (1 - warm) * own + warm * self.repeats * own**2
        return generative, share * elbo + (1 - share) * squared, tf.zeros_like(own)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        config = super().get_config()
        del config["free_bits"]
        names = ("num_samples", "bound", "repeats", "beta", "gradient")
        return {**config, **{name: getattr(self, name) for name in names}}


def _no_free_bits(options: dict[str, Any]) -> dict[str, Any]:
    if "free_bits" in options:
        raise ZooError("IWAE has no free_bits: its bound is no sum of a reconstruction and a KL. Leave them out.")
    return options


def _log(count: int) -> tf.Tensor:
    return tf.math.log(float(count))
