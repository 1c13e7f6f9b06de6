"""What the likelihoods of quantized pixels share: pixels are k / (levels - 1), with k from 0 to levels - 1."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.errors import ZooError
from zoo.random import Seed
from zoo.vae.likelihoods.base import Likelihood
from zoo.validation import check_count

_TOLERANCE = 1e-6  # of the pixel range: float32 divisions and products miss by 1e-7
_LIKELY_LEVELS = range(2, 258)  # 257 are those of 8-bit pixels divided by 256
_IMAGES_AT_ONCE, _MOST_LEVELS = 1000, 65536


def level_of(images: tf.Tensor, levels: int) -> tf.Tensor:
    """Returns the number of the nearest level, float32 from 0 to levels - 1, of pixels in [0, 1]."""
    return tf.clip_by_value(tf.round(images * (levels - 1)), 0.0, levels - 1.0)


class QuantizedLikelihood(Likelihood):
    """Base of the likelihoods of quantized pixels.

    Args:
        levels: How many values a pixel can have, evenly spaced from 0 to 1, from 2 to 65536: 256 for 8-bit images.
    """

    def __init__(self, levels: int = 256, **kwargs):
        super().__init__(**kwargs)
        self.levels = check_count(levels, "levels", least=2)
        if self.levels > _MOST_LEVELS:
            raise ZooError(f"levels is {levels}, expected at most {_MOST_LEVELS}.")

    @property
    def describes(self) -> str:
        """What it is the likelihood of, in a few words for cards."""
        return f"pixels of {self.levels} levels from 0 to 1"

    @property
    def support(self) -> str:
        """The levels."""
        return f"multiples of 1/{self.levels - 1}, where Normal() and ContinuousBernoulli() take all pixels"

    def check(self, images: np.ndarray) -> None:
        """Checks that every pixel is on a level, but for the rounding of float32.

        Raises:
            ZooError: One is not; the message names the grid that fits, or likelihoods of real pixels.
        """
        if _on_levels(images, self.levels):
            return
        name = type(self).__name__
        fitting = next((levels for levels in _LIKELY_LEVELS if _on_levels(images, levels)), None)
        remedy = (
            f"They are multiples of 1/{fitting - 1}: use {name}(levels={fitting})."
            if fitting
            else "Use Normal() or ContinuousBernoulli(), which are likelihoods of real pixels, or round the images."
        )
        raise ZooError(
            f"images hold pixels such as {_off_levels(images, self.levels):.6g}, but {name}(levels={self.levels}) is "
            f"a likelihood of multiples of 1/{self.levels - 1}. {remedy}"
        )

    def supports(self, images: tf.Tensor) -> tf.Tensor:
        """Returns whether images in [0, 1] pass `check`, in a graph."""
        return tf.reduce_all(tf.abs(images - level_of(images, self.levels) / (self.levels - 1)) <= _TOLERANCE)

    def targets(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Returns the images with every pixel on the nearest level."""
        return level_of(images, self.levels) / (self.levels - 1)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "levels": self.levels}


class QuantizedDistribution(tfd.Distribution):
    """Base of the distributions over images on levels. A value between two levels stands for the nearest.

    Args:
        outputs: The decoder's output, float32 [..., height, width, numbers a pixel].
        channels: Of the images.
        levels: How many values a pixel can have.
    """

    def __init__(self, outputs: tf.Tensor, channels: int, levels: int):
        arguments = {"outputs": outputs, "channels": channels, "levels": levels}
        super().__init__(tf.float32, tfd.NOT_REPARAMETERIZED, False, True, parameters=arguments)
        self.outputs, self.channels, self.levels = outputs, channels, levels

    def _batch_shape(self) -> tf.TensorShape:
        return self.outputs.shape[:-3]

    def _batch_shape_tensor(self) -> tf.Tensor:
        return tf.shape(self.outputs)[:-3]

    def _event_shape(self) -> tf.TensorShape:
        return self.outputs.shape[-3:-1].concatenate([self.channels])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.concat([tf.shape(self.outputs)[-3:-1], [self.channels]], axis=0)


def _on_levels(images: np.ndarray, levels: int) -> bool:
    parts = (images[start : start + _IMAGES_AT_ONCE] for start in range(0, len(images), _IMAGES_AT_ONCE))
    return all((_distance(part, levels) <= _TOLERANCE).all() for part in parts)


def _off_levels(images: np.ndarray, levels: int) -> float:
    """Returns the first pixel that is on no level."""
    return next(image[_distance(image, levels) > _TOLERANCE][0] for image in images if not _on_levels(image, levels))


def _distance(images: np.ndarray, levels: int) -> np.ndarray:
    """Returns how far each pixel is from its nearest level."""
    return np.abs(images - np.rint(images * (levels - 1)) / (levels - 1))
