"""The kernel distance between features of real and of generated images (Binkowski et al. 2018)."""

import math
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.metrics.estimate import Estimate
from zoo.metrics.moments import check_features
from zoo.validation import check_count

BLOCK = 1000


def kernel_distance(real: Any, generated: Any, block: int = BLOCK) -> Estimate:
    """Returns the squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 (section 4).

    The mean of unbiased estimates over random blocks of images that share none, so that, unlike the Frechet distance,
    it does not depend on the number of images, and may be a little below 0. For images that come in batches, see
    `KernelDiscrepancy`.

    Args:
        real: Features [n, d] of real images.
        generated: Features [m, d] of generated images.
        block: How many of each are compared at a time.

    Returns:
        The distance, and the standard error over blocks.

    Raises:
        ZooError: The features are not finite, have different sizes, or are fewer than two blocks.
    """
    real, generated, block = check_features(real), check_features(generated), check_count(block, "block", 2)
    if real.shape[1] != generated.shape[1]:
        raise ZooError(f"features have {generated.shape[1]} columns, those of real images {real.shape[1]}.")
    blocks = min(len(real), len(generated)) // block
    if blocks < 2:
        raise ZooError(
            f"{len(real)} real and {len(generated)} generated images are fewer than two blocks of {block}: "
            "take more images, or smaller blocks of at least 2."
        )
    real, generated = shuffled(real), shuffled(generated)
    found = KernelDiscrepancy()
    for start in range(0, blocks * block, block):
        found.update(real[start : start + block], generated[start : start + block])
    return found.estimate()


class KernelDiscrepancy:
    """The kernel distance of images that come in batches, in constant memory: every pair of batches is a block.

    Batches should hold images of all kinds, real ones of all classes, and as many each; they share none.
    """

    def __init__(self) -> None:
        self._values: list[float] = []

    def update(self, real: Any, generated: Any) -> "KernelDiscrepancy":
        """Adds features [n, d] of real and [m, d] of generated images, at least two of each, and returns itself.

        Raises:
            ZooError: The features are not finite, have different sizes, or are too few.
        """
        real, generated = check_features(real), check_features(generated)
        if real.shape[1] != generated.shape[1] or min(len(real), len(generated)) < 2:
            raise ZooError(
                f"features have shapes {list(real.shape)} and {list(generated.shape)}, expected as many columns, and "
                "at least two rows of each."
            )
        self._values.append(squared_discrepancy(real, generated))
        return self

    def estimate(self) -> Estimate:
        """Returns the mean over blocks, and its standard error.

        Raises:
            ZooError: There are fewer than two blocks.
        """
        if len(self._values) < 2:
            raise ZooError(f"{len(self._values)} blocks are too few for an error: update it with at least two.")
        values = np.array(self._values)
        return Estimate(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))


def shuffled(features: np.ndarray) -> np.ndarray:
    """Returns rows in an order drawn by lot, always the same for as many: theirs may be that of their classes."""
    return features[np.random.default_rng(0).permutation(len(features))]


def squared_discrepancy(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the unbiased estimate of the squared discrepancy of two samples (Gretton et al. 2012, equation 3)."""
    within = sum(_off_diagonal_mean(_kernel(each, each)) for each in (first, second))
    return float(within - 2 * _kernel(first, second).mean())


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first @ second.T / first.shape[1] + 1) ** 3


def _off_diagonal_mean(matrix: np.ndarray) -> float:
    count = len(matrix)
    return (matrix.sum() - np.trace(matrix)) / (count * (count - 1))
