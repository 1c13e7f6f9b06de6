"""Whether two formats of a signature do the same, checked in order: names, dtypes, axes, values, seeds, draws.

This module needs NumPy alone; a format is a function from named arrays to named arrays.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from export.batches import axis_sizes, in_parts, row_axis
from export.draws import (
    are_independent,
    check_draws,
    check_equal_draws,
    draws_inputs,
    further_seeds,
    have_seeds,
    statistics_of,
)
from export.errors import OTHER_DTYPE, ExportError
from export.inputs import Way, draw_inputs, ways_to_draw, with_large_numbers
from zoo.signature import NOISE_ROWS, NamedTensor, Signature

Arrays = dict[str, np.ndarray]
Runner = Callable[..., Mapping[str, Any]]
Pair = tuple[Arrays, Mapping[str, Any]]  # inputs and outputs

BATCHES = (1, 3)
_LEAST_SCALE = 0.02  # of outputs, in which differences count
# Rows, and how many at a time, to find out whether they are independent; the last part is smaller.
_SPLIT = 11, NOISE_ROWS


@dataclasses.dataclass(frozen=True)
class Reference:
    """What a model itself gives, to compare formats with.

    Attributes:
        cases: Inputs and outputs, at two batch sizes.
        draws: Statistics of draws for the seeds of formats, of signatures that draw rows; see `export.draws`.
        others: Those for the model's own seeds, where rows are independent draws.
    """

    cases: list[tuple[Arrays, Arrays]]
    draws: np.ndarray | None = None
    others: np.ndarray | None = None


def reference(signature: Signature, run: Runner, draw: Runner) -> Reference:
    """Returns what the model itself gives, to compare with.

    Args:
        signature: What was declared.
        run: The model. It raises ExportError where it does not take inputs.
        draw: The same, as it is quickest for many rows.

    Raises:
        ExportError: The model takes inputs of no sizes, or does not keep to what its signature declares.
    """
    where = "the model"
    cases = _checked(signature, accepted(signature, run, list(enumerate(BATCHES)), where), where)
    if not (signature.stochastic and _drawn_in_rows(signature)):
        return Reference(cases)
    row, many = cases[0][0], draws_inputs(signature, cases[0][0], False)[0]
    try:
        draw(**many)
    except ExportError:
        return Reference(cases)  # so many rows it does not take, as of a sequence that has a longest
    others, draws = (_draws(signature, draw, row, own, where) for own in (True, False))
    return Reference(cases, draws, others if have_seeds(signature) and are_independent(others, draws) else None)


def reference_again(signature: Signature, expected: Reference, run: Runner, where: str) -> Reference:
    """Returns what a format, as `where` calls it, gives for the inputs of a reference.

    Raises:
        ExportError: The format does not keep to what the signature declares.
    """
    cases = _checked(signature, ((inputs, run(**inputs)) for inputs, _ in expected.cases), where)
    draws, others = (
        None if known is None else _draws(signature, run, cases[0][0], own, where)
        for known, own in ((expected.draws, False), (expected.others, True))
    )
    return Reference(cases, draws, others)


def accepted(signature: Signature, run: Runner, draws: Sequence[tuple[int, int]], where: str) -> list[Pair]:
    """Returns random inputs, and what comes of them, of the first sizes of free axes and integers that it takes.

    Args:
        signature: What was declared.
        run: Raises ExportError where it does not take inputs.
        draws: A seed and a number of rows for each.
        where: What runs, for messages.

    Raises:
        ExportError: It takes none, or does not give what is declared for any.
    """

    def pairs(way: Way) -> list[Pair]:
        given = [draw_inputs(signature.inputs, batch, seed, way) for seed, batch in draws]
        found = [(inputs, run(**inputs)) for inputs in given]
        for inputs, outputs in found:
            check_outputs(signature, {name: np.asarray(value) for name, value in outputs.items()}, inputs, where)
        return found

    *others, last = ways_to_draw(signature.inputs)
    for way in others:
        with contextlib.suppress(ExportError):
            return pairs(way)
    return pairs(last)


def _checked(signature: Signature, pairs: Iterable[Pair], where: str) -> list[tuple[Arrays, Arrays]]:
    cases = []
    for inputs, given in pairs:
        outputs = {name: np.asarray(value) for name, value in given.items()}
        check_outputs(signature, outputs, inputs, where)
        cases.append((inputs, outputs))
    return cases


def has_independent_rows(signature: Signature, run: Runner, where: str) -> bool:
    """Returns whether many rows of a signature may be worked out a part at a time, as `export.batches` does.

    They may where that gives what all of them give at once, within the tolerance of the signature.

    Raises:
        ExportError: What it gives is not as declared.
    """
    if row_axis(signature) is None:
        return False

    def checked(inputs: Arrays) -> Arrays:
        outputs = {name: np.asarray(value) for name, value in run(**inputs).items()}
        check_outputs(signature, outputs, inputs, where)
        return outputs

    def is_joined(inputs: Arrays, whole: Mapping[str, np.ndarray]) -> bool:
        joined = in_parts(signature, inputs, checked, _SPLIT[1])
        return all(
            differences(joined[name], value).max(initial=0) <= _allowed(signature, value, False)
            for name, value in whole.items()
        )

    ((inputs, whole),) = accepted(signature, lambda **inputs: checked(inputs), [(len(BATCHES), _SPLIT[0])], where)
    if max(map(len, whole.values())) <= _SPLIT[1]:
        return False  # too few to take them apart, as declared
    if not is_joined(inputs, whole):
        return False
    # What rows have in common may show where numbers are large: a norm that has a bound, a test of the largest.
    large = with_large_numbers(signature.inputs, inputs)
    try:
        return large is None or is_joined(large, checked(large))
    except ExportError:  # so large ones it does not take
        return True


def _drawn_in_rows(signature: Signature) -> list[str]:
    """Returns the outputs with a row for each one that is asked for, and not as many as draws or values decide."""
    leading = {spec.shape[0] for spec in signature.inputs if spec.shape} | ({"n"} if signature.counts_rows else set())
    return [
        spec.name
        for spec in signature.outputs
        if spec.shape and isinstance(spec.shape[0], str) and spec.shape[0] in leading
    ]


def _draws(signature: Signature, run: Runner, row: Arrays, of_model: bool, where: str) -> np.ndarray:
    def statistics(inputs: Arrays) -> np.ndarray:
        outputs = {name: np.asarray(value) for name, value in run(**inputs).items()}
        check_outputs(signature, outputs, inputs, where)
        return statistics_of({name: outputs[name] for name in _drawn_in_rows(signature)})

    return np.stack([statistics(inputs) for inputs in draws_inputs(signature, row, of_model)])


def check_outputs(
    signature: Signature, outputs: Mapping[str, np.ndarray], inputs: Mapping[str, np.ndarray], where: str
) -> None:
    """Checks names, dtypes, axes, finite values and ranges.

    Raises:
        ExportError: One is not as declared.
    """
    label = f"signature '{signature.name}' in {where}"
    declared = [spec.name for spec in signature.outputs]
    if sorted(outputs) != sorted(declared):
        raise ExportError(f"{label}: outputs are {sorted(outputs)}, declared are {sorted(declared)}.")
    sizes = axis_sizes(signature, inputs)
    for spec in signature.outputs:
        _check_output(spec, outputs[spec.name], sizes, label)


def _check_output(spec: NamedTensor, value: np.ndarray, sizes: dict[str, int], label: str) -> None:
    if value.dtype != np.dtype(spec.dtype):
        raise ExportError(
            f"{label}: output '{spec.name}' has dtype {value.dtype}, declared is {spec.dtype}. {OTHER_DTYPE}"
        )
    fits = value.ndim == len(spec.shape) and all(
        sizes.get(size, given) == given if isinstance(size, str) else size == given
        for size, given in zip(spec.shape, value.shape, strict=True)
    )
    if not fits:
        raise ExportError(
            f"{label}: output '{spec.name}' has shape {value.shape}, declared is {spec.shape} with axes {sizes}. Where "
            "a free axis is not that of an input, give the model a method signatures() in which it has another name."
        )
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ExportError(
            f"{label}: output '{spec.name}' is not finite, for inputs as they are declared. Where it may be that, as "
            "the logarithm of a probability may, export a bounded function of it, or declare narrower ranges of inputs."
        )
    if spec.range is not None and value.size and not (spec.range[0] <= value.min() and value.max() <= spec.range[1]):
        found = f"{value.min():.6g} to {value.max():.6g}"
        raise ExportError(f"{label}: output '{spec.name}' ranges from {found}, declared is {spec.range}.")


def compare(signature: Signature, expected: Reference, run: Runner, where: str, rounded: bool = False) -> float:
    """Checks a format against reference values: floats within the tolerance of the signature, all else for equality.

    Args:
        signature: What was declared.
        expected: What `reference` returned.
        run: The format.
        where: The format's name in messages.
        rounded: Whether integers may differ within the tolerance too, as codes do that a file in reduced precision
            gives on another processor.

    Returns:
        The largest of `differences` found.

    Raises:
        ExportError: Something differs; the message names the output and its worst element.
    """
    worst = 0.0
    for inputs, outputs in expected.cases:
        got = {name: np.asarray(value) for name, value in run(**inputs).items()}
        check_outputs(signature, got, inputs, where)
        for name, value in outputs.items():
            worst = max(worst, _checked_difference(signature, name, got[name], value, where, rounded))
    if signature.stochastic:
        _check_seeds(signature, expected, run, where)
    if expected.draws is not None:
        draws = _draws(signature, run, expected.cases[0][0], False, where)
        if not rounded:  # else codes and chains part where another processor rounds
            check_equal_draws(signature, expected.draws, draws, where)
        if expected.others is not None:
            check_draws(signature, expected.others, draws, where)
    return worst


def _checked_difference(
    signature: Signature, name: str, got: np.ndarray, expected: np.ndarray, where: str, rounded: bool
) -> float:
    check_equal_shapes(signature, name, got, expected, where)
    if not expected.size:
        return 0.0
    difference, allowed = differences(got, expected), _allowed(signature, expected, rounded)
    place = np.unravel_index(difference.argmax(), difference.shape)
    if not difference[place] <= allowed:
        raise ExportError(
            f"signature '{signature.name}' in {where}: output '{name}' differs from the model by "
            f"{difference[place]:.3g} (allowed {allowed:.3g}) at {[int(i) for i in place]}: "
            f"{_shown(got[place])} instead of {_shown(expected[place])}."
        )
    return float(difference[place])


def check_equal_shapes(signature: Signature, name: str, got: np.ndarray, expected: np.ndarray, where: str) -> None:
    """Checks that an output has as many rows as that of the model, where values decide how many there are.

    Raises:
        ExportError: It has not.
    """
    if got.shape != expected.shape:
        raise ExportError(
            f"signature '{signature.name}' in {where}: output '{name}' has shape {list(got.shape)}, and that of the "
            f"model {list(expected.shape)}, for equal inputs."
        )


def largest_difference(signature: Signature, given: Reference, expected: Reference, where: str) -> float:
    """Returns the largest of the `differences` of values that were given for the same inputs.

    Raises:
        ExportError: Shapes differ.
    """
    found = 0.0
    for (_, outputs), (_, values) in zip(given.cases, expected.cases, strict=True):
        for name, value in values.items():
            check_equal_shapes(signature, name, outputs[name], value, where)
            found = max(found, float(differences(outputs[name], value).max(initial=0.0)))
    return found


def _allowed(signature: Signature, expected: np.ndarray, rounded: bool) -> float:
    return signature.tolerance if rounded or expected.dtype.kind == "f" else 0.0


def differences(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Returns |a - b| / (s + |b|) of each number, above 0 wherever they differ.

    s is the largest |b|, but 1 at most, or no difference would count where numbers are small, as probabilities of many
    classes are; and 0.02 at least, or rounding would, in what is left of larger numbers.
    """
    wide = expected.astype(np.float64)
    scale = np.clip(np.abs(wide).max(initial=0.0), _LEAST_SCALE, 1.0) if expected.dtype.kind == "f" else 1.0
    found = np.abs(got.astype(np.float64) - wide) / (scale + np.abs(wide))
    if expected.dtype.kind == "f":
        return found
    # float64 holds no whole numbers beyond 2**53 apart.
    return np.where(got == expected, 0.0, np.maximum(found, np.finfo(np.float64).tiny))


def _shown(value: Any) -> str:
    return f"{value:.6g}" if value.dtype.kind == "f" else str(value)


def _check_seeds(signature: Signature, expected: Reference, run: Runner, where: str) -> None:
    """Equal seeds give equal draws (`compare` has seen that against the model too), others different ones."""
    label = f"signature '{signature.name}' in {where}"
    few = expected.cases[-1][0]
    if not _alike(run(**few), run(**few)):
        raise ExportError(f"{label}: two runs with one seed differ.")
    # A few draws of what is one of few values may be equal by chance, many are not.
    many = few if expected.draws is None else draws_inputs(signature, expected.cases[0][0], False)[0]
    tried = [(inputs, further_seeds(signature, inputs["seed"])[:count]) for inputs, count in ((few, 1), (many, None))]
    if tried[0][1] and all(_ignores_seeds(inputs, seeds, run) for inputs, seeds in tried):
        count = sum(len(seeds) for _, seeds in tried)
        raise ExportError(f"{label}: another seed gives the same draw, of {count} that were tried: it has no effect.")


def _ignores_seeds(inputs: Arrays, seeds: Sequence[np.ndarray], run: Runner) -> bool:
    first = run(**inputs)
    return all(_alike(first, run(**{**inputs, "seed": seed})) for seed in seeds)


def _alike(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)
