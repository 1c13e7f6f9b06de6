"""The variational autoencoder (Kingma and Welling 2014; Rezende et al. 2014).

    prior        p(z)
    likelihood   p(x|z), parameters from the decoder
    posterior    q(z|x), parameters from the encoder, an approximation of p(z|x)

    log p(x) >= elbo(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z))         (equation 3)
    log p(x)  = log E_q[p(x, z) / q(z|x)]                              (importance weights)

Shapes: x is [batch, height, width, channels], z is [batch, latent_size]. All values are in nats an image:
summed over pixels and latent dimensions.
"""

from typing import Any, ClassVar

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.errors import ZooError
from zoo.metrics.likelihood import Weights
from zoo.networks.inputs import known_shape
from zoo.sampling import draw
from zoo.vae.latent_variable import LatentVariableModel
from zoo.vae.likelihoods import Likelihood
from zoo.vae.parts import copies, find_layer
from zoo.vae.posteriors import POSTERIORS, Posterior
from zoo.vae.priors import PRIORS, Prior, VampPrior


@keras.saving.register_keras_serializable(package="zoo")
class VAE(LatentVariableModel):
    """A variational autoencoder from any two Keras networks.

    Args:
        encoder: Maps images [batch, height, width, channels] in [0, 1] to features of any shape. Its input
            shape must be known (a functional model, or a Sequential one that starts with `keras.Input`).
        decoder: Maps latents [batch, latent_size] to the likelihood's parameters, [batch, height, width,
            likelihood.parameters_for(channels)]: logits for Bernoulli, means for Normal. No final activation.
        posterior: "diagonal_normal", or a `Posterior` layer.
        prior: "standard_normal", or a `Prior` layer.
        likelihood: A key of `zoo.vae.likelihoods.LIKELIHOODS`, or a `Likelihood` layer.
        kl_warm_up: Steps over which the weight of the KL term rises from 0 to 1.
        free_bits: Nats a latent dimension (or all together, where the KL has no closed form) that the KL is not
            pushed below.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The parts do not fit together, a name is not known, or an option is negative.

    Example:
        >>> model = zoo.VAE(networks.mlp_encoder((8, 8, 1)), networks.mlp_decoder(16, (8, 8, 1)))
        >>> model.compile(optimizer="adam")
        >>> model.fit(images, epochs=10)
        >>> model.sample(64, seed=0).shape
        (64, 8, 8, 1)
    """

    part_attributes: ClassVar[dict[str, str]] = {
        **LatentVariableModel.part_attributes,
        "posterior": "posterior_layer",
        "prior": "prior_layer",
    }

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        posterior: str | Posterior = "diagonal_normal",
        prior: str | Prior = "standard_normal",
        likelihood: str | Likelihood = "bernoulli",
        kl_warm_up: int = 0,
        free_bits: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(kl_warm_up=kl_warm_up, free_bits=free_bits, seed=seed, **kwargs)
        self._set_networks(encoder, decoder, likelihood)
        (self.latent_size,) = known_shape(decoder, "decoder", "keras.Input((latent_size,))", rank=1)
        self.posterior_layer = find_layer(posterior, POSTERIORS, Posterior, "posterior", self.latent_size)
        self.prior_layer = find_layer(prior, PRIORS, Prior, "prior", self.latent_size)
        self._check_parts()
        self._build_layers(
            ((self.posterior_layer, encoder.output_shape), (self.prior_layer, self.image_shape)),
        )
        self.built = True

    def _check_parts(self) -> None:
        for part in (self.posterior_layer, self.prior_layer):
            if part.latent_size != self.latent_size:
                raise ZooError(
                    f"{type(part).__name__} has latent_size {part.latent_size}, but the decoder takes latents of "
                    f"size {self.latent_size}. Give both the same."
                )
        if isinstance(self.prior_layer, VampPrior) and not self.posterior_layer.has_fast_density:
            raise ZooError(
                f"a VampPrior mixes posteriors at points that are not their own draws, where "
                f"{type(self.posterior_layer).__name__} has no fast density. Take posterior='diagonal_normal' or "
                "'full_covariance_normal', or another prior."
            )

    # The distributions.

    def posterior(self, images: tf.Tensor, training: bool = False, labels: tf.Tensor | None = None) -> tfd.Distribution:
        """Returns q(z|x) with batch shape [batch] and event shape [latent_size]."""
        features = self.encoder(self._with_labels(images, labels), training=training)
        return self.posterior_layer.distribution(tf.cast(self.posterior_layer(features), tf.float32))

    def prior(self) -> tfd.Distribution:
        """Returns p(z) with event shape [latent_size]."""
        return self.prior_layer.distribution(self.posterior)

    def likelihood(
        self, latents: tf.Tensor, training: bool = False, labels: tf.Tensor | None = None
    ) -> tfd.Distribution:
        """Returns p(x|z) with batch shape [batch] and event shape [height, width, channels]."""
        return self.likelihood_layer.distribution(self._parameters(self._with_labels(latents, labels), training))

    def _with_labels(self, values: tf.Tensor, labels: tf.Tensor | None) -> Any:
        """Returns what a network takes: the values alone, for a model without labels."""
        return values

    # The bound.

    def terms(
        self, images: tf.Tensor, seed: random.Seed, training: bool = False, labels: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns log p(x|z) [batch] at one draw of z, and the KL by latent dimension, or in all, [batch, groups]."""
        targets = self.likelihood_layer.targets(tf.cast(images, tf.float32), random.fold_in(seed, 0))
        # The prior first: a VampPrior calls the encoder too, which keeps the losses that layers add in its last call.
        prior, posterior = self.prior(), self.posterior(targets, training, labels)
        latents = draw(posterior, random.fold_in(seed, 1))
        reconstruction = self.likelihood(latents, training, labels).log_prob(targets)
        return reconstruction, self._kl(posterior, prior, latents)

    @staticmethod
    def _kl(posterior: tfd.Distribution, prior: tfd.Distribution, latents: tf.Tensor) -> tf.Tensor:
        """Returns KL(q || p) in closed form where TFP knows one, else its one-draw estimate log q - log p."""
        if all(isinstance(part, tfd.Independent) for part in (posterior, prior)):
            posterior, prior = posterior.distribution, prior.distribution
        try:
            kl = tfd.kl_divergence(posterior, prior)
        except NotImplementedError:
            kl = posterior.log_prob(latents) - prior.log_prob(latents)
        return kl if kl.shape.rank == 2 else kl[:, None]

    def weigher(self, targets: tf.Tensor, labels: tf.Tensor | None = None) -> Weights:
        """Returns a function from a number of draws and a seed to log p(x, z) - log q(z|x), [draws, batch]."""
        posterior, prior = self.posterior(targets, labels=labels), self.prior()

        def log_weights(num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            latents = draw(posterior, seed, [num_samples])
            rate = posterior.log_prob(latents) - prior.log_prob(latents)
            return self._log_likelihoods(targets, latents, False, labels) - rate

        return log_weights

    def _log_likelihoods(
        self, targets: tf.Tensor, latents: tf.Tensor, training: bool, labels: tf.Tensor | None
    ) -> tf.Tensor:
        """Returns log p(x|z), [num_samples, batch], given latents [num_samples, batch, latent_size]."""
        count = tf.shape(latents)[0]
        flat = tf.reshape(latents, [-1, self.latent_size])
        repeated = None if labels is None else copies(labels, count)
        parameters = self._parameters(self._with_labels(flat, repeated), training)
        by_draw = tf.reshape(parameters, tf.concat([tf.shape(latents)[:2], tf.shape(parameters)[1:]], axis=0))
        by_draw = tf.ensure_shape(by_draw, [None, None, *parameters.shape[1:]])
        return self.likelihood_layer.distribution(by_draw).log_prob(targets)

    # Codes.

    def code(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns "loc" and "scale" of the posterior, [batch, latent_size] each."""
        return self.posterior_layer.statistics(self.posterior(images, labels=labels))

    def draw_latents(
        self, n: random.Seed, seed: random.Seed, temperature: float | tf.Tensor = 1.0, first: random.Seed = 0
    ) -> tf.Tensor:
        """Draws latents [n, latent_size] from the prior: rows `first`, a multiple of 4, and on of those of a seed."""
        return draw(self.prior(), seed, tf.reshape(tf.cast(n, tf.int32), [1]), temperature, first)

    def mean_image(self, latents: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the mean images of latents, in [0, 1]."""
        return self.likelihood_layer.mean(self._parameters(self._with_labels(latents, labels)))
