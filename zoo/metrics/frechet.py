"""The Frechet distance between features of real and of generated images (Heusel et al. 2017)."""

import math
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.metrics.estimate import Estimate
from zoo.metrics.moments import Moments


def frechet_distance(real: Any, generated: Any) -> Estimate:
    """Returns the squared Frechet distance of the two Normals with the moments of the features (equation 6).

        |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2))

    It depends on the feature network, on how images are resized, and on both numbers of images: fewer give a larger
    value, since the moments then differ by chance. State them with it.

    Args:
        real: Features of real images [n, d], or `Moments` of them, for images that come in batches: `Moments(parts=1)`
            takes least memory.
        generated: The same of generated images, `Moments` of at least two parts.

    Returns:
        The distance, and its standard error by a jackknife over ten random parts of the generated images (the
        real ones are taken as given).

    Raises:
        ZooError: The features are not finite, have different sizes, or are fewer than 20; or moments of generated
            images have one part.
    """
    real = real if isinstance(real, Moments) else Moments(parts=1).update(real)
    generated = generated if isinstance(generated, Moments) else Moments().update(generated)
    parts_kept = generated.parts
    if parts_kept < 2:
        raise ZooError("a standard error needs `Moments` of generated images in at least two parts.")
    mean, covariance = real.mean_and_covariance()
    root = _root(covariance)
    others = [generated.mean_and_covariance(without) for without in (None, *range(parts_kept))]
    if others[0][0].shape != mean.shape:
        raise ZooError(f"features have {len(others[0][0])} columns, those of real images {len(mean)}: use one network.")
    whole, *parts = (_distance(mean, covariance, root, *other) for other in others)
    error = math.sqrt((parts_kept - 1) / parts_kept * np.square(np.array(parts) - np.mean(parts)).sum())
    return Estimate(whole, error)


def frechet_increase(real: Any, before: Any, after: Any) -> Estimate:
    """Returns by how much farther one set of generated images is from real ones than another.

    Where the two belong together row by row, such as samples of two forms of a model for the same seeds, most of what
    is chance in the two distances is the same, and the standard error is far below those of the distances.

    Args:
        real: Features of real images [n, d].
        before: Features of generated images [m, d].
        after: Others, each belonging to the one of `before` in its place.

    Returns:
        The distance of `after` less that of `before`, and its standard error by a jackknife over ten random parts.

    Raises:
        ZooError: As `frechet_distance`; or the two are not equally many.
    """
    known, sets = Moments(parts=1).update(real), [Moments().update(features) for features in (before, after)]
    if sets[0].count != sets[1].count:
        raise ZooError(f"{sets[0].count} and {sets[1].count} rows are compared, expected pairs: as many of both.")
    mean, covariance = known.mean_and_covariance()
    root, parts = _root(covariance), sets[0].parts

    def increase(without: int | None) -> float:
        first, second = (_distance(mean, covariance, root, *each.mean_and_covariance(without)) for each in sets)
        return second - first

    others = np.array([increase(part) for part in range(parts)])
    return Estimate(increase(None), math.sqrt((parts - 1) / parts * np.square(others - others.mean()).sum()))


def _distance(
    mean: np.ndarray, covariance: np.ndarray, root: np.ndarray, other_mean: np.ndarray, other: np.ndarray
) -> float:
    # tr (C C')^(1/2) = tr (C^(1/2) C' C^(1/2))^(1/2), whose inside is symmetric, so that its root is stable.
    inside = np.linalg.eigvalsh(root @ other @ root)
    trace = np.sqrt(np.maximum(inside, 0)).sum()
    return float(np.square(mean - other_mean).sum() + np.trace(covariance) + np.trace(other) - 2 * trace)


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
