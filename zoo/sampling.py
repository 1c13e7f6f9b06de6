"""Draws from TFP distributions with `zoo.random`, so that they are the same in every format.

TFP's own samplers use floats whose values change under XLA and ops that ONNX lacks. A distribution class is
taught to the zoo by a function registered with `draw.register`.
"""

import functools
from collections.abc import Callable

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.errors import a_kind
from zoo.random import Seed, Shape

Temperature = float | tf.Tensor


@functools.singledispatch
def draw(
    distribution: tfd.Distribution,
    seed: Seed,
    sample_shape: Shape = (),
    temperature: Temperature = 1.0,
    first: Seed = 0,
) -> tf.Tensor:
    """Draws samples, reparameterized wherever the distribution is (gradients reach its parameters).

    Args:
        distribution: A TFP distribution of a registered class: Normal, MultivariateNormalTriL, Bernoulli,
            Categorical, ContinuousBernoulli, and Independent, MixtureSameFamily and TransformedDistribution of
            registered ones.
        seed: An integer; equal seeds give equal draws.
        sample_shape: How many independent draws, as leading axes.
        temperature: Above 0. Multiplies the Normal or logistic noise that a draw is made of, and divides the
            logits of what has logits instead: below 1 draws keep nearer to the mode.
        first: The number of the first row, a multiple of 4, for rows along the first axis that come in batches.

    Returns:
        A tensor [*sample_shape, *batch_shape, *event_shape].

    Raises:
        NotImplementedError: The class is not registered.
    """
    raise NotImplementedError(
        f"the zoo cannot draw from {a_kind(distribution)} with the same numbers in every format. Register "
        "a function (distribution, seed, sample_shape, temperature, first) with zoo.sampling.draw.register."
    )


def noise_for(
    generator: Callable[..., tf.Tensor],
    distribution: tfd.Distribution,
    seed: Seed,
    sample_shape: Shape,
    first: Seed = 0,
) -> tf.Tensor:
    """Draws from a generator in the shape of a draw from the distribution, known statically as far as can be."""
    parts = [sample_shape, distribution.batch_shape_tensor(), distribution.event_shape_tensor()]
    noise = generator(tf.concat([tf.cast(part, tf.int32) for part in parts], axis=0), seed, first=first)
    noise.set_shape(_static(sample_shape).concatenate(distribution.batch_shape).concatenate(distribution.event_shape))
    return noise


def _static(shape: Shape) -> tf.TensorShape:
    if isinstance(shape, tf.Tensor):
        return tf.TensorShape([None] * (shape.shape[0] or 0))
    return tf.TensorShape([size if isinstance(size, int) else None for size in shape])


@draw.register
def _normal(
    distribution: tfd.Normal, seed: Seed, sample_shape: Shape = (), temperature: Temperature = 1.0, first: Seed = 0
) -> tf.Tensor:
    noise = temperature * noise_for(random.normal, distribution, seed, sample_shape, first)
    return distribution.loc + distribution.scale * tf.cast(noise, distribution.dtype)


@draw.register
def _multivariate_normal(
    distribution: tfd.MultivariateNormalTriL,
    seed: Seed,
    sample_shape: Shape = (),
    temperature: Temperature = 1.0,
    first: Seed = 0,
) -> tf.Tensor:
    noise = temperature * noise_for(random.normal, distribution, seed, sample_shape, first)
    # A sum of products: ONNX Runtime is slow at matrix products of matrices this small.
    return distribution.loc + tf.reduce_sum(distribution.scale_tril * tf.expand_dims(noise, -2), axis=-1)


@draw.register
def _bernoulli(
    distribution: tfd.Bernoulli, seed: Seed, sample_shape: Shape = (), temperature: Temperature = 1.0, first: Seed = 0
) -> tf.Tensor:
    noise = noise_for(random.uniform, distribution, seed, sample_shape, first)
    one_is_1 = isinstance(temperature, float) and temperature == 1.0
    probabilities = (
        distribution.probs_parameter() if one_is_1 else tf.sigmoid(distribution.logits_parameter() / temperature)
    )
    return tf.cast(noise < tf.cast(probabilities, noise.dtype), distribution.dtype)


@draw.register
def _categorical(
    distribution: tfd.Categorical, seed: Seed, sample_shape: Shape = (), temperature: Temperature = 1.0, first: Seed = 0
) -> tf.Tensor:
    noise = noise_for(random.uniform, distribution, seed, sample_shape, first)
    return tf.cast(categories(distribution.logits_parameter() / temperature, noise), distribution.dtype)


def categories(logits: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Returns the category that uniform noise falls on, int32 in [0, number of logits), by inversion.

    Args:
        logits: [..., categories].
        noise: Uniform in (0, 1), broadcasting against `logits` without its last axis.
    """
    edges = tf.cumsum(tf.nn.softmax(logits), axis=-1)[..., :-1]
    return tf.reduce_sum(tf.cast(tf.expand_dims(noise, -1) > edges, tf.int32), axis=-1)


@draw.register
def _continuous_bernoulli(
    distribution: tfd.ContinuousBernoulli,
    seed: Seed,
    sample_shape: Shape = (),
    temperature: Temperature = 1.0,
    first: Seed = 0,
) -> tf.Tensor:
    noise = noise_for(random.uniform, distribution, seed, sample_shape, first)
    logits = distribution.logits_parameter() / temperature
    return tf.cast(_continuous_bernoulli_quantile(noise, logits), distribution.dtype)


def _continuous_bernoulli_quantile(probability: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns x with P(X <= x) = probability, log(1 + p (exp(s) - 1)) / s (Loaiza-Ganem and Cunningham 2019).

    It is worked out for s < 0, where nothing overflows; x(p, s) = 1 - x(1 - p, -s). Near s = 0 it is a series.
    """
    small = tf.abs(logits) < 1e-3
    slope = -tf.where(small, 1.0, tf.abs(logits))
    from_below = tf.where(logits < 0, probability, 1 - probability)
    value = tf.math.log1p(from_below * tf.math.expm1(slope)) / slope
    series = probability + 0.5 * logits * probability * (1 - probability)
    return tf.where(small, series, tf.where(logits < 0, value, 1 - value))


@draw.register
def _independent(
    distribution: tfd.Independent, seed: Seed, sample_shape: Shape = (), temperature: Temperature = 1.0, first: Seed = 0
) -> tf.Tensor:
    return draw(distribution.distribution, seed, sample_shape, temperature, first)


@draw.register
def _mixture(
    distribution: tfd.MixtureSameFamily,
    seed: Seed,
    sample_shape: Shape = (),
    temperature: Temperature = 1.0,
    first: Seed = 0,
) -> tf.Tensor:
    """Chooses components first, at temperature 1, and then draws from these alone. No gradient flows.

    Every component has its chance at any temperature: it is the spread about them that shrinks.
    """
    if distribution.batch_shape.rank != 0:
        raise NotImplementedError("the zoo draws from mixtures without batch axes only, as priors are.")
    chosen = draw(distribution.mixture_distribution, random.fold_in(seed, 0), sample_shape, first=first)
    components = _components(distribution.components_distribution, chosen)
    return draw(components, random.fold_in(seed, 1), (), temperature, first)


@functools.singledispatch
def _components(distribution: tfd.Distribution, chosen: tf.Tensor) -> tfd.Distribution:
    """Returns the distributions at these places of the one batch axis."""
    raise NotImplementedError(f"the zoo cannot draw from a mixture of {type(distribution).__name__}.")


@_components.register
def _normal_components(distribution: tfd.Normal, chosen: tf.Tensor) -> tfd.Distribution:
    shape = distribution.batch_shape_tensor()  # the parameters may be given smaller, to be broadcast
    loc, scale = tf.broadcast_to(distribution.loc, shape), tf.broadcast_to(distribution.scale, shape)
    return tfd.Normal(tf.gather(loc, chosen), tf.gather(scale, chosen))


@_components.register
def _multivariate_normal_components(distribution: tfd.MultivariateNormalTriL, chosen: tf.Tensor) -> tfd.Distribution:
    return tfd.MultivariateNormalTriL(tf.gather(distribution.loc, chosen), tf.gather(distribution.scale_tril, chosen))


@_components.register
def _independent_components(distribution: tfd.Independent, chosen: tf.Tensor) -> tfd.Distribution:
    inner = _components(distribution.distribution, chosen)
    return tfd.Independent(inner, distribution.reinterpreted_batch_ndims)


# A transformed distribution is an instance of TFP's public class only where its bijector is a composite tensor, and
# of the base of that class otherwise.
@draw.register(tfd.TransformedDistribution.__base__)
def _transformed(
    distribution: tfd.TransformedDistribution,
    seed: Seed,
    sample_shape: Shape = (),
    temperature: Temperature = 1.0,
    first: Seed = 0,
) -> tf.Tensor:
    base = distribution.distribution
    if not distribution.batch_shape.is_compatible_with(base.batch_shape):
        raise NotImplementedError(
            f"the bijector of {distribution.name} adds batch axes ({base.batch_shape} becomes "
            f"{distribution.batch_shape}). Give the base distribution the whole batch shape."
        )
    return distribution.bijector.forward(draw(base, seed, sample_shape, temperature, first))
