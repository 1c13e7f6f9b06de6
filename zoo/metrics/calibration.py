"""How far the confidence of a classifier is from how often it is right."""

import numpy as np

from zoo.errors import ZooError
from zoo.validation import check_count, check_labels


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Returns the expected calibration error (Naeini et al. 2015; Guo et al. 2017, equation 3).

        sum_b n_b / n |share that is right in b - mean confidence in b|

    with the confidence, the largest probability, in bins of equal width.

    Args:
        probabilities: [n, classes], each row adding up to 1.
        labels: Integers [n].
        bins: How many.

    Raises:
        ZooError: The arrays do not fit, or are no probabilities.
    """
    probabilities = np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or not len(probabilities):
        raise ZooError(f"probabilities have shape {list(probabilities.shape)}, expected [n, classes].")
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3) or probabilities.min() < 0:
        raise ZooError("probabilities do not add up to 1 in every row. Give those of a softmax.")
    labels = check_labels(labels, probabilities.shape[1], len(probabilities))
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    count = check_count(bins, "bins")
    places = np.minimum((confidence * count).astype(int), count - 1)
    gaps = np.bincount(places, weights=right - confidence, minlength=count)
    return float(np.abs(gaps).sum() / len(labels))
