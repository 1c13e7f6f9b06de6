"""Normal posteriors."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.vae.posteriors.base import Posterior


@keras.saving.register_keras_serializable(package="zoo")
class DiagonalNormal(Posterior):
    """q(z|x) = Normal(z; loc(x), diag(scale(x)^2)), Kingma and Welling (2014), equation 9.

    The scale is the softplus of a linear map of the features, shifted so that it starts near 1.
    """

    _SHIFT = 0.5413  # softplus(0.5413) = 1
    _SMALLEST = 1e-5

    def __init__(self, latent_size: int, **kwargs):
        super().__init__(latent_size, **kwargs)
        self._flatten = keras.layers.Flatten(name="flatten")
        # Float32 whatever the policy: a bfloat16 scale has three digits, and the KL takes its logarithm.
        self._linear = keras.layers.Dense(2 * latent_size, dtype="float32", name="linear")

    def build(self, features_shape: tuple) -> None:
        """Creates the weights for features of this shape."""
        self._linear.build(self._flatten.compute_output_shape(features_shape))

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """Maps features [batch, ...] to parameters [batch, 2 * latent_size]."""
        return self._linear(self._flatten(features))

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the Normal."""
        loc, raw_scale = tf.split(parameters, 2, axis=-1)
        scale = tf.math.softplus(raw_scale + self._SHIFT) + self._SMALLEST
        return tfd.Independent(tfd.Normal(loc, scale), reinterpreted_batch_ndims=1)

    def statistics(self, distribution: tfd.Distribution) -> dict[str, tf.Tensor]:
        """Returns its `loc` and `scale`."""
        return {"loc": distribution.distribution.loc, "scale": distribution.distribution.scale}
