"""Normal posteriors."""

from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.vae.posteriors.base import Posterior
from zoo.vae.scales import lower_triangular, positive, triangular_size


@keras.saving.register_keras_serializable(package="zoo")
class DiagonalNormal(Posterior):
    """q(z|x) = Normal(z; loc(x), diag(scale(x)^2)), Kingma and Welling (2014), equation 9.

    The scale is the softplus of a linear map of the features, shifted so that it starts near 1.
    """

    def __init__(self, latent_size: int, **kwargs):
        super().__init__(latent_size, **kwargs)
        self._flatten = keras.layers.Flatten(dtype=self.dtype_policy, name="flatten")
        # Float32 whatever the policy: a bfloat16 scale has three digits, and the KL takes its logarithm.
        self._linear = keras.layers.Dense(2 * latent_size, dtype="float32", name="linear")

    def build(self, features_shape: tuple) -> None:
        """Creates the weights for features of this shape."""
        self._flatten.build(features_shape)
        self._linear.build(self._flatten.compute_output_shape(features_shape))

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """Maps features [batch, ...] to parameters [batch, 2 * latent_size]."""
        return self._linear(self._flatten(features))

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the Normal."""
        loc, raw_scale = tf.split(parameters, 2, axis=-1)
        return tfd.Independent(tfd.Normal(loc, positive(raw_scale)), reinterpreted_batch_ndims=1)

    def statistics(self, distribution: tfd.Distribution) -> dict[str, tf.Tensor]:
        """Returns its `loc` and `scale`."""
        return {"loc": distribution.distribution.loc, "scale": distribution.distribution.scale}


class _FullNormal(tfd.MultivariateNormalTriL):
    """A class of its own, so that the divergence below is registered for it and for nothing of TFP's."""


@tfd.RegisterKL(_FullNormal, tfd.Independent)
def _kl_to_independent_normals(posterior: _FullNormal, prior: tfd.Independent, **_: Any) -> tf.Tensor:
    """Returns KL(Normal(m, L L') || prod_i Normal(m_i, s_i)), closed form, [batch]."""
    normals = prior.distribution
    if not isinstance(normals, tfd.Normal) or normals.batch_shape.rank != 1:
        raise NotImplementedError(f"no closed form for the divergence from {prior.name}")
    tril = posterior.scale_tril / normals.scale[..., None]
    squares = tf.reduce_sum(tril**2, axis=[-2, -1])
    distance = tf.reduce_sum(((posterior.loc - normals.loc) / normals.scale) ** 2, axis=-1)
    log_determinant = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(tril)), axis=-1)
    return 0.5 * (squares + distance - tf.cast(normals.batch_shape[0], tf.float32)) - log_determinant


@keras.saving.register_keras_serializable(package="zoo")
class FullCovarianceNormal(Posterior):
    """q(z|x) = Normal(z; loc(x), L(x) L(x)'), L lower triangular, with a correlation for each pair of latents.

    Location and L are linear maps of the features; the diagonal of L is a softplus, shifted to start near 1. The
    number of parameters grows with the square of `latent_size`.
    """

    def __init__(self, latent_size: int, **kwargs):
        super().__init__(latent_size, **kwargs)
        self._flatten = keras.layers.Flatten(dtype=self.dtype_policy, name="flatten")
        self._linear = keras.layers.Dense(latent_size + triangular_size(latent_size), dtype="float32", name="linear")

    def build(self, features_shape: tuple) -> None:
        """Creates the weights for features of this shape."""
        self._flatten.build(features_shape)
        self._linear.build(self._flatten.compute_output_shape(features_shape))

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """Maps features [batch, ...] to parameters [batch, latent_size * (latent_size + 3) / 2]."""
        return self._linear(self._flatten(features))

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the Normal."""
        loc, raw = tf.split(parameters, [self.latent_size, triangular_size(self.latent_size)], axis=-1)
        return _FullNormal(loc, lower_triangular(raw, self.latent_size))

    def statistics(self, distribution: tfd.Distribution) -> dict[str, tf.Tensor]:
        """Returns its `loc`, and as `scale` the marginal standard deviations."""
        return {"loc": distribution.loc, "scale": tf.norm(distribution.scale_tril, axis=-1)}
