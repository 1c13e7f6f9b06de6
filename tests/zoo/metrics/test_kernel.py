"""The kernel distance against its definition, and its error."""

import numpy as np
import pytest

import zoo
from zoo.metrics.kernel import KernelDiscrepancy, kernel_distance, squared_discrepancy

GENERATOR = np.random.default_rng(0)


def test_it_is_the_mean_over_all_pairs():
    first, second = GENERATOR.normal(size=(5, 3)), GENERATOR.normal(size=(7, 3))

    def mean(one, other, same):
        values = [(x @ y / 3 + 1) ** 3 for i, x in enumerate(one) for j, y in enumerate(other) if not (same and i == j)]
        return np.mean(values)

    expected = mean(first, first, True) + mean(second, second, True) - 2 * mean(first, second, False)
    assert squared_discrepancy(first, second) == pytest.approx(expected)


def test_it_is_unbiased_at_any_number_of_images():
    """Two samples of one distribution are at 0 on average, small blocks or large."""
    features = GENERATOR.normal(size=(40_000, 4))
    for block in (20, 200):
        found = kernel_distance(features[:20_000], features[20_000:], block)
        assert abs(found.value) < 4 * found.standard_error
    apart = kernel_distance(features[:20_000], features[20_000:] + 0.5, 200)
    assert apart.value > 10 * apart.standard_error


def test_the_error_is_the_spread_over_repeated_draws():
    found = []
    for _ in range(100):
        real, generated = GENERATOR.normal(size=(1000, 3)), GENERATOR.normal(size=(1000, 3)) + 0.2
        found.append(kernel_distance(real, generated, 50))
    spread = np.std([estimate.value for estimate in found], ddof=1)
    assert np.mean([estimate.standard_error for estimate in found]) == pytest.approx(spread, rel=0.3)


def test_rows_sorted_by_class_are_at_the_distance_of_shuffled_ones():
    """The same mixture twice, one of them in order: blocks in order would be blocks of other classes."""
    classes = np.arange(2000) % 10
    real, generated = (GENERATOR.normal(size=(2000, 3)) + 3.0 * classes[:, None] for _ in range(2))
    in_order = kernel_distance(real, generated[np.argsort(classes)], 200)
    assert abs(in_order.value) < 4 * in_order.standard_error


def test_what_is_refused():
    features = np.zeros((100, 3))
    with pytest.raises(zoo.ZooError, match="fewer than two blocks of 1000"):
        kernel_distance(features, features)
    with pytest.raises(zoo.ZooError, match="2 columns, those of real images 3"):
        kernel_distance(features, features[:, :2], 10)


def test_batches_are_blocks():
    real, generated = GENERATOR.normal(size=(60, 3)), GENERATOR.normal(size=(60, 3))
    found = KernelDiscrepancy()
    with pytest.raises(zoo.ZooError, match="0 blocks are too few"):
        found.estimate()
    values = []
    for start in (0, 20, 40):
        rows = slice(start, start + 20)
        found.update(real[rows], generated[rows])
        values.append(squared_discrepancy(real[rows], generated[rows]))
    assert found.estimate().value == pytest.approx(np.mean(values))
    with pytest.raises(zoo.ZooError, match="expected as many columns, and at least two rows"):
        found.update(real[:1], generated[:1])
