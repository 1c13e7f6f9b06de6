"""Restoring images: what was seen of them, completed by what an energy takes for likely.

    E'(x) = E(x) + w T sum_i m_i ((A x)_i - y_i)^2 / (2 s^2)

with y what was seen, m 1 where a pixel is known and 0 where not, s the noise in y, A a blur or nothing, T the
temperature of the chains, which draw from exp(-E'(x) / T), and w a weight, 1 by Bayes's rule. Without noise known
pixels are what they are: E'(x) = E(m y + (1 - m) x).

Steps that suit E are far too large for the second term. So a chain takes a step on E alone, and then one towards y,

    x' = x - r / (1 + r) A^T m (A x - y)        r = h w T / s^2

which without a blur is implicit, rests where E' does, and is stable for any h (Parikh and Boyd 2014, section 4.2).
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from zoo.ebm.energies import Energy
from zoo.errors import ZooError
from zoo.model import VERB_BATCH
from zoo.signature import NamedTensor
from zoo.validation import as_array, check_images, check_positive

_REACH = 8.0  # standard deviations that noise is taken to lead at most


def completed(images: tf.Tensor, mask: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Returns known pixels as they are seen, and the others as positions have them."""
    return mask * images + (1 - mask) * positions


def energy_completed(energy: Energy, images: tf.Tensor, mask: tf.Tensor, noise_level: tf.Tensor) -> Energy:
    """Returns the energy of positions, whose known pixels count as they were seen where there is no noise.

    Args:
        energy: Of images [batch, height, width, channels].
        images: What was seen, in their shape.
        mask: 1 where a pixel is known, else 0; broadcasts against the images.
        noise_level: The standard deviation of the noise in what was seen, in units of pixels; 0 for none.
    """
    return lambda positions: energy(tf.where(noise_level <= 0, completed(images, mask, positions), positions))


def drawn_towards(
    positions: tf.Tensor, images: tf.Tensor, mask: tf.Tensor, strength: tf.Tensor, blur: "Blur"
) -> tf.Tensor:
    """Returns positions a step nearer to what was seen.

    Args:
        positions: [batch, height, width, channels].
        images: What was seen, in their shape.
        mask: 1 where a pixel is known, else 0; broadcasts against the images.
        strength: r, a scalar; 0 leaves positions as they are.
        blur: A, the blur in what was seen.
    """
    return positions - strength / (1 + strength) * blur.transposed(mask * (blur(positions) - images))


class Blur:
    """A Gaussian blur of images [batch, height, width, channels], edges repeated: a linear map.

    Args:
        spread: The standard deviation, in pixels, a scalar from 0, which is no blur, to a third of the smaller side;
            the kernel is cut off at three of them.
        height, width: Of the images.
    """

    def __init__(self, spread: tf.Tensor, height: int, width: int):
        self._rows, self._columns = _blur_matrix(height, spread), _blur_matrix(width, spread)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Returns A x."""
        images = tf.einsum("ab,nbwc->nawc", self._rows, images)
        return tf.einsum("ab,nhbc->nhac", self._columns, images)

    def transposed(self, images: tf.Tensor) -> tf.Tensor:
        """Returns A^T x."""
        images = tf.einsum("ba,nbwc->nawc", self._rows, images)
        return tf.einsum("ba,nhbc->nhac", self._columns, images)


def _blur_matrix(size: int, spread: tf.Tensor) -> tf.Tensor:
    """Returns [size, size]: in each row, what pixels count for in one that is blurred."""
    apart = np.arange(-size, 2 * size, dtype=np.float32) - np.arange(size, dtype=np.float32)[:, None]
    weights = tf.exp(-np.square(apart) / (2 * tf.square(tf.maximum(spread, 1e-3))))
    weights = tf.where(np.abs(apart) <= tf.maximum(1.0, tf.math.ceil(3 * spread)), weights, 0.0)
    # What lies beyond an edge is as the edge.
    pixel = np.clip(np.arange(-size, 2 * size), 0, size - 1)
    weights = tf.matmul(weights, np.eye(size, dtype=np.float32)[pixel])
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def checked_observation(
    images: np.ndarray, image_shape: tuple[int, ...], mask: np.ndarray | None, noise_level: float | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Returns what was seen, its mask and its noise, after checking them.

    Args:
        images: [batch, height, width, channels] in [0, 1]; with noise also beyond, where noise leads.
        image_shape: The [height, width, channels] to insist on.
        mask: 1 where a pixel is known, [batch, height, width, 1], or None where all are.
        noise_level: The standard deviation of the noise, above 0, or None for none.

    Raises:
        ZooError: One is not as described, or there is neither a mask nor noise.
    """
    if mask is None and noise_level is None:
        raise ZooError("there is nothing to restore: give a mask, a noise_level, or both.")
    noise = 0.0 if noise_level is None else check_positive(noise_level, "noise_level")
    values = as_array(images, "images")
    if noise and values.dtype.kind == "f" and np.isfinite(values).all():
        _check_reach(values, noise)
        check_images(np.clip(values, 0, 1), image_shape, "images")
        values = values.astype(np.float32)
    else:
        values = check_images(values, image_shape, "images")
    known = np.ones((len(values), *image_shape[:2], 1)) if mask is None else mask
    return values, checked_mask(known, values), noise


def _check_reach(images: np.ndarray, noise_level: float) -> None:
    """Checks that noise may have led from pixels in [0, 1] to images.

    Raises:
        ZooError: They lie further out.
    """
    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 1.0)
    reach = _REACH * noise_level
    if low < -reach or high > 1 + reach:
        raise ZooError(
            f"images range from {low:.4g} to {high:.4g}, further than noise of {noise_level:g} leads from pixels in "
            "[0, 1]. Divide by 255 what is in [0, 255], and the noise_level too; or give the noise_level that is meant."
        )


def seen_tensor(image_shape: tuple[int, ...]) -> NamedTensor:
    """Returns the declaration of what was seen: pixels, which noise may have led beyond [0, 1]."""
    return NamedTensor("image", ("batch", *image_shape), "float32", (-1e4, 1e4), "what was seen", examples=(0.0, 1.0))


def mask_tensor(image_shape: tuple[int, ...]) -> NamedTensor:
    """Returns the declaration of a mask."""
    return NamedTensor("mask", ("batch", *image_shape[:2], 1), "float32", (0, 1), "1 where a pixel is known")


def checked_mask(mask: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Returns a mask as float32 [batch, height, width, 1] after checking it.

    Raises:
        ZooError: It has another shape, or holds other values than 0 and 1.
    """
    mask, wanted = as_array(mask, "mask"), (*images.shape[:3], 1)
    if mask.shape != wanted:
        raise ZooError(f"mask has shape {list(mask.shape)}, expected {list(wanted)}: 1 where a pixel is known, else 0.")
    if mask.dtype.kind not in "biuf" or not np.isin(mask, (0, 1)).all():
        raise ZooError("mask holds other values than 0 and 1: give 1 where a pixel is known, else 0.")
    return mask.astype(np.float32)


def pixels_of(positions: tf.Tensor) -> tf.Tensor:
    """Returns positions cut off at [0, 1], NaN where they are not finite."""
    return tf.where(tf.math.is_finite(positions), tf.clip_by_value(positions, 0.0, 1.0), np.nan)


def restored_in_batches(
    restore: Callable[..., tf.Tensor], images: np.ndarray, mask: np.ndarray, *how: tf.Tensor
) -> np.ndarray:
    """Returns restored images, some at a time.

    Args:
        restore: Takes images, their masks, `how`, and the number of the first, int64, which noise goes by.
        images: What was seen, [batch, height, width, channels].
        mask: [batch, height, width, 1].
        *how: Further arguments.
    """
    parts = []
    for first in range(0, len(images), VERB_BATCH):
        rows = slice(first, first + VERB_BATCH)
        seen = tf.constant(images[rows]), tf.constant(mask[rows])
        parts.append(restore(*seen, *how, tf.constant(first, tf.int64)).numpy())
    return np.concatenate(parts)


def finite(images: np.ndarray, remedy: str) -> np.ndarray:
    """Returns images as they are.

    Raises:
        ZooError: They are not finite; the message ends with the remedy.
    """
    if not np.isfinite(images).all():
        raise ZooError(f"chains diverged: images are not finite; {remedy}.")
    return images
