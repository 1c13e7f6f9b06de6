"""Differentiable augmentation (Zhao et al. 2020): the discriminator never sees an image as it is.

Real and generated images are changed in the same random ways, and the generator's gradient goes through them, so
that it learns the images and not the changes. All take images [batch, height, width, channels] in [0, 1] and a seed;
what they give may leave [0, 1] a little.

    color          brightness, saturation (of colour images) and contrast
    translation    shifts by up to an eighth of the size, grey where nothing is
    cutout         a rectangle of half the height and width, somewhere, grey

Grey is 0.5, the 0 of the paper's pixels in [-1, 1].
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from zoo import random

Augmentation = Callable[[tf.Tensor, random.Seed], tf.Tensor]
_GREY = 0.5


def color(images: tf.Tensor, seed: random.Seed) -> tf.Tensor:
    """Changes brightness by up to 0.25, saturation by a factor up to 2 and contrast by one from 0.5 to 1.5.

    The brightness of the paper is twice as much, for pixels in [-1, 1].
    """
    draws = tf.cast(random.uniform(tf.stack([3, tf.shape(images)[0], 1, 1, 1]), seed), images.dtype)
    images += 0.5 * (draws[0] - 0.5)
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = grey + 2.0 * draws[1] * (images - grey)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (0.5 + draws[2]) * (images - mean)


def translation(images: tf.Tensor, seed: random.Seed) -> tf.Tensor:
    """Shifts every image by whole pixels, up to an eighth of its size each way."""
    moved = images
    for axis in (1, 2):
        size = int(images.shape[axis] or 0)
        most = max(1, (size + 4) // 8)
        shift = _integers(tf.shape(images)[0], 2 * most + 1, random.fold_in(seed, axis)) - most
        # Pixel i comes from i - shift; one more place on each side is grey.
        places = tf.clip_by_value(tf.range(size)[None] - shift[:, None] + 1, 0, size + 1)
        padding = [[0, 0], [0, 0], [0, 0], [0, 0]]
        padding[axis] = [1, 1]
        moved = tf.gather(tf.pad(moved, padding, constant_values=_GREY), places, axis=axis, batch_dims=1)
    return moved


def cutout(images: tf.Tensor, seed: random.Seed) -> tf.Tensor:
    """Makes a rectangle of half the height and width grey, around a random pixel."""
    inside = []
    for axis in (1, 2):
        size = int(images.shape[axis] or 0)
        centre = _integers(tf.shape(images)[0], size, random.fold_in(seed, axis))
        start = centre[:, None] - size // 4
        place = tf.range(size)[None]
        inside.append((place >= start) & (place < start + size // 2))
    hole = inside[0][:, :, None] & inside[1][:, None, :]
    return tf.where(hole[..., None], tf.constant(_GREY, images.dtype), images)


AUGMENTATIONS: dict[str, Augmentation] = {"color": color, "translation": translation, "cutout": cutout}


def augment(images: tf.Tensor, names: Sequence[str], seed: random.Seed) -> tf.Tensor:
    """Returns images changed in the ways named, in that order."""
    for index, name in enumerate(names):
        images = AUGMENTATIONS[name](images, random.fold_in(seed, index))
    return images


def _integers(count: tf.Tensor, below: int, seed: random.Seed) -> tf.Tensor:
    return tf.cast(random.uniform(tf.stack([count]), seed) * below, tf.int32)
