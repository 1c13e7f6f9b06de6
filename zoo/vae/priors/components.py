"""The components of a mixture of Normals, with densities by matrix products."""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd


class NormalComponents(tfd.Independent):
    """Diagonal Normals [components, size], for `tfd.MixtureSameFamily`.

    With precisions a = 1 / scale^2, sum_d a_d (x_d - loc_d)^2 = x^2 . a - 2 x . (a loc) + loc^2 . a, which for
    all components and points at once is two matrix products. Point by point, a mixture of 500 costs more than the
    rest of a training step. The products are in float64, because large terms cancel where scales are small.

    Args:
        loc: [components, size].
        scale: [components, size].
    """

    def __init__(self, loc: tf.Tensor, scale: tf.Tensor):
        super().__init__(tfd.Normal(loc, scale), reinterpreted_batch_ndims=1)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        if x.shape[-2] != 1:  # not one point for all components
            return super()._log_prob(x)
        loc, scale = self.distribution.loc, self.distribution.scale
        points, wide_loc, wide_scale = (tf.cast(value, tf.float64) for value in (tf.squeeze(x, -2), loc, scale))
        precision = 1 / wide_scale**2
        squares = tf.tensordot(points**2, precision, [[-1], [-1]])
        squares -= 2 * tf.tensordot(points, precision * wide_loc, [[-1], [-1]])
        squares += tf.reduce_sum(precision * wide_loc**2, axis=-1)
        normalizer = tf.reduce_sum(tf.math.log(scale), axis=-1) + 0.5 * math.log(2 * math.pi) * loc.shape[-1]
        return tf.cast(-0.5 * squares, x.dtype) - normalizer


def as_components(distribution: tfd.Distribution) -> tfd.Distribution:
    """Returns a distribution with one batch axis, with densities by matrix products where it is a diagonal Normal."""
    if type(distribution) is tfd.Independent and isinstance(distribution.distribution, tfd.Normal):
        return NormalComponents(distribution.distribution.loc, distribution.distribution.scale)
    return distribution
