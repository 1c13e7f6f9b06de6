"""Mean and covariance of features that come in batches, in constant memory."""

from typing import Any

import numpy as np

from zoo.errors import ZooError

BLOCKS, _SEED = 10, 0


class Moments:
    """The number, mean and scatter of rows seen so far, kept apart for `BLOCKS` parts of them.

    The parts are what standard errors are made from; see `parts_of`. Batches are joined by the formula of Chan, Golub
    and LeVeque (1983), in float64, which loses no digits where the mean is large beside the spread.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(BLOCKS)
        self._means: Any = None
        self._scatters: Any = None
        self._seen = 0

    @property
    def count(self) -> int:
        """How many rows were seen."""
        return self._seen

    def update(self, features: Any) -> "Moments":
        """Adds rows, real [n, d], and returns itself.

        Raises:
            ZooError: They have another shape than rows before, or are not finite.
        """
        features = check_features(features)
        if self._means is None:
            size = features.shape[1]
            self._means, self._scatters = np.zeros((BLOCKS, size)), np.zeros((BLOCKS, size, size))
        if features.shape[1] != self._means.shape[1]:
            raise ZooError(f"features have {features.shape[1]} columns, but those before had {self._means.shape[1]}.")
        places = parts_of(self._seen, len(features))
        for block in range(BLOCKS):
            rows = features[places == block]
            if len(rows):
                mean = rows.mean(axis=0)
                self._add(block, len(rows), mean, (rows - mean).T @ (rows - mean))
        self._seen += len(features)
        return self

    def _add(self, block: int, count: float, mean: np.ndarray, scatter: np.ndarray) -> None:
        joined = _join((self._counts[block], self._means[block], self._scatters[block]), (count, mean, scatter))
        self._counts[block], self._means[block], self._scatters[block] = joined

    def mean_and_covariance(self, without: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Returns the mean [d] and the unbiased covariance [d, d] of all rows, or of those of all blocks but one.

        Raises:
            ZooError: There are fewer than two rows a block.
        """
        if self._seen < 2 * BLOCKS:
            raise ZooError(f"{self._seen} rows are too few for moments with an error: at least {2 * BLOCKS}.")
        whole: tuple[Any, Any, Any] = (0.0, 0.0, 0.0)
        for block in range(BLOCKS):
            if block != without:
                whole = _join(whole, (self._counts[block], self._means[block], self._scatters[block]))
        count, mean, scatter = whole
        return mean, scatter / (count - 1)


def parts_of(start: int, count: int) -> np.ndarray:
    """Returns the part, from 0 to `BLOCKS` - 1, of each of `count` rows after the first `start` ones.

    Of every `BLOCKS` rows in turn one goes to each part, by lot: rows come in an order that may mean something, such
    as that of their classes, and parts in which classes were apart would differ by far more than by chance.
    """
    turns = range(start // BLOCKS, (start + count - 1) // BLOCKS + 1)
    lots = np.concatenate([np.random.default_rng([_SEED, turn]).permutation(BLOCKS) for turn in turns])
    return lots[start % BLOCKS :][:count]


def check_features(features: Any) -> np.ndarray:
    """Returns features as float64 rows [n, d].

    Raises:
        ZooError: They are no such rows, or not finite.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or not features.size:
        raise ZooError(f"features have shape {list(features.shape)}, expected [n, d].")
    if not np.isfinite(features).all():
        raise ZooError("features hold NaN or infinite values: the images or the feature network are damaged.")
    return features


def _join(first: tuple[Any, Any, Any], second: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    count = first[0] + second[0]
    apart = second[1] - first[1]
    mean = first[1] + apart * (second[0] / count)
    return count, mean, first[2] + second[2] + np.outer(apart, apart) * (first[0] * second[0] / count)
