"""Log-likelihood of latent-variable models by importance sampling, in constant memory."""

import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.errors import ZooError

_IMAGES_AT_ONCE, _DRAWS_AT_ONCE = 100, 20  # 2,000 decoded images in memory, whatever is asked for
_VALUES_AT_ONCE = 2**27  # or fewer, where networks are wide: 512 MiB


class LogLikelihood(NamedTuple):
    """An estimate of the mean log-likelihood of images, in nats.

    bounds: What the mean lies between in expectation, of estimates that are no bound themselves but have some.
    """

    mean: float
    standard_error: float
    per_image: np.ndarray
    bounds: tuple[float, float] | None = None


Weights = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def importance_weighted(
    weigher: Callable[..., Weights],
    targets: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    images: np.ndarray,
    num_samples: int,
    seed: int,
    verbose: bool = False,
    labels: np.ndarray | None = None,
    values_per_image: int = 1,
) -> LogLikelihood:
    """Estimates log p(x) as the log of the mean importance weight, Burda et al. (2016), equation 8.

    Args:
        weigher: Maps targets [batch, ...], and labels [batch] where there are some, to a function from a number of
            draws and a seed to log-weights [draws, batch]. What does not depend on the draws is computed once.
        targets: Maps (images, seed) to what the likelihood scores (binarized images, for instance).
        images: [n, height, width, channels] in [0, 1].
        num_samples: Draws an image.
        seed: An integer at least 0.
        verbose: Whether to show a progress bar.
        labels: int64 [n], for models of p(x|label).
        values_per_image: How many numbers are in memory for one at a time; how many images are depends on it.

    Returns:
        The mean over images, the standard error of that mean, and the value of each image.

    Raises:
        ZooError: An estimate is not finite.
    """

    rows = max(1, _VALUES_AT_ONCE // values_per_image)
    at_once = min(_IMAGES_AT_ONCE, rows)
    draws = max(1, min(_DRAWS_AT_ONCE, rows // at_once))
    traced = _traced(weigher, targets, images.shape[1:], num_samples, draws, labels is not None)
    starts = range(0, len(images), at_once)
    progress = keras.utils.Progbar(len(starts), unit_name="batch") if verbose else None
    parts = []
    for index, start in enumerate(starts):
        chunk = slice(start, start + at_once)
        given = [] if labels is None else [tf.constant(labels[chunk])]
        parts.append(traced(tf.constant(images[chunk]), random.fold_in(seed, index), *given).numpy())
        if progress is not None:
            progress.add(1)
    values = np.concatenate(parts).astype(np.float64)
    if not np.isfinite(values).all():
        raise ZooError("the log-likelihood of some images is not finite: the model's weights are damaged or diverged.")
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return LogLikelihood(float(values.mean()), float(error), values)


def _traced(
    weigher: Callable[..., Weights],
    targets: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    image_shape: tuple[int, ...],
    num_samples: int,
    at_once: int,
    labelled: bool,
) -> Callable[..., tf.Tensor]:
    """Returns a function from images [batch, ...], a seed and labels where there are some to estimates [batch]."""

    def estimate(batch: tf.Tensor, batch_seed: tf.Tensor, *batch_labels: tf.Tensor) -> tf.Tensor:
        fixed = targets(batch, random.fold_in(batch_seed, 0))
        log_weights = weigher(fixed, *batch_labels)

        def add(drawn: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            now = tf.minimum(at_once, num_samples - drawn)
            fresh = log_weights(now, random.fold_in(batch_seed, 1 + tf.cast(drawn, tf.int64)))
            return drawn + now, tf.reduce_logsumexp(tf.concat([total[None], fresh], axis=0), axis=0)

        nothing = tf.fill([tf.shape(fixed)[0]], -math.inf)
        start = (tf.constant(0), nothing)
        _, total = tf.while_loop(lambda drawn, _: drawn < num_samples, add, start, parallel_iterations=1)
        return total - math.log(num_samples)

    # One concrete function: TensorFlow takes a new `tf.function` a call for an accident, and warns.
    return tf.function(estimate, autograph=False).get_concrete_function(
        tf.TensorSpec([None, *image_shape]),
        tf.TensorSpec([], tf.int64),
        *([tf.TensorSpec([None], tf.int64)] if labelled else []),
    )
