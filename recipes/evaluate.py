"""The figures of a trained model, with what is needed to measure them again."""

import math
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.metrics import Classifier, conditional_accuracy

_ESTIMATOR = "importance-weighted bound (Burda et al. 2016, equation 8)"
_SAMPLES = 10_000


def evaluate(
    model: Any,
    images: np.ndarray,
    data: str,
    draws: int,
    seed: int = 0,
    verbose: bool = False,
    labels: np.ndarray | None = None,
    classifier: str | None = None,
) -> dict:
    """Measures the test log-likelihood of a model that has one, and whether it draws the classes asked for.

    Args:
        model: A model with `log_likelihood`.
        images: Test images [n, height, width, channels] in [0, 1].
        data: What the images are, for the record.
        draws: Importance draws an image, for models whose estimate has any.
        seed: Decides the draws, and the binarization where there is one.
        verbose: Whether to show a progress bar.
        labels: int [n], for conditional models; others do not use them.
        classifier: A preset that judges what a conditional model draws, or None.

    Returns:
        "nll" in nats an image and its "standard_error" over images, "bits_per_dimension" for discrete pixels,
        and what it is the likelihood of, the data, the counts and the seed that they were measured with. With a
        classifier also "conditional_accuracy", a share, with its own error, classifier and number of samples.

    Raises:
        ZooError: The model has no likelihood, the images have another shape, or there are fewer than two.
    """
    if not hasattr(model, "log_likelihood"):
        raise ZooError(f"{type(model).__name__} has no likelihood to evaluate.")
    if len(images) < 2:
        raise ZooError("a standard error needs at least 2 test images.")
    if model.num_classes is not None and labels is None:
        raise ZooError(f"{type(model).__name__} is conditional, and {data} has no labels to evaluate it with.")
    given = {} if model.num_classes is None else {"labels": labels}
    estimate = model.log_likelihood(images, draws, seed=seed, verbose=verbose, **given)
    judged = {} if classifier is None else _judged(model, classifier, seed)
    bits = -estimate.mean / (math.log(2) * math.prod(images.shape[1:]))
    return {
        "nll": -estimate.mean,
        "standard_error": estimate.standard_error,
        # A density has no bits: its value depends on the unit of the pixels.
        **({"bits_per_dimension": bits} if model.likelihood_layer.discrete else {}),
        "unit": "nats an image",
        "likelihood_of": model.likelihood_layer.describes,
        "estimator": getattr(model, "likelihood_estimator", _ESTIMATOR),
        "draws": 1 if hasattr(model, "likelihood_estimator") else draws,
        "images": len(images),
        "data": data,
        "split": "test",
        "seed": seed,
        **judged,
    }


def _judged(model: Any, classifier: str, seed: int) -> dict[str, Any]:
    judge = Classifier.from_preset(classifier)
    found = conditional_accuracy(model, judge.logits, _SAMPLES, seed)
    return {
        "conditional_accuracy": found.mean,
        "conditional_accuracy_error": found.standard_error,
        "conditional_accuracy_samples": _SAMPLES,
        "classifier": classifier,
    }
