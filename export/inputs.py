"""Inputs to check a signature with, drawn from what it declares. Needs NumPy alone."""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from zoo.signature import NOISE_ROWS, NamedTensor, Signature

# The size of a free axis that does not lead, by its place among them and the size of those that do. The first shows a
# transposed axis, and what works with odd sizes or with even ones alone; the second is for what takes odd ones; the
# third for what halves images a few times, the fourth for what takes inputs of one size.
_SIZES: tuple[Callable[[int, int], int], ...] = (
    lambda place, batch: 32 + 2 * place + batch + (batch > 1),
    lambda place, batch: 32 + 2 * place + batch,
    lambda place, batch: 32 * (place + (batch > 1)),
    lambda _, batch: 32 * (1 + (batch > 1)),
)
# The largest of integers that declare no range, which may be places in a table: the more there are, the more is shown.
_LARGEST = 100, 7, 1


class Way(NamedTuple):
    """How to choose what signatures leave open.

    Attributes:
        size: Of a free axis that does not lead, by its place among them and the size of those that do.
        largest: Of integers without a range; the smallest is 0.
    """

    size: Callable[[int, int], int] = _SIZES[0]
    largest: int = _LARGEST[-1]


def ways_to_draw(specs: Sequence[NamedTensor]) -> list[Way]:
    """Returns the ways there are to draw inputs, of which one is to work, the best first."""
    sizes = _SIZES if has_free_axes(specs) else _SIZES[:1]
    is_open = any(np.dtype(spec.dtype).kind in "iu" and not (spec.examples or spec.range) for spec in specs)
    return list(itertools.starmap(Way, itertools.product(sizes, _LARGEST if is_open else _LARGEST[-1:])))


def has_free_axes(specs: Sequence[NamedTensor]) -> bool:
    """Returns whether there are free axes other than those that lead."""
    return bool(set(_free(specs)) - _leading(specs))


def draw_inputs(specs: Sequence[NamedTensor], batch: int, seed: int, way: Way | None = None) -> dict[str, np.ndarray]:
    """Returns random inputs, from the range that each declares.

    Args:
        specs: The inputs of a signature.
        batch: The size of leading free axes, and the value of a scalar integer named "n", which counts draws, as far as
            its range goes.
        seed: Decides the values.
        way: Of `ways_to_draw`; by default one that takes few chances.
    """
    leading, generator, way = _leading(specs), np.random.default_rng(seed), way or Way()
    sizes = {
        axis: batch if axis in leading else way.size(place, batch) for place, axis in enumerate(["n", *_free(specs)])
    }
    sizes["n"] = count_within(specs, sizes["n"])
    numbered = any(spec.role == "seed" for spec in specs)
    return {spec.name: _draw(spec, sizes, way.largest, generator, numbered) for spec in specs}


def count_within(specs: Sequence[NamedTensor], count: int) -> int:
    """Returns how many to draw: `count`, or the nearest number that a scalar integer named "n" may be."""
    for spec in specs:
        ends = spec.examples or spec.range
        if spec.role == "n" and ends is not None:
            return int(min(max(count, ends[0]), ends[1]))
    return count


def labels_in_turn(spec: NamedTensor, count: int, first: int = 0) -> np.ndarray:
    """Returns labels that go through all classes of a declared range in turn, those of images `first` and on."""
    low, high = map(int, spec.range or (0, 0))
    return (low + (first + np.arange(count)) % (high - low + 1)).astype(spec.dtype)


def inputs_to_show(signature: Signature, count: int) -> dict[str, np.ndarray] | None:
    """Returns inputs for so many samples to look at, or None where a signature takes what is not known."""
    found = {}
    for spec in signature.inputs:
        if spec.default is not None:
            found[spec.name] = spec.default
        elif spec.role == "seed":
            found[spec.name] = int(spec.range[0]) if spec.range else 0
        elif spec.role == "n":
            found[spec.name] = count_within(signature.inputs, count)
        elif spec.name == "label" and spec.shape == ("n",) and spec.range is not None:
            found[spec.name] = labels_in_turn(spec, count_within(signature.inputs, count))
        else:
            return None
    return {spec.name: np.asarray(found[spec.name], spec.dtype) for spec in signature.inputs}


def with_large_numbers(specs: Sequence[NamedTensor], inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """Returns inputs with floats that declare no range a thousand times as large in the first row, or None."""
    large = dict(inputs)
    for spec in specs:
        value = inputs[spec.name]
        if value.ndim and value.dtype.kind == "f" and not (spec.examples or spec.range):
            large[spec.name] = np.concatenate([1000 * value[:1], value[1:]]).astype(value.dtype)
    return large if any(large[name] is not inputs[name] for name in inputs) else None


def _leading(specs: Sequence[NamedTensor]) -> set[str]:
    return {spec.shape[0] for spec in specs if spec.shape and isinstance(spec.shape[0], str)} | {"n"}


def _free(specs: Sequence[NamedTensor]) -> dict[str, None]:
    return dict.fromkeys(size for spec in specs for size in spec.shape if isinstance(size, str))


def _draw(
    spec: NamedTensor, sizes: dict[str, int], largest: int, generator: np.random.Generator, numbered: bool
) -> np.ndarray:
    dtype, ends = np.dtype(spec.dtype), spec.examples or spec.range
    if spec.role == "n":
        return np.array(sizes["n"], dtype)
    shape = tuple(sizes[size] if isinstance(size, str) else size for size in spec.shape)
    if dtype.kind in "iu":
        low, high = ends or (0, largest)
        drawn = np.asarray(generator.integers(int(low), int(high), shape, dtype, endpoint=True))
        return np.asarray(drawn - drawn % NOISE_ROWS) if spec.role == "first" and numbered else drawn
    if dtype.kind == "b":
        return np.asarray(generator.integers(0, 2, shape), dtype)
    normal = generator.standard_normal(shape)
    if ends is None:
        return np.asarray(normal, dtype)
    low, high = ends
    if np.isfinite(low) and np.isfinite(high):
        return np.asarray(generator.uniform(low, high, shape), dtype)
    # Open to one side or both: near the end that there is.
    start = low if np.isfinite(low) else high if np.isfinite(high) else 0.0
    return np.asarray(np.clip(start + np.abs(normal) * (1 if np.isfinite(low) else -1), low, high), dtype)
