"""Approximate posteriors q(z|x): Keras layers from the encoder's features to a distribution over latents."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd


class Posterior(keras.layers.Layer):
    """Base of the posteriors.

    `call` maps features [batch, ...] to float32 parameters [batch, size], and `distribution` maps those to a
    `tfd.Distribution` with batch shape [batch] and event shape [latent_size].

    Args:
        latent_size: The number of latent dimensions, at least 1.
    """

    def __init__(self, latent_size: int, **kwargs):
        super().__init__(**kwargs)
        self.latent_size = latent_size

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns q(z|x) with batch shape [batch] and event shape [latent_size]."""
        raise NotImplementedError

    def statistics(self, distribution: tfd.Distribution) -> dict[str, tf.Tensor]:
        """Returns the tensors [batch, latent_size] that describe q(z|x) where only tensors can go."""
        raise NotImplementedError

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "latent_size": self.latent_size}


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
