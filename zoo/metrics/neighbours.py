"""Fidelity and diversity of generated images, each by itself, from nearest neighbours among features."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import pairwise_distances_chunked

from zoo.errors import ZooError
from zoo.metrics.estimate import Estimate
from zoo.metrics.moments import check_features
from zoo.validation import check_count

_MEBIBYTES = 256


class FidelityAndDiversity(NamedTuple):
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020).

    Attributes:
        precision: The share of generated images that lie in the ball around a real one, to its k-th real neighbour.
        recall: The share of real images that lie in such a ball around a generated one.
        density: The mean number of balls around real images that a generated image lies in, over k; it may pass 1.
        coverage: The share of real images whose ball holds a generated one.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def fidelity_and_diversity(real: Any, generated: Any, k: int = 5) -> FidelityAndDiversity:
    """Measures how real generated images look, and how many of the real ones they cover.

    Distances are Euclidean, in chunks of 256 MiB whatever the number of images. Values depend on both numbers of
    images, on `k` and on the feature network: state them.

    Args:
        real: Features [n, d] of real images.
        generated: Features [m, d] of generated images.
        k: Which neighbour bounds a ball; 3 in the paper of precision and recall, 5 in that of density and coverage.

    Only features are kept of images, but of all of them: what is nearest cannot be said batch by batch.

    Returns:
        Four values with standard errors over the images that they are shares or means of, given those that they are
        compared with. Over new images of both kinds values spread by more: density by up to twice as much.

    Raises:
        ZooError: The features are not finite, have different sizes, or are not more than `k`.
    """
    real, generated, k = check_features(real), check_features(generated), check_count(k, "k")
    if real.shape[1] != generated.shape[1]:
        raise ZooError(f"features have {generated.shape[1]} columns, those of real images {real.shape[1]}.")
    if min(len(real), len(generated)) <= k:
        raise ZooError(f"{len(real)} real and {len(generated)} generated images are too few for k={k} neighbours.")
    real_radii, radii = _radii(real, k), _radii(generated, k)
    balls, recalled, nearest = np.zeros(len(generated)), [], []
    for distances in _distances(real, generated):
        reached = slice(len(recalled), len(recalled) + len(distances))
        balls += (distances < real_radii[reached, None]).sum(axis=0)
        recalled.extend(np.any(distances < radii, axis=1).tolist())
        nearest.extend(distances.min(axis=1))
    return FidelityAndDiversity(
        _mean(balls > 0), _mean(np.array(recalled)), _mean(balls / k), _mean(np.array(nearest) < real_radii)
    )


def _mean(values: np.ndarray) -> Estimate:
    return Estimate(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))


def _radii(features: np.ndarray, k: int) -> np.ndarray:
    """Returns the distance of each row to its k-th neighbour among the others."""
    chunks = (np.partition(distances, k, axis=1)[:, k] for distances in _distances(features, features))
    return np.concatenate(list(chunks))


def _distances(rows: np.ndarray, columns: np.ndarray) -> Iterator[np.ndarray]:
    return pairwise_distances_chunked(rows, columns, working_memory=_MEBIBYTES)
