"""Corruptions that a denoising autoencoder learns to undo (Vincent et al. 2010, section 3.3).

Each maps images [batch, height, width, channels] in [0, 1], a level and a seed to corrupted images of that shape.
"""

from collections.abc import Callable

import tensorflow as tf

from zoo import random
from zoo.random import Seed

Corruption = Callable[[tf.Tensor, float, Seed], tf.Tensor]


def gaussian(images: tf.Tensor, level: float, seed: Seed) -> tf.Tensor:
    """Adds Normal noise with the standard deviation `level`; pixels may leave [0, 1]."""
    return images + level * random.normal(tf.shape(images), seed)


def masking(images: tf.Tensor, level: float, seed: Seed) -> tf.Tensor:
    """Sets each value to 0 with the probability `level`."""
    return tf.where(random.uniform(tf.shape(images), seed) < level, 0.0, images)


def salt_and_pepper(images: tf.Tensor, level: float, seed: Seed) -> tf.Tensor:
    """Sets each value, with the probability `level`, to 0 or 1, either as likely."""
    noise = random.uniform(tf.shape(images), seed)
    return tf.where(noise < level, tf.cast(noise < level / 2, images.dtype), images)


CORRUPTIONS: dict[str, Corruption] = {"gaussian": gaussian, "masking": masking, "salt_and_pepper": salt_and_pepper}
LARGEST_LEVELS = {"gaussian": float("inf"), "masking": 1.0, "salt_and_pepper": 1.0}
