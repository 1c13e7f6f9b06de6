"""Corruptions that a denoising autoencoder learns to undo (Vincent et al. 2010, section 3.3).

Each maps images [batch, height, width, channels] in [0, 1], a level and a seed to corrupted images of that shape.
"""

from collections.abc import Callable

import tensorflow as tf

from zoo import random
from zoo.errors import ZooError, near_miss
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
_LARGEST_LEVELS = {"gaussian": float("inf"), "masking": 1.0, "salt_and_pepper": 1.0}


def check_corruption(name: str | None, level: float) -> None:
    """Checks a corruption, or None for none, and its level.

    Raises:
        ZooError: It is not known, or the level is a share above 1.
    """
    if name is None:
        return
    if name not in CORRUPTIONS:
        close = near_miss(str(name), CORRUPTIONS)
        raise ZooError(f"unknown corruption {name!r}. Known: None, {', '.join(CORRUPTIONS)}.{close}")
    if level > _LARGEST_LEVELS[name]:
        raise ZooError(f"corruption_level is {level}, expected a share of at most 1.")
