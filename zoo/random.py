"""Seeded noise that is the same numbers in Keras, in a SavedModel and in ONNX Runtime, compiled or not.

Everything is made from one generator of bits, Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
easy as 1, 2, 3"), a counter-based one: word i of a call is a pure function of (seed, stream, i).

    key     = seed              64 bits
    counter = (stream, i // 4)  64 bits each
    words   = philox(key, counter)[i % 4]

TensorFlow has a kernel for these bits that gives the same words eagerly, in graphs and under XLA. Its floats
do not have that property (`tf.random.stateless_normal` differs under XLA), so floats are made here, from the
bits, by plain operations that every runtime has. The first words do not depend on how many are asked for:
`normal([10], seed)[:5]` equals `normal([5], seed)`.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from zoo.signature import NOISE_ROWS

Seed = int | tf.Tensor
Shape = Sequence[int] | tf.Tensor

PHILOX = 1  # the number of the algorithm in TensorFlow's stateless random ops
_FOLD_STREAM = 1 << 62  # keeps the words of `fold_in` apart from those of the draws


def as_seed(seed: Seed) -> tf.Tensor:
    """Returns a seed as the int64 scalar that every function here takes.

    Raises:
        TypeError: `seed` is not an integer.
    """
    is_integer = seed.dtype.is_integer if isinstance(seed, tf.Tensor | tf.Variable) else hasattr(seed, "__index__")
    if isinstance(seed, bool) or not is_integer:
        raise TypeError(f"a seed is an integer, not {seed!r}")
    return tf.cast(seed, tf.int64)


def bits(shape: Shape, seed: Seed, stream: Seed = 0, skip: Seed = 0) -> tf.Tensor:
    """Draws uint32 words, uniform over all their values.

    Args:
        shape: The shape of the result.
        seed: An integer; equal seeds give equal words.
        stream: An integer at least 0 that tells apart the draws made under one seed.
        skip: How many words to leave out, a multiple of 4: of rows that come in batches, those of the rows before.
    """
    key = tf.reshape(tf.cast(as_seed(seed), tf.uint64), [1])
    counter = tf.stack([tf.cast(as_seed(skip) // 4, tf.uint64), tf.cast(as_seed(stream), tf.uint64)])
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.cast(shape, tf.int32), key=key, counter=counter, alg=PHILOX, dtype=tf.uint32
    )


def uniform(shape: Shape, seed: Seed, stream: Seed = 0, first: Seed = 0) -> tf.Tensor:
    """Draws float32 numbers, uniform over the 2**23 midpoints of (0, 1): never 0, never 1.

    With `first`, a multiple of 4, they are rows `first` and on, along the first axis, of what a larger draw would be.

    Raises:
        ValueError: `first` is no multiple of 4.
    """
    shape = tf.cast(shape, tf.int32)
    words = tf.bitwise.right_shift(bits(shape, seed, stream, _before(shape, first)), tf.constant(9, tf.uint32))
    return (tf.cast(words, tf.float32) + 0.5) * 2.0**-23


def normal(shape: Shape, seed: Seed, stream: Seed = 0, first: Seed = 0) -> tf.Tensor:
    """Draws float32 numbers from the standard Normal, by Box and Muller (1958), equation 1; `first` as in `uniform`.

    Two uniform numbers make two Normal ones, so nothing is thrown away. The largest possible value is 5.77
    standard deviations, which one draw in 1.2e8 would exceed.
    """
    shape = tf.cast(shape, tf.int32)
    count = tf.reduce_prod(shape)
    words = bits(tf.stack([(count + 1) // 2, 2]), seed, stream, _before(shape, first))
    pairs = (tf.cast(tf.bitwise.right_shift(words, tf.constant(9, tf.uint32)), tf.float32) + 0.5) * 2.0**-23
    radius = tf.sqrt(-2.0 * tf.math.log(pairs[:, 0]))
    angle = (2.0 * math.pi) * pairs[:, 1]
    values = tf.stack([radius * tf.cos(angle), radius * tf.sin(angle)], axis=1)
    return tf.reshape(tf.reshape(values, [-1])[:count], shape)


def _before(shape: tf.Tensor, first: Seed) -> Seed:
    """Returns how many numbers the rows before `first` have.

    Raises:
        ValueError: It is a number known here, and no multiple of 4. Of a tensor, `Signature.checked` knows it.
    """
    if isinstance(first, int) and first % NOISE_ROWS:
        raise ValueError(f"first is {first}, expected a multiple of {NOISE_ROWS}: words are made so many at once.")
    return as_seed(first) * tf.cast(tf.reduce_prod(shape[1:]), tf.int64)


def fold_in(seed: Seed, data: Seed) -> tf.Tensor:
    """Returns a new seed, an int64 scalar, that depends on both arguments.

    For code that needs several draws, or hands seeds on to parts that draw for themselves: each part gets
    `fold_in(seed, its own number)`. `data` is an integer from 0 to 2**62 - 1.
    """
    words = bits([2], seed, as_seed(data) + _FOLD_STREAM)
    low = tf.bitwise.right_shift(words[1], tf.constant(1, tf.uint32))
    return tf.cast(words[0], tf.int64) * (1 << 31) + tf.cast(low, tf.int64)
