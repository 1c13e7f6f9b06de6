"""Precision, recall, density and coverage where they can be worked out."""

import numpy as np
import pytest

import zoo
from zoo.metrics.neighbours import fidelity_and_diversity

GENERATOR = np.random.default_rng(0)
REAL = np.concatenate([GENERATOR.normal(size=(300, 2)), GENERATOR.normal(size=(300, 2)) + 50])


def by_hand(real, generated, k):
    def distances(one, other):
        return np.linalg.norm(one[:, None] - other[None], axis=-1)

    real_radii = np.sort(distances(real, real))[:, k]
    radii = np.sort(distances(generated, generated))[:, k]
    across = distances(real, generated)
    inside = across < real_radii[:, None]
    return (
        inside.any(axis=0).mean(),
        (across < radii).any(axis=1).mean(),
        inside.sum() / k / len(generated),
        (inside.any(axis=1).mean()),
    )


@pytest.mark.parametrize("k", [1, 5])
def test_it_is_the_definition(k):
    generated = GENERATOR.normal(size=(400, 2)) * 1.3 + 0.4
    found = fidelity_and_diversity(REAL, generated, k)
    np.testing.assert_allclose([estimate.value for estimate in found], by_hand(REAL, generated, k), rtol=1e-9)


def test_a_lost_mode_costs_recall_and_coverage_but_not_precision():
    found = fidelity_and_diversity(REAL, GENERATOR.normal(size=(500, 2)))
    assert found.precision.value > 0.95
    assert found.density.value == pytest.approx(1, abs=0.15)
    assert found.recall.value < 0.51
    assert found.coverage.value < 0.51
    assert found.recall.standard_error == pytest.approx(
        np.sqrt(found.recall.value * (1 - found.recall.value) / 599), rel=1e-6
    )


def test_one_real_image_repeated_is_precise_and_covers_nothing():
    found = fidelity_and_diversity(REAL, REAL[:1] + 1e-3 * GENERATOR.normal(size=(200, 2)))
    assert found.precision.value == 1
    assert found.coverage.value < 0.05


def test_what_is_refused():
    with pytest.raises(zoo.ZooError, match="too few for k=5"):
        fidelity_and_diversity(REAL, REAL[:5])
    with pytest.raises(zoo.ZooError, match="1 columns, those of real images 2"):
        fidelity_and_diversity(REAL, REAL[:, :1])
