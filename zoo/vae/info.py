"""The InfoVAE (Zhao et al. 2019) and the Wasserstein autoencoder (Tolstikhin et al. 2018), both with MMD.

    loss = -E_q[log p(x|z)] + (1 - alpha) KL(q(z|x) || p(z)) + (alpha + lambda - 1) MMD(q(z), p(z))   (equation 6)

MMD(q, p) = E[k(z, z')] + E[k(y, y')] - 2 E[k(z, y)], z ~ q, y ~ p, compares all codes of a batch (a replica's, with
`tf.distribute`) with draws of the prior. alpha = 0, lambda = 1 is the VAE; alpha = 1 has no KL and is the Wasserstein
autoencoder, with a posterior that may shrink to a point; alpha between them lets codes say more about images than a
VAE's.
"""

import math
from numbers import Real
from typing import Any

import keras
import tensorflow as tf

from zoo import random
from zoo.errors import ZooError, near_miss
from zoo.sampling import draw
from zoo.vae.likelihoods import Likelihood
from zoo.vae.posteriors import Posterior
from zoo.vae.priors import Prior
from zoo.vae.vae import VAE
from zoo.validation import check_positive

KERNELS = ("inverse_multiquadratic", "gaussian")
_WIDTHS = (
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
)  # of the kernels in the sum, as in the code of Tolstikhin et al.


@keras.saving.register_keras_serializable(package="zoo")
class InfoVAE(VAE):
    """A VAE whose codes are made to follow the prior all together, by MMD.

    Args:
        encoder, decoder, posterior, prior, likelihood: As in `VAE`. A prior with weights is moved by the KL alone.
        alpha: 1 minus the weight of the KL, at most 1.
        mmd_weight: lambda; alpha + mmd_weight - 1 weighs the MMD and is at least 0. MMD is of the order of 0.01 to 1,
            so it takes hundreds to matter beside a likelihood of images in nats.
        kernel: "inverse_multiquadratic", a sum over seven widths, or "gaussian", whose squared width is the size of
            the latents.
        kl_warm_up, free_bits, seed: As in `VAE`.

    Raises:
        ZooError: An option is out of its range.
    """

    objective_names = ("loss", "elbo", "reconstruction", "kl", "mmd")
    smallest_batch = 2

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        posterior: str | Posterior = "diagonal_normal",
        prior: str | Prior = "standard_normal",
        likelihood: str | Likelihood = "bernoulli",
        alpha: float = 0.0,
        mmd_weight: float = 1000.0,
        kernel: str = "inverse_multiquadratic",
        kl_warm_up: int = 0,
        free_bits: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(encoder, decoder, posterior, prior, likelihood, kl_warm_up, free_bits, seed, **kwargs)
        if isinstance(alpha, bool) or not isinstance(alpha, Real) or not -math.inf < float(alpha) <= 1:
            raise ZooError(f"alpha is {alpha!r}, expected a finite number up to 1: the KL's weight is 1 - alpha.")
        self.alpha = float(alpha)
        self.mmd_weight = check_positive(mmd_weight, "mmd_weight", or_zero=True)
        if self.alpha + self.mmd_weight < 1:
            raise ZooError(
                f"alpha + mmd_weight - 1 is {self.alpha + self.mmd_weight - 1:.3g}, expected at least 0: "
                f"it weighs the MMD. Raise mmd_weight to {1 - self.alpha:.3g} or more."
            )
        if self.alpha == 1 and (kl_warm_up or free_bits):
            raise ZooError("at alpha=1 the KL has no weight: leave kl_warm_up and free_bits out, or lower alpha.")
        if kernel not in KERNELS:
            raise ZooError(f"unknown kernel '{kernel}'. Known: {', '.join(KERNELS)}.{near_miss(str(kernel), KERNELS)}")
        self.kernel = kernel

    def objective(
        self, images: tf.Tensor, seed: random.Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the loss, the terms of the elbo [batch], in nats, and the MMD of the batch, repeated [batch]."""
        targets = self.likelihood_layer.targets(tf.cast(images, tf.float32), random.fold_in(seed, 0))
        prior, posterior = self.prior(), self.posterior(targets, training)  # in this order, as in `terms`
        latents = draw(posterior, random.fold_in(seed, 1))
        reconstruction = self.likelihood(latents, training).log_prob(targets)
        kl = self._kl(posterior, prior, latents)
        others = tf.stop_gradient(draw(prior, random.fold_in(seed, 2), [tf.shape(latents)[0]]))
        mmd = maximum_mean_discrepancy(latents, others, self.kernel)
        paid = (1 - self.alpha) * self.kl_penalty(kl, training) + (self.alpha + self.mmd_weight - 1) * mmd
        total = tf.reduce_sum(kl, axis=-1)
        return {
            "loss": paid - reconstruction,
            "elbo": reconstruction - total,
            "reconstruction": reconstruction,
            "kl": total,
            "mmd": mmd + tf.zeros_like(total),
        }

    @property
    def averages_over(self) -> str | None:
        """A term of the loss."""
        return "the MMD"

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        options = {"alpha": self.alpha, "mmd_weight": self.mmd_weight, "kernel": self.kernel}
        return {**super().get_config(), **options}


def maximum_mean_discrepancy(first: tf.Tensor, second: tf.Tensor, kernel: str = KERNELS[0]) -> tf.Tensor:
    """Estimates MMD^2 without bias (Gretton et al. 2012, equation 3), which may come out below 0.

    Args:
        first: Draws [m, size], m at least 2; with fewer the result is 0, for one draw has no pair.
        second: As many draws of the other distribution.
        kernel: One of `KERNELS`.

    Returns:
        A scalar.
    """
    count = tf.cast(tf.shape(first)[0], tf.float32)
    similar = _inverse_multiquadratic if kernel == "inverse_multiquadratic" else _gaussian
    others = 1 - tf.eye(tf.shape(first)[0])
    within = tf.reduce_sum(others * (similar(first, first) + similar(second, second)))
    across = tf.reduce_sum(similar(first, second))
    estimate = within / tf.maximum(count * (count - 1), 1) - 2 * across / tf.maximum(count**2, 1)
    return tf.where(count > 1, estimate, 0.0)


def _inverse_multiquadratic(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """C / (C + |x - y|^2), C = width * 2 size, the expected squared distance of two standard Normal draws."""
    distances, scale = _squared_distances(first, second), 2.0 * _size(first)
    return tf.add_n([scale * width / (scale * width + distances) for width in _WIDTHS])


def _gaussian(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """exp(-|x - y|^2 / size)."""
    return tf.exp(-_squared_distances(first, second) / _size(first))


def _size(latents: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.shape(latents)[-1], tf.float32)


def _squared_distances(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    centre = tf.reduce_mean(second, axis=0)  # about which the products are smaller, and lose less to rounding
    first, second = first - centre, second - centre
    squares = tf.reduce_sum(first**2, axis=-1)[:, None] + tf.reduce_sum(second**2, axis=-1)[None]
    return tf.maximum(squares - 2 * tf.matmul(first, second, transpose_b=True), 0.0)
