"""Scales of Normal distributions, made of real numbers without bounds, and the way back.

A scale is a softplus, shifted so that 0 stands for about 1, and never below a smallest value.
"""

import numpy as np
import tensorflow as tf

SHIFT = 0.5413  # softplus(0.5413) = 1
SMALLEST = 1e-5


def positive(raw: tf.Tensor) -> tf.Tensor:
    """Returns scales above 0, in the shape given."""
    return tf.math.softplus(raw + SHIFT) + SMALLEST


def raw_of_positive(scale: np.ndarray) -> np.ndarray:
    """Returns the numbers that `positive` maps to these scales, or to twice the smallest for those below."""
    excess = np.maximum(scale - SMALLEST, SMALLEST)
    return excess + np.log(-np.expm1(-excess)) - SHIFT


def triangular_size(size: int) -> int:
    """Returns how many numbers make a triangular matrix [size, size]."""
    return size * (size + 1) // 2


def lower_triangular(raw: tf.Tensor, size: int) -> tf.Tensor:
    """Returns lower triangular matrices [..., size, size] with `positive` diagonals.

    Args:
        raw: [..., size * (size + 1) / 2]; entry k lands where `_places(size)` has k.
        size: The number of rows.
    """
    # The numbers and, backwards, the same again fill a square whose lower triangle has each once: faster than a
    # gather, whose gradient scatters.
    _, later = tf.split(raw, [size, triangular_size(size) - size], axis=-1)
    folded = tf.concat([later, tf.reverse(raw, [-1])], axis=-1)
    square = tf.reshape(folded, tf.concat([tf.shape(raw)[:-1], [size, size]], axis=0))
    below, diagonal = np.tril(np.ones([size, size], np.float32), -1), np.eye(size, dtype=np.float32)
    return square * below + positive(square) * diagonal


def raw_of_lower_triangular(matrices: np.ndarray) -> np.ndarray:
    """Returns the numbers that `lower_triangular` maps to these matrices [..., size, size]."""
    size = matrices.shape[-1]
    diagonal = np.eye(size, dtype=bool)
    entries = np.where(diagonal, raw_of_positive(np.where(diagonal, matrices, 1.0)), matrices)
    rows, columns = np.tril_indices(size)
    raw = np.empty((*matrices.shape[:-2], triangular_size(size)), matrices.dtype)
    raw[..., _places(size)[rows, columns]] = entries[..., rows, columns]
    return raw


def _places(size: int) -> np.ndarray:
    """Returns the place, among the numbers, of each entry of a lower triangular matrix."""
    order = np.arange(triangular_size(size))
    return np.concatenate([order[size:], order[::-1]]).reshape(size, size)
