"""Draws from TFP distributions with `zoo.random`, so that they are the same in every format.

TFP's own samplers use floats whose values change under XLA and ops that ONNX lacks. A distribution class is
taught to the zoo by a function registered with `draw.register`.
"""

import functools
from collections.abc import Callable

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.random import Seed, Shape


@functools.singledispatch
def draw(distribution: tfd.Distribution, seed: Seed, sample_shape: Shape = ()) -> tf.Tensor:
    """Draws samples, reparameterized wherever the distribution is (gradients reach its parameters).

    Args:
        distribution: A TFP distribution of a registered class: Normal, Bernoulli, and Independent or
            TransformedDistribution of registered ones.
        seed: An integer; equal seeds give equal draws.
        sample_shape: How many independent draws, as leading axes.

    Returns:
        A tensor [*sample_shape, *batch_shape, *event_shape].

    Raises:
        NotImplementedError: The class is not registered.
    """
    raise NotImplementedError(
        f"the zoo cannot draw from a {type(distribution).__name__} with the same numbers in every format. "
        f"Register a function (distribution, seed, sample_shape) with zoo.sampling.draw.register."
    )


def _noise(
    generator: Callable[[Shape, Seed], tf.Tensor], distribution: tfd.Distribution, seed: Seed, sample_shape: Shape
) -> tf.Tensor:
    """Draws from a generator in the shape of a draw from the distribution, known statically as far as can be."""
    parts = [sample_shape, distribution.batch_shape_tensor(), distribution.event_shape_tensor()]
    noise = generator(tf.concat([tf.cast(part, tf.int32) for part in parts], axis=0), seed)
    if isinstance(sample_shape, tf.Tensor):
        known = tf.TensorShape([None] * (sample_shape.shape[0] or 0))
    else:
        known = tf.TensorShape([size if isinstance(size, int) else None for size in sample_shape])
    noise.set_shape(known.concatenate(distribution.batch_shape).concatenate(distribution.event_shape))
    return noise


@draw.register
def _normal(distribution: tfd.Normal, seed: Seed, sample_shape: Shape = ()) -> tf.Tensor:
    noise = _noise(random.normal, distribution, seed, sample_shape)
    return distribution.loc + distribution.scale * tf.cast(noise, distribution.dtype)


@draw.register
def _bernoulli(distribution: tfd.Bernoulli, seed: Seed, sample_shape: Shape = ()) -> tf.Tensor:
    noise = _noise(random.uniform, distribution, seed, sample_shape)
    probabilities = tf.cast(distribution.probs_parameter(), noise.dtype)
    return tf.cast(noise < probabilities, distribution.dtype)


@draw.register
def _independent(distribution: tfd.Independent, seed: Seed, sample_shape: Shape = ()) -> tf.Tensor:
    return draw(distribution.distribution, seed, sample_shape)


@draw.register
def _transformed(distribution: tfd.TransformedDistribution, seed: Seed, sample_shape: Shape = ()) -> tf.Tensor:
    base = distribution.distribution
    if not distribution.batch_shape.is_compatible_with(base.batch_shape):
        raise NotImplementedError(
            f"the bijector of {distribution.name} adds batch axes ({base.batch_shape} becomes "
            f"{distribution.batch_shape}). Give the base distribution the whole batch shape."
        )
    return distribution.bijector.forward(draw(base, seed, sample_shape))
