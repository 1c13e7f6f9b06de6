"""Penalties on the gradient of the discriminator with respect to images.

    R1                 weight / 2 |grad D(real)|^2                         (Mescheder et al. 2018, equation 9)
    R2                 weight / 2 |grad D(fake)|^2                         (their equation 10)
    GradientPenalty    weight (|grad D(between)| - 1)^2                    (Gulrajani et al. 2017, equation 3)

with points `between` on straight lines from real to generated images. Gradients are per image, summed over pixels
that run from -1 to 1, as in the papers, whose weights so carry over: of images in [0, 1] they are half as long.

Each can be lazy: taken every n-th step, n times as heavy (Karras et al. 2020, section 3.1).
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from zoo import random
from zoo.validation import check_count, check_positive

Discriminate = Callable[[tf.Tensor], tf.Tensor]
_PER_UNIT = 0.5  # the length of a gradient in units of pixels in [-1, 1], over that in units of pixels in [0, 1]


class Penalty:
    """Base of the penalties.

    Attributes:
        name: What it is called among the metrics.

    Args:
        weight: Above 0.
        every: It is taken every so many steps of the discriminator.

    Raises:
        ZooError: A number is out of its range.
    """

    name = "penalty"

    def __init__(self, weight: float, every: int = 1):
        self.weight = check_positive(weight, "weight")
        self.every = check_count(every, "every")

    def __call__(self, discriminate: Discriminate, real: tf.Tensor, fake: tf.Tensor, seed: random.Seed) -> tf.Tensor:
        """Returns the penalty [batch], given images [batch, height, width, channels] in [0, 1] and D of them."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"weight": self.weight, "every": self.every}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Penalty":
        """Builds a penalty from `get_config`."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="zoo")
class R1(Penalty):
    """A penalty on the gradient at real images; `weight` is gamma of the paper."""

    name = "r1"

    def __init__(self, weight: float = 10.0, every: int = 1):
        super().__init__(weight, every)

    def __call__(self, discriminate: Discriminate, real: tf.Tensor, fake: tf.Tensor, seed: random.Seed) -> tf.Tensor:
        """Returns the penalty [batch]."""
        return 0.5 * self.weight * _squared_norm(discriminate, real)


@keras.saving.register_keras_serializable(package="zoo")
class R2(Penalty):
    """A penalty on the gradient at generated images; `weight` is gamma of the paper."""

    name = "r2"

    def __init__(self, weight: float = 10.0, every: int = 1):
        super().__init__(weight, every)

    def __call__(self, discriminate: Discriminate, real: tf.Tensor, fake: tf.Tensor, seed: random.Seed) -> tf.Tensor:
        """Returns the penalty [batch]."""
        return 0.5 * self.weight * _squared_norm(discriminate, fake)


@keras.saving.register_keras_serializable(package="zoo")
class GradientPenalty(Penalty):
    """A penalty on gradients between real and generated images that are not of length 1; `weight` is lambda."""

    name = "gradient_penalty"

    def __init__(self, weight: float = 10.0, every: int = 1):
        super().__init__(weight, every)

    def __call__(self, discriminate: Discriminate, real: tf.Tensor, fake: tf.Tensor, seed: random.Seed) -> tf.Tensor:
        """Returns the penalty [batch]."""
        share = random.uniform(tf.stack([tf.shape(real)[0], 1, 1, 1]), seed)
        between = fake + tf.cast(share, fake.dtype) * (real - fake)
        # The derivative of a root is infinite at 0, where a new discriminator of zeros would be.
        length = tf.sqrt(_squared_norm(discriminate, between) + 1e-12)
        return self.weight * tf.square(length - 1.0)


PENALTIES = {penalty.name: penalty for penalty in (R1, R2, GradientPenalty)}


def _squared_norm(discriminate: Discriminate, images: tf.Tensor) -> tf.Tensor:
    """Returns the squared length of the gradient at each image, float32 [batch]."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = tf.reduce_sum(discriminate(images))
    gradient: Any = tape.gradient(logits, images)
    return tf.reduce_sum(tf.square(_PER_UNIT * tf.cast(gradient, tf.float32)), axis=[1, 2, 3])
