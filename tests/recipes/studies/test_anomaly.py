"""Standard errors of areas, and the table."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recipes.studies.anomaly import area_error, page_of


def test_the_error_is_that_of_draws_made_anew():
    """For exponential scores, which the formula is exact for."""
    generator = np.random.default_rng(0)
    labels, areas = np.repeat([1, 0], [30, 70]), []
    for _ in range(2000):
        scores = generator.exponential(np.where(labels == 1, 3.0, 1.0))
        areas.append(roc_auc_score(labels, scores))
    assert area_error(float(np.mean(areas)), 30, 70) == pytest.approx(np.std(areas), rel=0.07)


def test_the_table_ends_with_means():
    results = {"0": {"EBM": [0.9, 0.01], "VAE": [0.5, 0.02]}, "1": {"EBM": [0.7, 0.01], "VAE": [0.6, 0.02]}}
    lines = page_of(results, Path("docs/anomaly.md")).splitlines()
    assert lines[-3] == "| 0 | 0.900 +- 0.010 | 0.500 +- 0.020 |"
    assert lines[-1] == "| mean | **0.800** | **0.550** |"
