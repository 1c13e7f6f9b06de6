"""Draws of a format are those of the model in distribution, and seeds are independent: both tests can fail."""

import numpy as np
import pytest

from export.draws import PARTS, ROWS, are_independent, check_draws, draws_inputs, seeds_of, statistics_of
from export.errors import ExportError
from export.inputs import draw_inputs
from zoo.signature import COUNT, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor

DRAWS = Signature("sample", lambda **_: {}, (SEED, COUNT, TEMPERATURE), (image_tensor("image", (4, 4, 1), "n"),))


def images(seed: int, spread: float = 1.0, shift: float = 0.0) -> dict[str, np.ndarray]:
    return {"image": shift + spread * np.random.default_rng(seed).normal(size=(ROWS, 4, 4, 1)).astype(np.float32)}


def by_seed(draws: dict[str, np.ndarray]) -> np.ndarray:
    statistics = statistics_of(draws)
    return statistics.reshape(PARTS, -1, statistics.shape[-1])


def checked(first: dict, second: dict) -> None:
    check_draws(DRAWS, by_seed(first), by_seed(second), "onnx")


def test_inputs_are_one_row_many_times():
    image, label = image_tensor("image", (4, 4, 1)), NamedTensor("label", ("batch",), "int64", (0, 9))
    signature = Signature("elbo", lambda **_: {}, (image, SEED, label), (NamedTensor("elbo", ("batch",)),))
    row = draw_inputs(signature.inputs, 1, 0)
    ours, theirs = (draws_inputs(signature, row, of_model) for of_model in (True, False))
    assert sum(len(part["image"]) for part in ours) == ROWS
    for part, other in zip(ours, theirs, strict=True):
        assert not np.ptp(part["image"], axis=0).any()
        np.testing.assert_array_equal(part["image"], other["image"])
    assert len({int(part["seed"]) for part in (*ours, *theirs)}) == 2 * PARTS
    assert sum(int(part["n"]) for part in draws_inputs(DRAWS, draw_inputs(DRAWS.inputs, 1, 0), True)) == ROWS


@pytest.mark.parametrize(
    ("ends", "drawn"), [((1, 64), (1, 3, 512)), ((0, 1), (1, 1, 8)), ((700, 900), (700, 700, 700))]
)
def test_as_many_are_drawn_as_the_range_allows(ends, drawn):
    count, label = NamedTensor("n", (), "int64", ends), NamedTensor("label", ("n",), "int64", (0, 9))
    signature = Signature("sample", lambda **_: {}, (SEED, count, label), (NamedTensor("y", ("n",)),))
    few = [draw_inputs(signature.inputs, batch, 0) for batch in (1, 3)]
    given = [[few[0]], [few[1]], draws_inputs(signature, few[0], True)]
    assert tuple(sum(int(inputs["n"]) for inputs in parts) for parts in given) == drawn
    assert all(len(inputs["label"]) == inputs["n"] for parts in given for inputs in parts)


@pytest.mark.parametrize(
    ("ends", "count"), [(None, PARTS), ((0, 2**63 - 1), PARTS), ((3, 7), 2), ((6, 7), 1), ((100, 999), PARTS)]
)
def test_seeds_are_different_ones_of_those_that_are_declared(ends, count):
    seed = NamedTensor("seed", (), "int64", ends)
    first, second = seeds_of(Signature("draw", lambda **_: {}, (seed,), (NamedTensor("y", ()),)))
    low, high = ends or (0, 2**63 - 1)
    assert len(first) == len(second) == count
    assert len({int(each) for each in (*first, *second)}) == 2 * count
    assert low <= min(first + second) <= max(first + second) <= high


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


ROWS_OF_PART = ROWS // PARTS
INDEPENDENT = {
    "normal": lambda g: g.normal(size=(ROWS_OF_PART, 5)),
    "heavy": lambda g: g.standard_cauchy(ROWS_OF_PART),
    "rare": lambda g: 1.0 * (g.random(ROWS_OF_PART) < 0.02),
    "bits": lambda g: 1.0 * (g.random(ROWS_OF_PART) < 0.85),
    "classes": lambda g: 1.0 * g.choice(5, p=[0.9, 0.05, 0.03, 0.01, 0.01], size=ROWS_OF_PART),
    "often nothing": lambda g: np.where(g.random(ROWS_OF_PART) < 0.16, np.exp(g.normal(size=ROWS_OF_PART)), 0),
    "classes in turn": lambda g: np.arange(ROWS_OF_PART) % 10 + g.normal(size=ROWS_OF_PART),
}
DEPENDENT = {
    "one noise": lambda g: g.normal() + np.zeros(ROWS_OF_PART),
    "a walk": lambda g: np.cumsum(g.normal(size=ROWS_OF_PART)),
    "noise that repeats": lambda g: np.tile(g.normal(size=ROWS_OF_PART // 4), 4),
    "from one to another": lambda g: np.linspace(0, 1, ROWS_OF_PART)[:, None] * g.normal(size=5),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_independent_rows_pass(name):
    generator = np.random.default_rng(0)
    for _ in range(20):
        ours, again, theirs = (
            np.stack([statistics_of({"y": INDEPENDENT[name](generator)}) for _ in range(PARTS)]) for _ in range(3)
        )
        assert are_independent(ours, again)
        check_draws(DRAWS, ours, theirs, "onnx")


@pytest.mark.parametrize("name", DEPENDENT)
def test_rows_that_depend_on_each_other_are_told(name):
    generator = np.random.default_rng(0)
    for _ in range(20):
        ours, again = (
            np.stack([statistics_of({"y": DEPENDENT[name](generator)}) for _ in range(PARTS)]) for _ in range(2)
        )
        assert not are_independent(ours, again)


@pytest.mark.parametrize(("first", "second"), [(0.1, 0.9), (0.5, 0.85), (0.0, 1.0)])
def test_another_chance_is_found(first, second):
    generator = np.random.default_rng(0)
    ours, theirs = ({"image": 1.0 * (generator.random((ROWS, 1, 1, 1)) < chance)} for chance in (first, second))
    for pair in ((ours, theirs), (theirs, ours)):
        with pytest.raises(ExportError, match="spread otherwise"):
            checked(*pair)


def test_draws_of_few_values_that_follow_each_other_are_found():
    bits = {"image": (images(0)["image"][:, :1, :1] > 0).astype(np.float32)}
    with pytest.raises(ExportError, match="depend on each other"):
        checked(bits, bits)
