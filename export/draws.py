"""Whether draws of a format are spread as those of the model, and of different seeds independent of each other.

All rows of a call are given the same input, so that they are independent draws of one distribution. They are compared
by the mean and a few random projections of each output. Needs NumPy alone.
"""

import math

import numpy as np

from export.errors import ExportError
from export.inputs import count_within
from zoo.signature import NamedTensor, Signature

ROWS = 512
_PROJECTIONS = 4
_ROUNDING = 1e-4  # as the difference that signatures allow, of the largest value
_CHANCE = 1e-7  # of an alarm without cause, at each comparison
_SEEDS = (20, 21)  # of the model, and of the format, from the least on
_FURTHER = 8  # seeds, of which one is to draw something else

Arrays = dict[str, np.ndarray]


def draws_inputs(signature: Signature, row: Arrays, of_model: bool) -> Arrays:
    """Returns inputs for draws of one distribution, with a seed of the model's or of a format's own.

    `ROWS` of them, or as many as the range of "n" allows.

    Args:
        signature: What draws.
        row: Inputs of one row.
        of_model: Whose seed it is.
    """
    inputs, rows = dict(row), count_within(signature.inputs, ROWS)
    for spec in signature.inputs:
        if spec.shape and isinstance(spec.shape[0], str):
            inputs[spec.name] = np.repeat(inputs[spec.name][:1], rows, axis=0)
        if spec.role == "n":
            inputs["n"] = np.array(rows, spec.dtype)
    inputs["seed"] = seeds_of(signature)[0 if of_model else 1]
    return inputs


def seeds_of(signature: Signature) -> tuple[np.ndarray, np.ndarray]:
    """Returns two seeds of those that a signature takes, which are different where it takes more than one."""
    spec, low, high = _seed_of(signature)
    first, second = (min(low + seed, high) for seed in _SEEDS)
    return np.array(max(low, first - (first == second)), spec.dtype), np.array(second, spec.dtype)


def further_seeds(signature: Signature, seed: np.ndarray) -> list[np.ndarray]:
    """Returns other seeds that a signature takes, a few."""
    spec, low, high = _seed_of(signature)
    known = range(low, min(high, low + _FURTHER) + 1)
    return [np.array(other, spec.dtype) for other in known if other != seed][:_FURTHER]


def _seed_of(signature: Signature) -> tuple[NamedTensor, int, int]:
    """Returns the declaration of a seed, and the ends of what it is checked with."""
    (spec,) = (spec for spec in signature.inputs if spec.role == "seed")
    low, high = (int(end) for end in spec.examples or spec.range or (0, max(_SEEDS)))
    return spec, low, high


def statistics_of(outputs: Arrays) -> np.ndarray:
    """Returns what draws are compared by, float64 [rows, statistics]."""
    found = []
    for name in sorted(outputs):
        rows = outputs[name].reshape(len(outputs[name]), -1).astype(np.float64)
        directions = np.random.default_rng(rows.shape[1]).normal(size=(rows.shape[1], _PROJECTIONS))
        found += [rows.mean(axis=1, keepdims=True), rows @ directions / math.sqrt(rows.shape[1])]
    return np.concatenate(found, axis=1)


def check_draws(signature: Signature, of_model: np.ndarray, of_format: np.ndarray, where: str) -> None:
    """Compares draws by two-sample tests of Kolmogorov and Smirnov, and by correlations of ranks.

    Args:
        signature: What was run.
        of_model: `statistics_of` draws of the model.
        of_format: Those of draws of a format, for another seed.
        where: The format's name in messages.

    Raises:
        ExportError: They are spread otherwise, or depend on each other, beyond chance.
    """
    label = f"signature '{signature.name}' in {where}"
    count = len(of_model)
    # Massart's bound for distances of distribution functions, and one of the kind of Hoeffding's for correlations.
    furthest = math.sqrt(math.log(2 / _CHANCE) / count)
    closest = math.sqrt(2 * math.log(2 / _CHANCE) / count)
    for ours, theirs in zip(of_model.T, of_format.T, strict=True):
        scale = max(np.abs(ours).max(), np.abs(theirs).max(), 1e-30)
        ours, theirs = ours / scale, theirs / scale
        middle = np.median(ours)
        distance = max(_distance(ours, theirs), _distance(np.abs(ours - middle), np.abs(theirs - middle)))
        if distance > furthest:
            raise ExportError(
                f"{label}: draws are spread otherwise than those of the model (distance of distribution functions "
                f"{distance:.2f}, at most {furthest:.2f} by chance, {count} draws)."
            )
        correlation = _correlation(ours, theirs)
        if abs(correlation) > closest:
            raise ExportError(
                f"{label}: draws for different seeds depend on each other (correlation {correlation:.2f}, at most "
                f"{closest:.2f} by chance, {count} draws)."
            )


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the largest difference of two empirical distribution functions, where values may differ by rounding."""
    places = np.concatenate([first, second])

    def share_below(values: np.ndarray, shift: float) -> np.ndarray:
        return np.searchsorted(np.sort(values), places + shift, side="right") / len(values)

    more = share_below(first, -_ROUNDING) - share_below(second, _ROUNDING)
    less = share_below(second, -_ROUNDING) - share_below(first, _ROUNDING)
    return float(max(more.max(), less.max()))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if min(np.ptp(first), np.ptp(second)) <= _ROUNDING:
        return 0.0  # an output that no noise reaches
    ranks = [_ranks(values) for values in (first, second)]
    # Over what ranks without ties have: equal values take from the correlation, and add nothing to what chance does.
    return float(np.dot(*ranks) / (len(first) * (len(first) ** 2 - 1) / 12))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Returns ranks around 0; values that are equal but for rounding have the mean of theirs."""
    _, place, count = np.unique(np.round(values / _ROUNDING), return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[place] - (len(values) - 1) / 2
