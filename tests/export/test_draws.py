"""Draws of a format are those of the model in distribution, and seeds are independent: both tests can fail."""

import numpy as np
import pytest

from export.draws import ROWS, check_draws, draws_inputs, seeds_of, statistics_of
from export.errors import ExportError
from export.inputs import draw_inputs
from zoo.signature import COUNT, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor

DRAWS = Signature("sample", lambda **_: {}, (SEED, COUNT, TEMPERATURE), (image_tensor("image", (4, 4, 1), "n"),))


def images(seed: int, spread: float = 1.0, shift: float = 0.0) -> dict[str, np.ndarray]:
    return {"image": shift + spread * np.random.default_rng(seed).normal(size=(ROWS, 4, 4, 1)).astype(np.float32)}


def checked(first: dict, second: dict) -> None:
    check_draws(DRAWS, statistics_of(first), statistics_of(second), "onnx")


def test_inputs_are_one_row_many_times():
    image, label = image_tensor("image", (4, 4, 1)), NamedTensor("label", ("batch",), "int64", (0, 9))
    signature = Signature("elbo", lambda **_: {}, (image, SEED, label), (NamedTensor("elbo", ("batch",)),))
    row = draw_inputs(signature.inputs, 1, 0)
    ours, theirs = (draws_inputs(signature, row, of_model) for of_model in (True, False))
    assert ours["image"].shape == (ROWS, 4, 4, 1)
    assert not np.ptp(ours["image"], axis=0).any()
    np.testing.assert_array_equal(ours["image"], theirs["image"])
    assert ours["seed"] != theirs["seed"]
    assert int(draws_inputs(DRAWS, draw_inputs(DRAWS.inputs, 1, 0), True)["n"]) == ROWS


@pytest.mark.parametrize(("ends", "drawn"), [((1, 64), (1, 3, 64)), ((0, 1), (1, 1, 1)), ((700, 900), (700, 700, 700))])
def test_as_many_are_drawn_as_the_range_allows(ends, drawn):
    count, label = NamedTensor("n", (), "int64", ends), NamedTensor("label", ("n",), "int64", (0, 9))
    signature = Signature("sample", lambda **_: {}, (SEED, count, label), (NamedTensor("y", ("n",)),))
    given = [draw_inputs(signature.inputs, batch, 0) for batch in (1, 3)]
    given.append(draws_inputs(signature, given[0], True))
    assert tuple(int(inputs["n"]) for inputs in given) == tuple(len(inputs["label"]) for inputs in given) == drawn


@pytest.mark.parametrize("ends", [None, (0, 2**63 - 1), (3, 7), (6, 7), (100, 999)])
def test_seeds_are_two_of_those_that_are_declared(ends):
    seed = NamedTensor("seed", (), "int64", ends)
    first, second = seeds_of(Signature("draw", lambda **_: {}, (seed,), (NamedTensor("y", ()),)))
    low, high = ends or (0, 2**63 - 1)
    assert first != second
    assert low <= min(first, second) <= max(first, second) <= high


def test_draws_of_one_distribution_pass_for_any_seeds():
    for seed in range(50):
        checked(images(2 * seed), images(2 * seed + 1))


def test_what_no_noise_reaches_passes():
    fixed = {"image": np.full((ROWS, 4, 4, 1), 0.3, np.float32)}
    checked(fixed, {"image": fixed["image"] + np.float32(3e-8)})


@pytest.mark.parametrize("other", [{"spread": 2.0}, {"shift": 1.0}, {"spread": 0.0}])
def test_another_spread_is_found(other):
    with pytest.raises(ExportError, match="spread otherwise than those of the model"):
        checked(images(0), images(1, **other))


@pytest.mark.parametrize("share", [0.7, -1.0])
def test_draws_that_follow_each_other_are_found(share):
    first, second = images(0)["image"], images(1)["image"]
    mixed = share * first + np.sqrt(1 - share**2) * second
    with pytest.raises(ExportError, match="depend on each other"):
        checked({"image": first}, {"image": mixed})


@pytest.mark.parametrize("chance", [0.02, 0.5, 0.85, 0.95])
def test_draws_of_few_values_pass(chance):
    """Equal values have equal ranks, wherever they are: neither do they follow each other, nor those of other seeds."""
    first, second = ({"image": (images(seed)["image"] > chance).astype(np.float32)} for seed in (0, 1))
    for left in ({"image": first["image"][:, :1, :1]}, first):
        checked(left, {"image": second["image"][:, : left["image"].shape[1], : left["image"].shape[2]]})


def test_draws_of_few_values_that_follow_each_other_are_found():
    bits = {"image": (images(0)["image"][:, :1, :1] > 0).astype(np.float32)}
    with pytest.raises(ExportError, match="depend on each other"):
        checked(bits, bits)
