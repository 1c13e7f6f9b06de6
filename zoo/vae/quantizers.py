"""Quantizers: Keras layers from a grid of features to one of a finite number of vectors at each place.

    VectorQuantizer         the nearest vector of a learned codebook  (van den Oord et al. 2017, equations 1 and 2)
    FiniteScalarQuantizer   each number rounded to a few levels       (Mentzer et al. 2023, section 3.1)

Shapes: features and vectors are float32 [batch, rows, columns, channels], codes are int32 [batch, rows, columns].
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.errors import ZooError
from zoo.validation import check_count, check_positive, check_sizes


class Quantized(NamedTuple):
    """What a quantizer makes of features.

    `vectors` pass the gradient on to the features (straight-through), `codes` number the vectors, and `commitment`
    [batch] is the squared distance of features and vectors, summed over places and channels.
    """

    vectors: tf.Tensor
    codes: tf.Tensor
    commitment: tf.Tensor


class Quantizer(keras.layers.Layer):
    """Base of the quantizers. They compute in float32, whatever the dtype policy."""

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    @property
    def num_codes(self) -> int:
        """The number of different vectors; codes are below it."""
        raise NotImplementedError

    @property
    def learns_from(self) -> str | None:
        """What it learns of a batch as a whole, without a gradient, or None."""
        return None

    def call(self, features: tf.Tensor, training: bool = False, seed: random.Seed = 0) -> Quantized:
        """Quantizes features.

        Args:
            features: [batch, rows, columns, channels].
            training: Whether to learn from these features, where a quantizer does.
            seed: An integer, for what learning draws.
        """
        raise NotImplementedError

    def look_up(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the vectors [..., channels] of codes [...]."""
        raise NotImplementedError


def perplexity(codes: tf.Tensor, num_codes: int) -> tf.Tensor:
    """Returns exp(entropy) of how often each code occurs: from 1 (always the same) to `num_codes` (all alike)."""
    flat = tf.reshape(codes, [-1])
    counts = tf.math.unsorted_segment_sum(tf.ones_like(flat, tf.float32), flat, num_codes)
    shares = counts / tf.reduce_sum(counts)
    return tf.exp(-tf.reduce_sum(tf.math.xlogy(shares, shares)))


@keras.saving.register_keras_serializable(package="zoo")
class VectorQuantizer(Quantizer):
    """The nearest vector of a codebook that follows the features by exponential moving averages.

    With n_i features z_ij nearest to vector e_i in a batch (van den Oord et al. 2017, appendix A.1):

        N_i <- decay N_i + (1 - decay) n_i
        m_i <- decay m_i + (1 - decay) sum_j z_ij
        e_i <- m_i / N'_i,    N'_i = (N_i + smoothing) sum(N) / (sum(N) + codes * smoothing)

    A code that no feature was nearest to for `revive_after` steps is dead: it starts anew at a feature of the
    batch. At the start all codes count as unused for so long, so that the first batch spreads them over the data.

    Under `tf.distribute` the sums are those over all replicas; dead codes start at features of the first one.

    Args:
        codes: The number of vectors, at least 1.
        decay: Of the averages, in [0, 1).
        smoothing: Of the counts (Laplace), above 0, in features a batch.
        revive_after: Steps without use after which a code is dead, at least 1, or None for never.
    """

    def __init__(
        self,
        codes: int = 512,
        decay: float = 0.99,
        smoothing: float = 1e-5,
        revive_after: int | None = 50,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.codes, self.smoothing = check_count(codes, "codes"), check_positive(smoothing, "smoothing")
        self.decay = check_positive(decay, "decay", or_zero=True)
        if self.decay >= 1:
            raise ZooError(f"decay is in [0, 1), not {decay!r}")
        self.revive_after = None if revive_after is None else check_count(revive_after, "revive_after")

    @property
    def num_codes(self) -> int:
        """The number of vectors."""
        return self.codes

    def build(self, features_shape: tuple) -> None:
        """Creates the codebook for features [batch, rows, columns, channels]."""
        shape = (self.codes, features_shape[-1])
        self.codebook = self._state(
            "codebook", shape, keras.initializers.RandomUniform(-1 / self.codes, 1 / self.codes)
        )
        self.counts = self._state("counts", shape[:1], "ones")
        self.sums = self._state("sums", shape, "zeros")
        self.sums.assign(self.codebook)
        self.idle = self._state("idle", shape[:1], keras.initializers.Constant(self.revive_after or 0))

    def _state(self, name: str, shape: tuple, initializer: str | keras.initializers.Initializer) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",  # all replicas compute the same, up to the revived codes
        )

    def call(self, features: tf.Tensor, training: bool = False, seed: random.Seed = 0) -> Quantized:
        """Quantizes features, and moves the codebook in training; see `Quantizer.call`."""
        features = tf.cast(features, tf.float32)
        flat = tf.reshape(features, [-1, features.shape[-1]])
        flat_codes = self._nearest(flat)
        codes = tf.reshape(flat_codes, tf.shape(features)[:-1])
        vectors = self.look_up(codes)
        if training:
            self._learn(tf.stop_gradient(flat), flat_codes, seed)
        commitment = tf.reduce_sum(tf.square(features - vectors), axis=[1, 2, 3])
        return Quantized(features + tf.stop_gradient(vectors - features), codes, commitment)

    def look_up(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the vectors [..., channels] of codes [...]."""
        return tf.gather(tf.convert_to_tensor(self.codebook), codes)

    @property
    def learns_from(self) -> str | None:
        """The codebook, which is of averages over batches."""
        return "the codebook"

    def _nearest(self, flat: tf.Tensor) -> tf.Tensor:
        """Returns argmin_i |z - e_i|^2, in which |z|^2 plays no part.

        About the mean of the codebook: the products are smaller there, and lose less to rounding.
        """
        codebook = tf.convert_to_tensor(self.codebook)
        centre = tf.reduce_mean(codebook, axis=0)
        codebook, flat = codebook - centre, flat - centre
        scores = tf.reduce_sum(tf.square(codebook), axis=-1) - 2.0 * tf.matmul(flat, codebook, transpose_b=True)
        return tf.argmin(scores, axis=-1, output_type=tf.int32)

    def _learn(self, flat: tf.Tensor, codes: tf.Tensor, seed: random.Seed) -> None:
        """Takes one step of the averages, and starts dead codes anew."""
        used = tf.math.unsorted_segment_sum(tf.ones_like(flat[:, 0]), codes, self.codes)
        used, totals = _over_replicas(used, tf.math.unsorted_segment_sum(flat, codes, self.codes))
        counts = self.decay * self.counts + (1 - self.decay) * used
        sums = self.decay * self.sums + (1 - self.decay) * totals
        whole = tf.reduce_sum(counts)
        smoothed = (counts + self.smoothing) * (whole / (whole + self.codes * self.smoothing))
        codebook = sums / smoothed[:, None]
        idle = tf.where(used > 0, 0.0, self.idle + 1.0)
        if self.revive_after is not None:
            dead, fresh = idle >= self.revive_after, self._drawn_features(flat, seed)
            codebook, sums = (tf.where(dead[:, None], fresh, value) for value in (codebook, sums))
            counts, idle = tf.where(dead, 1.0, counts), tf.where(dead, 0.0, idle)
        for variable, value in zip(
            (self.codebook, self.counts, self.sums, self.idle), (codebook, counts, sums, idle), strict=True
        ):
            variable.assign(value)

    def _drawn_features(self, flat: tf.Tensor, seed: random.Seed) -> tf.Tensor:
        """Returns a feature of the batch for each code, drawn with replacement."""
        available = tf.cast(tf.shape(flat)[0], tf.float32)
        return tf.gather(flat, tf.cast(random.uniform([self.codes], seed) * available, tf.int32))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "codes": self.codes,
            "decay": self.decay,
            "smoothing": self.smoothing,
            "revive_after": self.revive_after,
        }


def _over_replicas(*values: tf.Tensor) -> list[tf.Tensor]:
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return list(values)
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, list(values))


@keras.saving.register_keras_serializable(package="zoo")
class FiniteScalarQuantizer(Quantizer):
    """Each of a few numbers, squashed into (-1, 1), goes to the nearest of its levels; there is no codebook.

        vector_i = 2 / (L_i - 1) * round((L_i - 1) / 2 * (tanh(z_i) + 1)) - 1

    so that L_i levels lie evenly from -1 to 1. (Mentzer et al. 2023 shift an even number of levels by half a step,
    so that one of them is 0.) Codes count the combinations, the first number fastest. The gradient is that of
    tanh, and the commitment is 0.

    Args:
        levels: L, the number of levels of each channel, at least 2.
    """

    def __init__(self, levels: Sequence[int] = (8, 5, 5, 5), **kwargs):
        super().__init__(**kwargs)
        self.levels = check_sizes(levels, "levels")
        if min(self.levels) < 2:
            raise ZooError(f"levels are integers of at least 2, one a channel, not {levels!r}")

    @property
    def num_codes(self) -> int:
        """The product of the levels."""
        return math.prod(self.levels)

    def build(self, features_shape: tuple) -> None:
        """Checks that there is a channel for each entry of `levels`."""
        if features_shape[-1] != len(self.levels):
            raise ZooError(
                f"features have {features_shape[-1]} channels, but a FiniteScalarQuantizer with levels {self.levels} "
                f"needs {len(self.levels)}: one a channel. Change the last layer of the encoder, or the levels."
            )

    def call(self, features: tf.Tensor, training: bool = False, seed: random.Seed = 0) -> Quantized:
        """Quantizes features; see `Quantizer.call`. Nothing is learned."""
        bounded = tf.tanh(tf.cast(features, tf.float32))
        half = self._half_widths
        digits = tf.round(half * (bounded + 1.0))
        codes = tf.reduce_sum(tf.cast(digits, tf.int32) * tf.constant(self._bases, tf.int32), axis=-1)
        vectors = bounded + tf.stop_gradient(digits / half - 1.0 - bounded)
        return Quantized(vectors, codes, tf.zeros_like(bounded[:, 0, 0, 0]))

    def look_up(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the vectors [..., channels] of codes [...]."""
        shifted = tf.expand_dims(codes, -1) // tf.constant(self._bases, tf.int32)
        digits = tf.math.floormod(shifted, tf.constant(self.levels, tf.int32))
        return tf.cast(digits, tf.float32) / self._half_widths - 1.0

    @property
    def _half_widths(self) -> tf.Tensor:
        return (tf.constant(self.levels, tf.float32) - 1.0) / 2.0

    @property
    def _bases(self) -> np.ndarray:
        return np.cumprod([1, *self.levels[:-1]])

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "levels": self.levels}


QUANTIZERS: dict[str, type[Quantizer]] = {"ema": VectorQuantizer, "fsq": FiniteScalarQuantizer}
