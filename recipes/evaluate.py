"""The figures of a trained model, with what is needed to measure them again."""

import math
from typing import Any

from recipes.data import Dataset
from recipes.figures import GIVEN_LABEL
from recipes.judge import SAMPLES, judge
from zoo.errors import ZooError
from zoo.metrics import FeatureNetwork

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
        "nll" in nats an image and its "standard_error" over images, "bits_per_dimension" for discrete pixels, and
        what it is the likelihood of; the figures of `recipes.judge.judge`; and the data, the counts and the seed that
        they were measured with.

    Raises:
        ZooError: The images have another shape, or there are fewer than two.
    """
    if len(data.test[:images]) < 2:
        raise ZooError("a standard error needs at least 2 test images.")
    likelihood = _likelihood(model, data, draws, images, seed, verbose) if _has_likelihood(model) else {}
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
    bits = -estimate.mean / (math.log(2) * math.prod(test.shape[1:]))
    return {
        "nll": -estimate.mean,
        "standard_error": estimate.standard_error,
        # A density has no bits: its value depends on the unit of the pixels.
        **({"bits_per_dimension": bits} if model.likelihood_layer.discrete else {}),
        "unit": "nats an image",
        "likelihood_of": model.likelihood_layer.describes + (f", {GIVEN_LABEL}" if labels else ""),
        "estimator": getattr(model, "likelihood_estimator", _ESTIMATOR),
        "draws": 1 if hasattr(model, "likelihood_estimator") else draws,
        "images": len(test),
    }
