"""How often a conditional model draws the class that it was asked for."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from zoo.errors import ZooError
from zoo.model import GenerativeModel
from zoo.signature import labels_to_draw
from zoo.validation import check_count

_AT_ONCE = 1000


class ConditionalAccuracy(NamedTuple):
    """Shares of drawn images, in [0, 1], that a classifier takes for the class asked for."""

    mean: float
    standard_error: float
    per_class: np.ndarray


def conditional_accuracy(
    model: GenerativeModel,
    classifier: Callable[[np.ndarray], Any],
    num_samples: int = 10_000,
    seed: int = 0,
) -> ConditionalAccuracy:
    """Draws all classes in turn, and counts the images that a classifier takes for the class asked for.

    The classifier should not have been used in training the model, or the model may have learned to please it.
    Shmelkov et al. (2018) call it GAN-test.

    Args:
        model: A conditional model.
        classifier: A function from images, float32 [n, height, width, channels] in [0, 1], to scores [n, classes],
            the largest of which counts: `zoo.metrics.Classifier.logits`, or a Keras model's `predict`.
        num_samples: How many images to draw, at least one a class.
        seed: Decides the images.

    Returns:
        The share that agrees, its binomial standard error, and the share of each class, float64 [classes].

    Raises:
        ZooError: The model is not conditional, there are fewer images than classes, or the classifier knows other
            classes.
    """
    if model.num_classes is None:
        raise ZooError(f"{type(model).__name__} is not conditional: no class can be asked for.")
    if check_count(num_samples, "num_samples") < model.num_classes:
        raise ZooError(f"num_samples is {num_samples}, expected at least one a class, {model.num_classes}.")
    labels = labels_to_draw(num_samples, None, model.num_classes)
    found = []
    for start in range(0, num_samples, _AT_ONCE):
        wanted = labels[start : start + _AT_ONCE]
        scores = np.asarray(classifier(model.sample(len(wanted), seed + start, wanted)))
        if scores.shape != (len(wanted), model.num_classes):
            raise ZooError(
                f"the classifier gives scores of shape {list(scores.shape)}, expected "
                f"{[len(wanted), model.num_classes]}: it must know the classes of the model."
            )
        found.append(scores.argmax(axis=1))
    agrees = np.concatenate(found) == labels
    mean = float(agrees.mean())
    shares = np.array([agrees[labels == index].mean() for index in range(model.num_classes)])
    return ConditionalAccuracy(mean, math.sqrt(mean * (1 - mean) / num_samples), shares)
