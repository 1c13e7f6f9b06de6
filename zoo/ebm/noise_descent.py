"""From noise to images by a denoiser D(x; s), as the level s of the noise falls from step to step.

    x' = D + t / s (x - D)           one step from level s to t (Karras et al. 2022, equation 4, by Euler's method)

With D linear in log s between steps this is of second order, at one evaluation a step (Lu et al. 2022, "DPM-Solver++",
algorithm 2). A share of the noise may be drawn anew at each step, as far as levels fall (Song et al. 2021, "Denoising
diffusion implicit models", equation 16), which mends what earlier steps did wrong. Where parts of an image are known
they are put back at every step, with the noise of its level (Song et al. 2021, appendix I.2).
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from zoo import random
from zoo.random import Seed

Denoiser = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
_CURVE = 7.0  # how closely levels lie together where they are small: Karras et al. 2022, equation 5
_UNKNOWN, _KNOWN = 0, 1  # purposes of noise


def level_at(index: Any, steps: tf.Tensor, high: tf.Tensor, low: float) -> tf.Tensor:
    """Returns the levels [batch] that step number `index` of so many begins at: from `high` down to `low`, then 0."""
    share = tf.cast(index, tf.float32) / tf.cast(tf.maximum(steps - 1, 1), tf.float32)
    first, last = high ** (1 / _CURVE), tf.minimum(low, high) ** (1 / _CURVE)
    return tf.where(index < steps, tf.maximum(first + share * (last - first), 0.0) ** _CURVE, tf.zeros_like(high))


def drawn_images(
    denoiser: Denoiser,
    start: tf.Tensor,
    steps: tf.Tensor,
    high: float,
    low: float,
    renewal: tf.Tensor,
    noise: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Returns images at the end of the way that begins at noise.

    Args:
        denoiser: D, of images [batch, height, width, channels] and levels [batch].
        start: Images with noise of the level `high`.
        steps: How many, an int64 scalar.
        high: The level to begin at.
        low: The level before the last step, which leads to 0.
        renewal: How much of the noise is drawn anew at each step, from 0, nothing, to 1, all that can be.
        noise: From the number of a step to noise in the shape of the images.
    """
    top = tf.fill([tf.shape(start)[0]], high)

    def step(index: tf.Tensor, position: tf.Tensor, before: tf.Tensor) -> tuple:
        levels = [level_at(index + shift, steps, top, low) for shift in (-1, 0, 1)]
        found = denoiser(position, levels[1])
        last, now, then = (level[:, None, None, None] for level in levels)
        # How far on the next level lies beside how far the one before lay back, in logarithms.
        ratio = tf.math.log(now / tf.maximum(then, 1e-12)) / tf.math.log(last / now)
        between = tf.logical_and(index > 0, index + 1 < steps)
        ahead = found + tf.where(between, ratio / 2, 0.0) * (found - before)
        return index + 1, _moved(position, ahead, now, then, renewal, noise(index)), found

    state = (tf.zeros([], tf.int64), start, tf.zeros_like(start))
    return tf.while_loop(lambda index, *_: index < steps, step, state)[1]


def _moved(
    position: tf.Tensor, clean: tf.Tensor, now: tf.Tensor, then: tf.Tensor, renewal: tf.Tensor, noise: tf.Tensor
) -> tf.Tensor:
    """Returns positions at a lower level, where clean images are known."""
    # What is drawn anew is at most what the way from x to a noisy x at a lower level leaves open.
    anew = renewal * then * tf.sqrt(1 - tf.square(then / now))
    kept = tf.sqrt(tf.square(then) - tf.square(anew)) / now
    return clean + kept * (position - clean) + anew * noise


def restored_images(
    denoiser: Denoiser,
    images: tf.Tensor,
    mask: tf.Tensor,
    noise_level: tf.Tensor,
    steps: tf.Tensor,
    high: float,
    low: float,
    renewal: tf.Tensor,
    seed: Seed,
    first: Seed = 0,
) -> tf.Tensor:
    """Returns images drawn among those that what was seen may come from.

    Args:
        denoiser: As in `drawn_images`.
        images: What was seen, [batch, height, width, channels].
        mask: 1 where a pixel is known and 0 where not, [batch, height, width, 1].
        noise_level: The standard deviation of the noise in what was seen, a scalar; 0 for none.
        steps: How many, an int64 scalar.
        high: The level to begin at where pixels are missing; where none is it is `noise_level`.
        low: The level before the last step.
        renewal: As in `drawn_images`.
        seed: Decides the noise.
        first: The number of the first row, a multiple of 4, for rows that come in batches.
    """
    axes = [1, 2, 3]
    whole = tf.reduce_all(mask > 0, axis=axes)
    top = tf.where(whole, tf.maximum(noise_level, low), high)

    def noise(index: Any, purpose: int) -> tf.Tensor:
        return random.normal(tf.shape(images), random.fold_in(random.fold_in(seed, index), purpose), first=first)

    def seen(position: tf.Tensor, level: tf.Tensor, index: Any) -> tf.Tensor:
        """Returns positions at a level, known pixels as they were seen where that had less noise."""
        more = tf.sqrt(tf.maximum(tf.square(level) - tf.square(noise_level), 0.0))
        return tf.where((mask > 0) & (level >= noise_level), images + more * noise(index, _KNOWN), position)

    def step(index: tf.Tensor, position: tf.Tensor) -> tuple:
        levels = (level_at(index + shift, steps, top, low) for shift in (0, 1))
        now, then = (level[:, None, None, None] for level in levels)
        found = denoiser(position, now[:, 0, 0, 0])
        following = _moved(position, found, now, then, renewal, noise(index + 1, _UNKNOWN))
        return index + 1, seen(following, then, index + 1)

    level = top[:, None, None, None]
    start = seen(0.5 + level * noise(0, _UNKNOWN), level, 0)
    return tf.while_loop(lambda index, _: index < steps, step, (tf.zeros([], tf.int64), start))[1]
