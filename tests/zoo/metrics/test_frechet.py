"""Moments in batches, and the Frechet distance against closed forms."""

import numpy as np
import pytest
import scipy.linalg

import zoo
from zoo.errors import ZooError
from zoo.metrics.frechet import frechet_distance, frechet_increase
from zoo.metrics.moments import Moments, parts_of

GENERATOR = np.random.default_rng(0)
FEATURES = GENERATOR.normal(size=(500, 6)) @ GENERATOR.normal(size=(6, 6)) + 100.0


def test_moments_do_not_depend_on_the_batches():
    whole = Moments().update(FEATURES)
    parts = Moments()
    for start, end in ((0, 1), (1, 4), (4, 257), (257, 500)):
        parts.update(FEATURES[start:end].astype(np.float64))
    assert parts.count == 500
    for one, other in zip(whole.mean_and_covariance(), parts.mean_and_covariance(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    np.testing.assert_allclose(whole.mean_and_covariance()[0], FEATURES.mean(axis=0))
    np.testing.assert_allclose(whole.mean_and_covariance()[1], np.cov(FEATURES.T), rtol=1e-9)
    left = FEATURES[parts_of(0, 500) != 3]
    np.testing.assert_allclose(whole.mean_and_covariance(3)[1], np.cov(left.T), rtol=1e-9)


def test_a_shift_costs_its_square_and_a_scale_its_part_of_the_variance():
    shift = np.arange(6.0)
    assert frechet_distance(FEATURES, FEATURES + shift).value == pytest.approx(55, rel=1e-6)
    centred = FEATURES - FEATURES.mean(axis=0)
    expected = 0.25 * np.trace(np.cov(centred.T))
    assert frechet_distance(centred, 1.5 * centred).value == pytest.approx(expected, rel=1e-6)
    assert abs(frechet_distance(FEATURES, FEATURES).value) < 1e-6


def test_it_is_the_formula_with_the_root_of_a_matrix():
    other = GENERATOR.normal(size=(400, 6)) @ GENERATOR.normal(size=(6, 6)) + 101.0
    one, two = np.cov(FEATURES.T), np.cov(other.T)
    root = scipy.linalg.sqrtm(one @ two).real
    apart = FEATURES.mean(axis=0) - other.mean(axis=0)
    expected = apart @ apart + np.trace(one + two - 2 * root)
    assert frechet_distance(FEATURES, other).value == pytest.approx(expected, rel=1e-8)
    batches = Moments()
    for start in range(0, 400, 7):
        batches.update(other[start : start + 7])
    assert frechet_distance(Moments().update(FEATURES), batches).value == pytest.approx(expected, rel=1e-8)


def test_features_of_lower_rank_than_their_size():
    """More dimensions than images, as with few samples in the features of a large network."""
    few = GENERATOR.normal(size=(30, 64))
    assert abs(frechet_distance(few, few).value) < 1e-5
    assert frechet_distance(few, few + 1.0).value == pytest.approx(64, rel=1e-6)


def test_the_error_is_the_spread_over_repeated_draws():
    real = GENERATOR.normal(size=(4000, 4))
    found = [frechet_distance(real, GENERATOR.normal(size=(1000, 4)) * 1.2 + 0.3) for _ in range(150)]
    spread = np.std([estimate.value for estimate in found], ddof=1)
    assert np.sqrt(np.mean([estimate.standard_error**2 for estimate in found])) == pytest.approx(spread, rel=0.25)


def test_the_error_does_not_depend_on_the_order_of_classes():
    """Rows of ten classes, far apart, in turn as conditional models are asked for them, or by lot."""
    classes = np.arange(2000) % 10
    rows = GENERATOR.normal(size=(2000, 4)) + 5.0 * GENERATOR.normal(size=(10, 4))[classes]
    real = rows + 0.1 * GENERATOR.normal(size=rows.shape)
    in_turn = frechet_distance(real, rows).standard_error
    orders = [frechet_distance(real, rows[GENERATOR.permutation(2000)]).standard_error for _ in range(20)]
    assert in_turn < 3 * np.median(orders)


def test_parts_are_as_large_and_do_not_depend_on_where_rows_are_cut():
    whole = parts_of(0, 100)
    np.testing.assert_array_equal(np.bincount(whole), [10] * 10)
    np.testing.assert_array_equal(np.concatenate([parts_of(0, 13), parts_of(13, 1), parts_of(14, 86)]), whole)
    assert not np.array_equal(whole[:10], whole[10:20])


def test_what_is_refused():
    for real, generated, message in (
        (FEATURES, FEATURES[:19], "19 rows are too few"),
        (FEATURES, FEATURES[:, :5], "features have 5 columns, those of real images 6"),
        (FEATURES, np.full((20, 6), np.nan), "NaN"),
        (FEATURES, FEATURES[0], "expected .n, d."),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            frechet_distance(real, generated)
    with pytest.raises(zoo.ZooError, match="5 columns, but those before had 6"):
        Moments().update(FEATURES).update(FEATURES[:, :5])


def test_real_moments_need_one_part_and_generated_ones_two():
    one = Moments(parts=1).update(FEATURES[:100]).update(FEATURES[100:])
    found = frechet_distance(one, FEATURES + 0.1)
    np.testing.assert_allclose(found.value, frechet_distance(FEATURES, FEATURES + 0.1).value)
    with pytest.raises(zoo.ZooError, match="at least two parts"):
        frechet_distance(FEATURES, one)


def test_the_increase_of_pairs_is_the_difference_and_surer_than_it():
    generator = np.random.default_rng(0)
    real, before = generator.normal(size=(2, 500, 4))
    after = before + 0.05 * generator.normal(size=before.shape) + 0.1
    increase = frechet_increase(real, before, after)
    first, second = frechet_distance(real, before), frechet_distance(real, after)
    assert increase.value == pytest.approx(second.value - first.value)
    assert 0 < increase.standard_error < second.standard_error
    with pytest.raises(ZooError, match="500 and 400 rows are compared"):
        frechet_increase(real, before, after[:400])
