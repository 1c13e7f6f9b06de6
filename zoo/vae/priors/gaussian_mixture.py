"""The mixture of Normals as a prior."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.vae.priors.base import PosteriorFunction, Prior
from zoo.vae.scales import (
    lower_triangular,
    positive,
    raw_of_lower_triangular,
    raw_of_positive,
    triangular_size,
)
from zoo.validation import check_choice, check_count


@keras.saving.register_keras_serializable(package="zoo")
class GaussianMixture(Prior):
    """p(z) = sum_k w_k Normal(z; m_k, C_k), with learned weights, means and covariances.

    At first the weights are equal, the means are draws from the standard Normal, so that components differ, and
    the covariances are near I.

    Args:
        latent_size: The number of latent dimensions, at least 1.
        components: The number of Normals, at least 1.
        covariance: "diagonal" or "full".
    """

    def __init__(self, latent_size: int, components: int = 10, covariance: str = "diagonal", **kwargs):
        super().__init__(latent_size, **kwargs)
        self.components = check_count(components, "components")
        self.covariance = check_choice(covariance, ("diagonal", "full"), "covariance")

    def build(self, image_shape: tuple[int, ...] | None = None) -> None:
        """Creates the weights; the shape of the images does not matter."""
        raw_size = self.latent_size if self.covariance == "diagonal" else triangular_size(self.latent_size)
        self._logits = self._parameter("logits", (self.components,), "zeros")
        spread = keras.initializers.RandomNormal(stddev=1.0)
        self._means = self._parameter("means", (self.components, self.latent_size), spread)
        self._raw_scales = self._parameter("raw_scales", (self.components, raw_size), "zeros")

    def _parameter(self, name: str, shape: tuple[int, ...], initializer: str | keras.Initializer) -> keras.Variable:
        return self.add_weight(shape=shape, initializer=initializer, dtype="float32", name=name)

    def distribution(self, posterior: PosteriorFunction | None = None) -> tfd.Distribution:
        """Returns the mixture."""
        weights = tfd.Categorical(logits=tf.convert_to_tensor(self._logits))
        means, raw = tf.convert_to_tensor(self._means), tf.convert_to_tensor(self._raw_scales)
        if self.covariance == "full":
            normals = tfd.MultivariateNormalTriL(means, lower_triangular(raw, self.latent_size))
        else:
            normals = tfd.Independent(tfd.Normal(means, positive(raw)), reinterpreted_batch_ndims=1)
        return tfd.MixtureSameFamily(weights, normals)

    def assign(self, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> None:
        """Sets the mixture.

        Args:
            weights: [components], above 0; they are scaled to sum to 1.
            means: [components, latent_size].
            covariances: Variances [components, latent_size], or for "full" matrices [components, latent_size,
                latent_size], positive definite.
        """
        self._logits.assign(np.log(weights))
        self._means.assign(means)
        if self.covariance == "full":
            self._raw_scales.assign(raw_of_lower_triangular(np.linalg.cholesky(covariances)))
        else:
            self._raw_scales.assign(raw_of_positive(np.sqrt(covariances)))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "components": self.components, "covariance": self.covariance}
