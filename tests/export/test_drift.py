"""Measures of drift, each on values whose drift is known, and the verdict on them."""

import math

import numpy as np
import pytest

from export.budgets import BUDGETS
from export.drift import Figure, coarse_pixels, frechet_increase, measured
from zoo.signature import NamedTensor, Signature, image_tensor


def drift(output: NamedTensor, before: np.ndarray, after: np.ndarray, name: str = "call") -> dict[str, Figure]:
    signature = Signature(name, lambda: {}, (), (output,))
    key = output.name
    return {each.measure: each for each in measured(signature, {key: before}, {key: after}, BUDGETS["int8"].get)}


def test_pixels():
    before = np.zeros((4, 2, 2, 1), np.float32)
    after = before.copy()
    after[2, 1, 0, 0] = 0.5
    found = drift(image_tensor("image", (2, 2, 1)), before, after)
    assert found["pixel_difference"].value == 0.5
    assert found["mean_pixel_difference"].value == 0.5 / 16


def test_nats_are_compared_by_their_mean():
    before, after = np.array([-90.0, -80.0, -85.0]), np.array([-91.0, -79.0, -88.0])
    figure = drift(NamedTensor("elbo", ("batch",)), before, after, "elbo")["nats"]
    assert (figure.value, figure.before, figure.after) == (1.0, -85.0, -86.0)
    assert math.isclose(figure.standard_error or 0, 2 / math.sqrt(3))


def test_one_number_a_row_is_compared_by_its_rank():
    values, spec = np.arange(10.0), NamedTensor("energy", ("batch",))
    assert drift(spec, values, np.exp(values), "energy")["rank_correlation"].value == pytest.approx(1)
    swapped = values[[1, 0, *range(2, 10)]]
    assert drift(spec, values, swapped, "energy")["rank_correlation"].value == pytest.approx(1 - 6 * 2 / (10 * 99))
    assert drift(spec, values, np.zeros(10), "energy")["rank_correlation"].value == 0


def test_one_number_a_row_may_be_a_column():
    column, spec = np.arange(10.0)[:, None], NamedTensor("value", ("batch", 1))
    assert drift(spec, column, np.exp(column), "energy")["rank_correlation"].value == pytest.approx(1)
    assert drift(spec, column, column + 0.5, "elbo")["nats"].value == pytest.approx(0.5)


def test_one_number_a_row_that_is_no_order_is_compared_by_its_size():
    values, spec = np.arange(10.0), (NamedTensor("price", ("batch",)),)
    signature = Signature("predict", lambda **_: {}, (), spec)
    (figure,) = measured(signature, {"price": values}, {"price": values + 5}, lambda _: 0.1)
    assert figure.measure == "relative_error" and not figure.within


def test_a_class_is_the_largest_of_several_numbers():
    for name, shape in (("score", (10,)), ("score", (10, 1))):
        signature = Signature("classify", lambda **_: {}, (), (NamedTensor(name, ("batch", *shape[1:])),))
        values = np.linspace(-1, 1, 10).reshape(shape)
        (figure,) = measured(signature, {name: values}, {name: -values}, lambda _: 0.1)
        assert figure.measure == "relative_error" and figure.value == pytest.approx(2)


@pytest.mark.parametrize(("shape", "share"), [((9, 4), 0.1), ((10, 5), 0.25), ((0, 4), 1.0)])
def test_other_sizes_are_a_drift(shape, share):
    spec = NamedTensor("kept", ("rows", "columns"))
    assert drift(spec, np.zeros((10, 4)), np.zeros(shape))["changed_share"].value == pytest.approx(share)


def test_of_nothing_nothing_drifts():
    signature = Signature("detect", lambda **_: {}, (), (NamedTensor("box", ("kept", 4)),))
    assert measured(signature, {"box": np.zeros((0, 4))}, {"box": np.zeros((0, 4))}, lambda _: 0.1) == []


def test_whole_numbers_and_all_else():
    codes = np.arange(8).reshape(2, 4)
    assert (
        drift(NamedTensor("code", ("batch", 4), "int64"), codes, codes + (codes == 3))["changed_share"].value == 1 / 8
    )
    values = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert drift(NamedTensor("loc", ("batch", 2)), values, values + 0.1)["relative_error"].value == pytest.approx(0.1)
    chances = np.array([[0.6, 0.4], [0.1, 0.9]])
    changed = drift(NamedTensor("probability", ("batch", 2)), chances, chances[:, ::-1] * [1, 0], "classify")
    assert changed["changed_share"].value == 0.5


def test_verdicts():
    assert Figure("nats", "elbo", 0.1, 0.1).within
    assert not Figure("nats", "elbo", 0.11, 0.1, standard_error=1.0).within
    assert Figure("rank_correlation", "energy", 0.999, 0.99).within
    assert not Figure("rank_correlation", "energy", 0.98, 0.99).within
    assert Figure("frechet_increase", "image", 0.09, 0.05, standard_error=0.02).within
    assert not Figure("frechet_increase", "image", 0.1, 0.05, standard_error=0.02).within
    assert not Figure("pixel_difference", "image", math.nan, 0.1).within


def test_distances_grow_where_samples_leave_the_data():
    generator = np.random.default_rng(0)
    real, before = generator.random((2, 200, 4, 4, 1))
    figure = frechet_increase(real, before, np.clip(before + 0.3, 0, 1), coarse_pixels, 0.05)
    assert figure.value > 1 and not figure.within
    assert figure.after == pytest.approx((figure.before or 0) * (1 + figure.value))
    assert frechet_increase(real, before, before, coarse_pixels, 0.05).value == 0


def test_coarse_pixels_are_means_of_blocks():
    images = np.random.default_rng(0).random((3, 28, 16, 2))
    found = coarse_pixels(images)
    assert found.shape == (3, 8 * 8 * 2)
    np.testing.assert_allclose(found[:, 0], images[:, :4, :2, 0].mean((1, 2)))
    assert coarse_pixels(images[:, :5, :4]).shape == (3, 5 * 4 * 2)


def test_what_columns_differ_by_is_no_signal():
    """A head of several outputs in units of their own, which are lost in all rows."""
    before = np.random.default_rng(0).normal([1000.0, 0.0], size=(200, 2))
    after = np.broadcast_to(before.mean(axis=0), before.shape)
    found = drift(NamedTensor("output", ("batch", 2)), before, after)
    assert found["relative_error"].value == pytest.approx(1)
    alike = np.full((5, 2), 3.0)
    found = drift(NamedTensor("output", ("batch", 2)), alike, alike * 1.01)
    assert found["relative_error"].value == pytest.approx(0.01)
