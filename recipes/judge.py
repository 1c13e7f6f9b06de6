"""What a model draws, compared with real images in the features of a network that had no part in training."""

from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.metrics import FeatureNetwork, fidelity_and_diversity, frechet_distance, kernel_distance
from zoo.metrics.kernel import BLOCK
from zoo.model import GenerativeModel
from zoo.signature import labels_to_draw

SAMPLES = 10_000
_AT_ONCE = 1000
NEIGHBOURS = 5


def judge(
    model: GenerativeModel,
    network: FeatureNetwork,
    train: np.ndarray,
    test: np.ndarray,
    seed: int = 0,
    samples: int = SAMPLES,
) -> dict[str, Any]:
    """Compares samples with test images; and, to know what is possible, as many training images with them.

    Args:
        model: Any model; a conditional one draws all classes in turn.
        network: What makes features of images.
        train: Training images [n, height, width, channels] in [0, 1], of which the first ones are compared.
        test: Test images.
        seed: Decides the samples.
        samples: How many to draw.

    Returns:
        The Frechet and kernel distances, precision, recall, density and coverage, each with "_error", its standard
        error; the same of training images, beginning with "train_"; where the network knows classes, the share of
        each among the samples, and for conditional models how often the one asked for was drawn.

    Raises:
        ZooError: There are too few images, or the network takes others.
    """
    count = min(samples, len(train))
    labels = None if model.num_classes is None else labels_to_draw(count, None, model.num_classes)
    drawn, logits = [], []
    for start in range(0, count, _AT_ONCE):
        size = min(_AT_ONCE, count - start)
        wanted = None if labels is None else labels[start : start + size]
        images = model.sample(size, seed + start, wanted)
        drawn.append(network.features(images))
        logits.append(None if network.logits is None else network.logits(images))
    real = network.features(test)
    block = min(BLOCK, len(real) // 2, count // 2)
    figures: dict[str, Any] = {}
    for prefix, features in (("", np.concatenate(drawn)), ("train_", network.features(train[:count]))):
        for name, estimate in _measures(real, features, block).items():
            figures |= {prefix + name: estimate.value, f"{prefix}{name}_error": estimate.standard_error}
    return {
        **figures,
        **({} if network.logits is None else _classes(np.concatenate(logits), labels)),
        "features": network.name,
        "resizing": network.resizing,
        "samples": count,
        "real_images": len(test),
        "kernel_block": block,
        "neighbours": NEIGHBOURS,
    }


def _measures(real: np.ndarray, features: np.ndarray, block: int) -> dict[str, Any]:
    near = fidelity_and_diversity(real, features, NEIGHBOURS)
    return {
        "frechet_distance": frechet_distance(real, features),
        "kernel_distance": kernel_distance(real, features, block),
        **near._asdict(),
    }


def _classes(logits: np.ndarray, labels: np.ndarray | None) -> dict[str, Any]:
    told = logits.argmax(axis=1)
    shares = np.bincount(told, minlength=logits.shape[1]) / len(told)
    figures: dict[str, Any] = {"class_shares": shares.tolist()}
    if labels is not None:
        if labels.max() >= logits.shape[1]:
            raise ZooError(f"the feature network knows {logits.shape[1]} classes, and the model {labels.max() + 1}.")
        share = float((told == labels).mean())
        error = float(np.sqrt(share * (1 - share) / len(told)))
        figures |= {"conditional_accuracy": share, "conditional_accuracy_error": error}
    return figures
