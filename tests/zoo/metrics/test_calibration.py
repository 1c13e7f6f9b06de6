"""The calibration error against a sum done by hand."""

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.metrics import calibration_error


def test_by_hand():
    # Two bins: confidences 0.6 and 0.7, one of them right; 0.9, 1.0 and 0.8, all right.
    first = np.array([0.6, 0.7, 0.1, 0.0, 0.2])
    probabilities = np.stack([first, 1 - first], axis=1)
    labels = [0, 1, 1, 1, 1]
    by_hand = 2 / 5 * abs(1 / 2 - 0.65) + 3 / 5 * abs(1 - 0.9)
    assert calibration_error(probabilities, labels, bins=4) == pytest.approx(by_hand)


def test_confidence_drawn_as_it_says_is_calibrated():
    generator = np.random.default_rng(0)
    first = generator.random(100_000)
    labels = (generator.random(100_000) > first).astype(int)
    probabilities = np.stack([first, 1 - first], axis=1)
    assert calibration_error(probabilities, labels) < 0.01
    assert calibration_error(probabilities, 1 - labels) > 0.4


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (np.ones((3, 2)), [0, 1, 0], "do not add up to 1"),
        (np.ones(3), [0, 1, 0], "expected"),
        (np.full((2, 2), 0.5), [0, 2], "2"),
    ],
)
def test_what_is_refused(probabilities, labels, message):
    with pytest.raises(ZooError, match=message):
        calibration_error(probabilities, labels)
