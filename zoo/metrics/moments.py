"""Mean and covariance of features that come in batches, in constant memory."""

from typing import Any

import numpy as np

from zoo.errors import ZooError, a_kind

PARTS, _SEED = 10, 0


class Moments:
    """The number, mean and scatter of rows seen so far, kept apart for parts of them.

    The parts are what standard errors are made from; see `parts_of`. A matrix is kept for each. Batches are joined by
    the formula of Chan, Golub and LeVeque (1983), in float64, which loses no digits where the mean is large beside the
    spread.
    """

    def __init__(self, parts: int = PARTS) -> None:
        self.parts = parts
        self._counts = np.zeros(parts)
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
            self._means, self._scatters = np.zeros((self.parts, size)), np.zeros((self.parts, size, size))
        if features.shape[1] != self._means.shape[1]:
            raise ZooError(f"features have {features.shape[1]} columns, but those before had {self._means.shape[1]}.")
        places = parts_of(self._seen, len(features), self.parts)
        for part in range(self.parts):
            rows = features[places == part]
            if len(rows):
                mean = rows.mean(axis=0)
                self._add(part, len(rows), mean, (rows - mean).T @ (rows - mean))
        self._seen += len(features)
        return self

    def _add(self, part: int, count: float, mean: np.ndarray, scatter: np.ndarray) -> None:
        joined = _join((self._counts[part], self._means[part], self._scatters[part]), (count, mean, scatter))
        self._counts[part], self._means[part], self._scatters[part] = joined

    def mean_and_covariance(self, without: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Returns the mean [d] and the unbiased covariance [d, d] of all rows, or of those of all parts but one.

        Raises:
            ZooError: There are fewer than two rows a part.
        """
        if self._seen < 2 * self.parts:
            raise ZooError(f"{self._seen} rows are too few for moments, expected at least {2 * self.parts}.")
        whole: tuple[Any, Any, Any] = (0.0, 0.0, 0.0)
        for part in range(self.parts):
            if part != without:
                whole = _join(whole, (self._counts[part], self._means[part], self._scatters[part]))
        count, mean, scatter = whole
        return mean, scatter / (count - 1)


def parts_of(start: int, count: int, parts: int = PARTS) -> np.ndarray:
    """Returns the part, from 0 to `parts` - 1, of each of `count` rows after the first `start` ones.

    Of every so many rows in turn one goes to each part, by lot: rows come in an order that may mean something, such as
    that of their classes, and parts in which classes were apart would differ by far more than by chance.
    """
    if parts == 1:
        return np.zeros(count, int)
    turns = range(start // parts, (start + count - 1) // parts + 1)
    lots = np.concatenate([np.random.default_rng([_SEED, turn]).permutation(parts) for turn in turns])
    return lots[start % parts :][:count]


def check_features(features: Any) -> np.ndarray:
    """Returns features as float64 rows [n, d].

    Raises:
        ZooError: They are no such rows, or not finite.
    """
    try:
        features = np.asarray(features, np.float64)
    except (TypeError, ValueError):
        raise ZooError(f"features are {a_kind(features)}, expected an array of numbers [n, d].") from None
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
