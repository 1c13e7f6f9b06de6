"""Whether draws of a format are spread as those of the model, and of different seeds independent of each other.

All rows of a call are given the same input, so that they are independent draws of one distribution. They are compared
by the mean and a few random projections of each output. Where rows are no such draws, as of a walk through latents or
with one noise for all of them, the model's own draws tell, and a format is held to what the model gives for equal seeds
alone. Needs NumPy alone.
"""

import math
from collections.abc import Iterator

import numpy as np

from export.errors import ExportError
from export.inputs import count_within
from zoo.signature import NamedTensor, Signature

ROWS, PARTS = 512, 8  # all draws, and the seeds that they are shared among, so that few are held at once
_PROJECTIONS = 4
_ROUNDING = 1e-4  # as the difference that signatures allow, of the largest value
_CHANCE = 1e-7  # of an alarm without cause, at each comparison
_FIRST_SEED = 20  # from the least on, beyond those that values are compared for
_PARTED, _LEAST_SCALE = 0.02, 0.02  # share of draws that a rounding may lead elsewhere; of sizes of statistics
_FURTHER = 8  # seeds, of which one is to draw something else

Arrays = dict[str, np.ndarray]


def draws_inputs(signature: Signature, row: Arrays, of_model: bool) -> list[Arrays]:
    """Returns inputs for draws of one distribution, for each of the model's seeds or of those for formats.

    They ask for about `ROWS` rows in all, as far as seeds and the range of "n" allow.

    Args:
        signature: What draws.
        row: Inputs of one row.
        of_model: Whose seeds they are.
    """
    seeds = seeds_of(signature)[0 if of_model else 1]
    inputs, rows = dict(row), count_within(signature.inputs, ROWS // len(seeds))
    for spec in signature.inputs:
        if spec.shape and isinstance(spec.shape[0], str):
            inputs[spec.name] = np.repeat(inputs[spec.name][:1], rows, axis=0)
        if spec.role == "n":
            inputs["n"] = np.array(rows, spec.dtype)
    return [{**inputs, "seed": seed} for seed in seeds[: max(1, ROWS // max(rows, 1))]]


def seeds_of(signature: Signature) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns seeds for the model and as many others for formats, of those that a signature takes.

    They are neighbours, which is where noise of `seed + 1` would be found. Where it takes one alone, it is both.
    """
    spec, low, high = _seed_of(signature)
    count = max(1, min(PARTS, (high - low + 1) // 2))
    start = max(low, min(low + _FIRST_SEED, high + 1 - 2 * count))
    seeds = [np.array(min(seed, high), spec.dtype) for seed in range(start, start + 2 * count)]
    return seeds[::2], seeds[1::2]


def have_seeds(signature: Signature) -> bool:
    """Returns whether a signature takes more than one seed."""
    _, low, high = _seed_of(signature)
    return low < high


def further_seeds(signature: Signature, seed: np.ndarray) -> list[np.ndarray]:
    """Returns other seeds that a signature takes, a few."""
    spec, low, high = _seed_of(signature)
    known = range(low, min(high, low + _FURTHER) + 1)
    return [np.array(other, spec.dtype) for other in known if other != seed][:_FURTHER]


def _seed_of(signature: Signature) -> tuple[NamedTensor, int, int]:
    """Returns the declaration of a seed, and the ends of what it is checked with."""
    (spec,) = (spec for spec in signature.inputs if spec.role == "seed")
    low, high = (int(end) for end in spec.examples or spec.range or (0, _FIRST_SEED + 2 * PARTS))
    return spec, low, high


def statistics_of(outputs: Arrays) -> np.ndarray:
    """Returns what the draws of one seed are compared by, float64 [rows, statistics]."""
    found = []
    for name in sorted(outputs):
        rows = outputs[name].reshape(len(outputs[name]), -1).astype(np.float64)
        directions = np.random.default_rng(rows.shape[1]).normal(size=(rows.shape[1], _PROJECTIONS))
        found += [rows.mean(axis=1, keepdims=True), rows @ directions / math.sqrt(rows.shape[1])]
    return np.concatenate(found, axis=1)


def are_independent(first: np.ndarray, second: np.ndarray) -> bool:
    """Returns whether rows are draws of one distribution, independent of each other, as far as two sets of them tell.

    Args:
        first: `statistics_of` draws, [seeds, rows, statistics].
        second: Those of as many others.
    """
    for ours, theirs in _columns(first, second):
        ranks = np.concatenate(_ranks(ours, theirs))
        for apart in range(1, ranks.shape[1] // 2 + 1):
            first_rows, later_rows = ranks[:, :-apart], ranks[:, apart:]
            if abs(_mean_product(first_rows, later_rows)) > _closest(later_rows.size):
                return False
        if _spread_apart(ours, theirs) > _furthest(ours.size):
            return False
    return True


def check_equal_draws(signature: Signature, of_model: np.ndarray, of_format: np.ndarray, where: str) -> None:
    """Compares draws for equal seeds, row by row, of which a few may have parted by a rounding.

    Args:
        signature: What was run.
        of_model: `statistics_of` draws of the model, [seeds, rows, statistics].
        of_format: Those of a format for the same seeds.
        where: The format's name in messages.

    Raises:
        ExportError: More rows differ than may.
    """
    scale = np.clip(np.abs(of_model).max(axis=(0, 1)), _LEAST_SCALE, 1.0)
    apart = (np.abs(of_format - of_model) > signature.tolerance * (scale + np.abs(of_model))).any(axis=-1)
    if apart.mean() > _PARTED:
        raise ExportError(
            f"signature '{signature.name}' in {where}: {apart.mean():.0%} of {apart.size} draws differ from those of "
            "the model for equal seeds."
        )


def check_draws(signature: Signature, of_model: np.ndarray, of_format: np.ndarray, where: str) -> None:
    """Compares draws by two-sample tests of Kolmogorov and Smirnov, and by correlations of ranks.

    Args:
        signature: What was run.
        of_model: `statistics_of` draws of the model, [seeds, rows, statistics].
        of_format: Those of as many draws of a format, for other seeds.
        where: The format's name in messages.

    Raises:
        ExportError: They are spread otherwise, or depend on each other, beyond chance.
    """
    label = f"signature '{signature.name}' in {where}"
    for ours, theirs in _columns(of_model, of_format):
        count, distance = ours.size, _spread_apart(ours, theirs)
        if distance > _furthest(count):
            raise ExportError(
                f"{label}: draws are spread otherwise than those of the model (distance of distribution functions "
                f"{distance:.2f}, at most {_furthest(count):.2f} by chance, {count} draws)."
            )
        correlation = _mean_product(*_ranks(ours, theirs))
        if abs(correlation) > _closest(count):
            raise ExportError(
                f"{label}: draws for different seeds depend on each other (correlation {correlation:.2f}, at most "
                f"{_closest(count):.2f} by chance, {count} draws)."
            )


def _columns(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Returns each statistic of both, [seeds, rows], over the largest value."""
    for ours, theirs in zip(np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0), strict=True):
        scale = max(np.abs(ours).max(), np.abs(theirs).max(), 1e-30)
        yield ours / scale, theirs / scale


def _furthest(count: int) -> float:
    """Returns how far distribution functions are apart by chance: Massart's bound."""
    return math.sqrt(math.log(2 / _CHANCE) / count)


def _closest(count: int) -> float:
    """Returns what correlations of ranks are by chance, by a bound of the kind of Hoeffding's."""
    return math.sqrt(2 * math.log(2 / _CHANCE) / count)


def _spread_apart(first: np.ndarray, second: np.ndarray) -> float:
    """Returns how far two sets of values, and their distances from the middle of the first, are from alike."""
    first, second, middle = first.ravel(), second.ravel(), np.median(first)
    return max(_distance(first, second), _distance(np.abs(first - middle), np.abs(second - middle)))


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the largest difference of two empirical distribution functions, where values may differ by rounding."""

    def excess(values: np.ndarray, others: np.ndarray) -> float:
        """Returns by how much the share of values up to one of them is above that of the others."""
        own = np.searchsorted(np.sort(values), values, "right") / len(values)
        return float((own - np.searchsorted(np.sort(others), values + 2 * _ROUNDING, "right") / len(others)).max())

    return max(excess(first, second), excess(second, first))


def _ranks(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns ranks of two sets of values [seeds, rows] among all, around 0, with a variance of 1 where none are equal.

    Values that are equal but for rounding have the mean of their ranks. Less what is common to all seeds of a set at a
    place, as a class that is in turn is, where there are enough seeds to tell.
    """
    values = np.concatenate([first, second])
    if np.ptp(values) <= _ROUNDING:
        return np.zeros_like(first), np.zeros_like(second)  # an output that no noise reaches
    _, place, count = np.unique(np.round(values / _ROUNDING), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count + 1) / 2)[place].reshape(values.shape) - (values.size - 1) / 2
    ranks /= math.sqrt((values.size**2 - 1) / 12)
    ours, theirs = ranks[: len(first)], ranks[len(first) :]
    if len(first) < PARTS:
        return ours, theirs
    return ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)


def _mean_product(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the correlation of ranks; equal ones take from it, and add nothing to what chance does."""
    return float((first * second).mean())
