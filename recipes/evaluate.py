"""The figures of a trained model, with what is needed to measure them again."""

import math
from typing import Any

from recipes.data import Dataset
from recipes.figures import GIVEN_LABEL
from recipes.judge import SAMPLES, judge
from zoo.errors import ZooError
from zoo.metrics import FeatureNetwork, calibration_error
from zoo.metrics.likelihood import LogLikelihood

_ESTIMATOR = "importance-weighted bound (Burda et al. 2016, equation 8)"


def evaluate(
    model: Any,
    data: Dataset,
    draws: int,
    images: int | None = None,
    seed: int = 0,
    verbose: bool = False,
    network: FeatureNetwork | None = None,
    samples: int = SAMPLES,
) -> dict[str, Any]:
    """Measures the test log-likelihood of a model that has one, and what the model draws.

    Args:
        model: Any model of the zoo.
        data: Real images; what is measured is measured on its test split.
        draws: Importance draws an image, for models whose estimate has any.
        images: Test images for the likelihood, the first ones; by default all. Samples are compared with all.
        seed: Decides the draws, the samples, and the binarization where there is one.
        verbose: Whether to show a progress bar.
        network: What samples are compared with real images in; None leaves that out.
        samples: How many to draw for that.

    Returns:
        "nll" in nats an image and its "standard_error" over images, "bits_per_dimension" for discrete pixels, its
        bounds where it is none, and what it is the likelihood of; of classifiers the accuracy and the calibration
        error; the figures of `recipes.judge.judge`; and the data, the counts and the seed that they were measured with.

    Raises:
        ZooError: The images have another shape, or there are fewer than two.
    """
    if len(data.test[:images]) < 2:
        raise ZooError("a standard error needs at least 2 test images.")
    likelihood = _likelihood(model, data, draws, images, seed, verbose) if _has_likelihood(model) else {}
    likelihood |= _classified(model, data) if hasattr(model, "classify") else {}
    judged = {} if network is None else judge(model, network, data.train, data.test, seed, samples)
    return {**likelihood, **judged, "data": data.name, "split": "test", "seed": seed}


def check_measurable(model: Any, network: FeatureNetwork | None) -> None:
    """Checks that there is something to measure a model by.

    Raises:
        ZooError: It has no likelihood, and there is no network to judge its samples in.
    """
    if network is None and not _has_likelihood(model):
        raise ZooError(
            f"{type(model).__name__} has no likelihood, and no network is named to judge its samples in. Name one that "
            f"takes images {list(model.image_shape)}: a .keras file, inception_v3, or a classifier among the presets; "
            "with --set evaluate.features=NAME of zoo train, or none to leave it out; --features NAME of zoo evaluate."
        )


def _has_likelihood(model: Any) -> bool:
    return hasattr(model, "log_likelihood")


def _likelihood(model: Any, data: Dataset, draws: int, images: int | None, seed: int, verbose: bool) -> dict[str, Any]:
    labels = {}
    if model.num_classes is not None:
        if data.test_labels is None:
            raise ZooError(f"{type(model).__name__} is conditional, and {data.name} has no labels to evaluate it with.")
        labels = {"labels": data.test_labels[:images]}
    test = data.test[:images]
    estimate = model.log_likelihood(test, draws, seed=seed, verbose=verbose, **labels)
    of = getattr(model, "likelihood_layer", model)
    bits = -estimate.mean / (math.log(2) * math.prod(test.shape[1:]))
    return {
        "nll": -estimate.mean,
        "standard_error": estimate.standard_error,
        # A density has no bits: its value depends on the unit of the pixels.
        **({"bits_per_dimension": bits} if of.discrete else {}),
        "unit": "nats an image",
        "likelihood_of": of.describes + (f", {GIVEN_LABEL}" if labels else ""),
        "estimator": getattr(model, "likelihood_estimator", _ESTIMATOR),
        "draws": draws if estimate.bounds or not hasattr(model, "likelihood_estimator") else 1,
        **({} if estimate.bounds is None else {"draws_are": model.draws_are, "nll_bounds": _bounds(estimate)}),
        "images": len(test),
    }


def _bounds(estimate: LogLikelihood) -> list[float]:
    """Returns the bounds of the negative log-likelihood, the smaller first."""
    return sorted(-bound for bound in estimate.bounds or ())


def _classified(model: Any, data: Dataset) -> dict[str, Any]:
    """Returns the accuracy of a model that classifies, and how far its confidence is off, on all test images."""
    probabilities = model.classify(data.test)
    share = float((probabilities.argmax(axis=1) == data.test_labels).mean())
    return {
        "test_accuracy": share,
        "test_accuracy_error": math.sqrt(share * (1 - share) / len(data.test)),
        "calibration_error": calibration_error(probabilities, data.test_labels),
        "classified_images": len(data.test),
    }
