"""Where a game stands, in numbers that can be watched; neither loss says it."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from zoo.gan.losses import AdversarialLoss


def accuracies(pair: AdversarialLoss, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns how often the discriminator is right on real and on generated images, two float32 [batch].

    Where logits have a boundary, that is being on the right side of it. Else, with losses that compare, only their
    order has a meaning: it is the share of images of the other kind that an image is on the right side of.
    """
    if pair.boundary is None:
        right = tf.cast(real_logits[:, None] > fake_logits[None], tf.float32)
        return tf.reduce_mean(right, axis=1), tf.reduce_mean(right, axis=0)
    return tf.cast(real_logits > pair.boundary, tf.float32), tf.cast(fake_logits < pair.boundary, tf.float32)


def separation(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns how often a real image [batch] has a larger logit than a generated one, float32 [batch].

    The mean is the area under the ROC curve: 0.5 where the discriminator cannot tell them apart, 1 where it always can.
    Unlike accuracies it does not change when all logits rise or fall together, as they do in the course of a game.
    """
    return tf.reduce_mean(tf.cast(real_logits[:, None] > fake_logits[None], tf.float32), axis=1)


def diversity(fakes: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Returns the variance of generated images [batch, ...] over that of real ones, both summed over pixels, a scalar.

    It is 1 where they vary as much, and near 0 where the generator has collapsed on one image; 0 for a batch of one, or
    none, as a replica may get.
    """
    spread, expected = (tf.reduce_sum(tf.math.reduce_variance(each, axis=0)) for each in (fakes, images))
    return tf.where(tf.shape(fakes)[0] > 0, tf.math.divide_no_nan(spread, expected), 0.0)


def relative_change(before: Sequence[tf.Tensor], variables: Sequence[Any]) -> tf.Tensor:
    """Returns the length of a step of weights over the length of the weights, a scalar."""
    changes = [variable - old for old, variable in zip(before, variables, strict=True)]
    change, length = (tf.linalg.global_norm([tf.cast(each, tf.float32) for each in part]) for part in (changes, before))
    return tf.math.divide_no_nan(change, length)
