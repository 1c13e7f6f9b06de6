"""Finding the latents of given images, for editing them and for scores of how unlike the training data they are.

    minimize over z    |x - G(z)|^2 / (2 scale^2) + |z|^2 / 2

by gradient descent from several draws of z (as Lipton and Tripathi 2017; Creswell and Bharath 2019). It is minus the
logarithm of p(x|z) p(z), but for a constant, where pixels are G(z) and Normal noise with this scale.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from zoo import random

_ROWS = 256  # latents that move at once
_BETA_1, _BETA_2, _SMALL = 0.9, 0.999, 1e-8  # of Adam

ImagesOf = Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]


class Projection(NamedTuple):
    """The best latents found for images.

    latents: float32 [batch, latent_size].
    images: float32 [batch, height, width, channels], those of the latents.
    error: float32 [batch], the root of the mean squared difference of pixels.
    """

    latents: np.ndarray
    images: np.ndarray
    error: np.ndarray


def project(
    descend: Any,
    images: np.ndarray,
    labels: np.ndarray | None,
    latent_size: int,
    steps: int,
    step_size: float,
    starts: int,
    scale: float,
    seed: int,
    verbose: bool = False,
) -> Projection:
    """Finds latents whose images are near to given ones.

    Args:
        descend: Of `descent`.
        images: [n, height, width, channels] in [0, 1].
        labels: int64 [n], or None.
        latent_size: The size of z.
        steps: Steps of Adam.
        step_size: Of each.
        starts: Draws of z to start from, for each image; the one that ends lowest is kept.
        scale: The standard deviation of pixels around G(z).
        seed: Decides where it starts.
        verbose: Whether to show a progress bar.

    Returns:
        The latents, their images and how far these are from the given ones.
    """
    size = max(1, _ROWS // starts)
    progress = keras.utils.Progbar(len(images), unit_name="image") if verbose else None
    parts = []
    for start in range(0, len(images), size):
        chunk = slice(start, start + size)
        count = len(images[chunk])
        first = random.normal([count * starts, latent_size], random.fold_in(seed, start))
        given = [] if labels is None else [tf.constant(labels[chunk])]
        how = (
            tf.constant(starts),
            tf.constant(steps),
            tf.constant(step_size, tf.float32),
            tf.constant(scale, tf.float32),
        )
        parts.append([value.numpy() for value in descend(first, tf.constant(images[chunk]), *how, *given)])
        if progress is not None:
            progress.add(count)
    latents, found = (np.concatenate(values) for values in zip(*parts, strict=True))
    error = np.sqrt(np.square(found - images).mean(axis=(1, 2, 3)))
    return Projection(latents, found, error)


def descent(images_of: ImagesOf, image_shape: Sequence[int], has_labels: bool) -> Any:
    """Returns the descent as a graph, which serves any number of images and any options.

    Args:
        images_of: Maps latents [batch, latent_size], and labels or None, to images.
        image_shape: Height, width and channels.
        has_labels: Whether there are labels.
    """
    integer, real = tf.TensorSpec((), tf.int32), tf.TensorSpec(())
    label = (tf.TensorSpec((None,), tf.int64),) if has_labels else ()
    specs = (tf.TensorSpec((None, None)), tf.TensorSpec((None, *image_shape)), integer, integer, real, real, *label)

    @tf.function(input_signature=specs, autograph=False)
    def descend(
        first: tf.Tensor,
        images: tf.Tensor,
        starts: tf.Tensor,
        steps: tf.Tensor,
        step_size: tf.Tensor,
        scale: tf.Tensor,
        *labels: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        targets = tf.repeat(images, starts, axis=0)
        given = tf.repeat(labels[0], starts) if labels else None

        def height(latents: tf.Tensor) -> tf.Tensor:
            distance = tf.reduce_sum(tf.square(images_of(latents, given) - targets), axis=[1, 2, 3])
            return distance / (2 * scale**2) + tf.reduce_sum(tf.square(latents), axis=1) / 2

        def step(t: tf.Tensor, latents: tf.Tensor, mean: tf.Tensor, square: tf.Tensor) -> tuple:
            with tf.GradientTape() as tape:
                tape.watch(latents)
                total = tf.reduce_sum(height(latents))
            gradient: Any = tape.gradient(total, latents)
            # Adam (Kingma and Ba 2015, algorithm 1), whose state lives in the loop.
            mean = _BETA_1 * mean + (1 - _BETA_1) * gradient
            square = _BETA_2 * square + (1 - _BETA_2) * tf.square(gradient)
            power = tf.cast(t + 1, tf.float32)
            change = (mean / (1 - tf.pow(_BETA_1, power))) / (tf.sqrt(square / (1 - tf.pow(_BETA_2, power))) + _SMALL)
            return t + 1, latents - step_size * change, mean, square

        zeros = tf.zeros_like(first)
        _, latents, _, _ = tf.while_loop(lambda t, *_: t < steps, step, (0, first, zeros, zeros))
        heights = tf.reshape(height(latents), tf.stack([-1, starts]))
        best = tf.range(tf.shape(heights)[0]) * starts + tf.argmin(heights, axis=1, output_type=tf.int32)
        chosen = tf.gather(latents, best)
        return chosen, images_of(chosen, labels[0] if labels else None)

    return descend
