"""The beta-TCVAE (Chen et al. 2018): the KL in three parts, each with a weight of its own.

    E_x[KL(q(z|x) || p(z))] = mutual information   I(z; x)
                            + total correlation    KL(q(z) || prod_j q(z_j))
                            + dimension-wise KL    sum_j KL(q(z_j) || p(z_j))                        (equation 2)

with the aggregate posterior q(z) = 1/N sum_n q(z|x_n) over all N training images. It is estimated from a batch of
M by stratified sampling (appendix C.2), in which the image that z was drawn from counts 1/N, one other (N-M+1) /
(N (M-1)), and the rest 1/(M-1).
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.errors import ZooError
from zoo.sampling import draw
from zoo.vae.likelihoods import Likelihood
from zoo.vae.posteriors import DiagonalNormal, Posterior
from zoo.vae.priors import Prior, StandardNormal
from zoo.vae.vae import VAE
from zoo.validation import check_count, check_positive


@keras.saving.register_keras_serializable(package="zoo")
class BetaTCVAE(VAE):
    """A VAE that pays for the dependence among its latents.

        loss = -E_q[log p(x|z)] + alpha I(z; x) + beta TC + gamma dimension-wise KL               (equation 4)

    Args:
        encoder, decoder, likelihood: As in `VAE`.
        posterior: As in `VAE`; only "diagonal_normal", since its dimensions have to be told apart.
        prior: As in `VAE`; only "standard_normal", for the same reason.
        dataset_size: N, the number of training images.
        alpha, beta, gamma: The weights, above 0; 1, 1, 1 is the elbo, estimated with more noise.
        kl_warm_up: As in `VAE`.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: An option is out of its range, or the posterior or prior is another.
    """

    objective_names = (
        "loss",
        "elbo",
        "reconstruction",
        "kl",
        "mutual_information",
        "total_correlation",
        "dimension_wise_kl",
    )

    smallest_batch = 2
    collapse_remedies = "kl_warm_up (steps), a smaller alpha, beta or gamma, or a weaker decoder"

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        dataset_size: int,
        posterior: str | Posterior = "diagonal_normal",
        prior: str | Prior = "standard_normal",
        likelihood: str | Likelihood = "bernoulli",
        alpha: float = 1.0,
        beta: float = 6.0,
        gamma: float = 1.0,
        kl_warm_up: int = 0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        if "free_bits" in kwargs:
            raise ZooError("BetaTCVAE has no free_bits: its KL is paid for in parts. Lower alpha or gamma instead.")
        super().__init__(encoder, decoder, posterior, prior, likelihood, kl_warm_up=kl_warm_up, seed=seed, **kwargs)
        for layer, kind in ((self.posterior_layer, DiagonalNormal), (self.prior_layer, StandardNormal)):
            if not isinstance(layer, kind):
                raise ZooError(
                    f"BetaTCVAE tells the dimensions of latents apart, which {type(layer).__name__} does not allow: "
                    f"use {kind.__name__}."
                )
        self.dataset_size = check_count(dataset_size, "dataset_size", least=2)
        self.alpha, self.beta, self.gamma = (
            check_positive(value, name) for value, name in ((alpha, "alpha"), (beta, "beta"), (gamma, "gamma"))
        )

    def fit(self, x: Any = None, *arguments: Any, **kwargs: Any) -> Any:
        """Trains like `keras.Model.fit`, after checking that `dataset_size` is not too small. See `VAE.fit`.

        Raises:
            ZooError: There are more images than `dataset_size`.
        """
        count = len(x) if isinstance(x, np.ndarray | list) or tf.is_tensor(x) else 0
        if count > self.dataset_size:
            raise ZooError(f"x has {count} images, but dataset_size is {self.dataset_size}: give BetaTCVAE the first.")
        return super().fit(x, *arguments, **kwargs)

    def content_is_good(self, images: tf.Tensor) -> tf.Tensor:
        """Returns whether the likelihood is one of such images, and the data set can hold as many."""
        return super().content_is_good(images) & (tf.shape(images)[0] <= self.dataset_size)

    def why_not_finite(self, names: list[str]) -> str:
        """Returns the likely causes, a `dataset_size` smaller than a batch among them."""
        return f"A batch holds more than dataset_size={self.dataset_size} images. Or: {super().why_not_finite(names)}"

    def objective(
        self, images: tf.Tensor, seed: random.Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the loss, the terms of the elbo and the three parts of the KL, each [batch], in nats."""
        targets = self.likelihood_layer.targets(tf.cast(images, tf.float32), random.fold_in(seed, 0))
        posterior = self.posterior(targets, training)
        latents = draw(posterior, random.fold_in(seed, 1))
        reconstruction = self.likelihood(latents, training).log_prob(targets)
        information, correlation, dimension_wise = self._parts(posterior, latents)
        paid = self.alpha * information + self.beta * correlation + self.gamma * dimension_wise
        kl = tf.reduce_sum(self._kl(posterior, self.prior(), latents), axis=-1)
        return {
            "loss": (self._warm_up() if training else 1.0) * paid - reconstruction,
            "elbo": reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
            "mutual_information": information,
            "total_correlation": correlation,
            "dimension_wise_kl": dimension_wise,
        }

    def _parts(self, posterior: tfd.Distribution, latents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns one-draw estimates of the three parts, [batch] each; they add up to log q(z|x) - log p(z)."""
        own = posterior.distribution
        # log q(z_j of image m | image n), [m, n, latent_size].
        pairs = tfd.Normal(own.loc[None], own.scale[None]).log_prob(latents[:, None])
        weights = self._log_weights_of_batch(tf.shape(latents)[0])
        log_joint = tf.reduce_logsumexp(weights + tf.reduce_sum(pairs, axis=-1), axis=1)
        log_marginals = tf.reduce_sum(tf.reduce_logsumexp(tf.expand_dims(weights, -1) + pairs, axis=1), axis=-1)
        log_own = posterior.log_prob(latents)
        return log_own - log_joint, log_joint - log_marginals, log_marginals - self.prior().log_prob(latents)

    def _log_weights_of_batch(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the logarithms of what each image counts in q(z) for each draw, [rows, rows]; rows add up to 1."""
        size, batch = float(self.dataset_size), tf.cast(rows, tf.float32)
        # A last batch of one image stands for all: only its own posterior is known.
        others = tf.maximum(batch - 1, 1)
        once = tf.where(batch > 1, 1 / size, 1.0)
        diagonal = tf.eye(rows)
        next_one = tf.roll(diagonal, 1, axis=1) * (1 - diagonal)
        weights = diagonal * once + (1 - diagonal - next_one) / others
        weights += next_one * (size - batch + 1) / (size * others)
        return tf.math.log(tf.maximum(weights, np.finfo(np.float32).tiny))

    @property
    def averages_over(self) -> str | None:
        """A term of the loss."""
        return "the total correlation"

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        config = super().get_config()
        del config["free_bits"]
        names = ("dataset_size", "alpha", "beta", "gamma")
        return {**config, **{name: getattr(self, name) for name in names}}
