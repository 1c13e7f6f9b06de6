"""Inputs to check a signature with, drawn from what it declares. Needs NumPy alone."""

from collections.abc import Callable, Sequence

import numpy as np

from zoo.signature import NamedTensor

# The size of a free axis that does not lead, by its place among them and the size of those that do. The first shows a
# transposed axis, and what works with odd sizes; the second is for what halves images a few times, the third for what
# takes inputs of one size.
_SIZES: tuple[Callable[[int, int], int], ...] = (
    lambda place, batch: 32 + 2 * place + batch,
    lambda place, batch: 32 * (place + (batch > 1)),
    lambda _, batch: 32 * (1 + (batch > 1)),
)


def ways_to_size(specs: Sequence[NamedTensor]) -> range:
    """Returns the ways there are to choose sizes for free axes, of which one is to work: all if there are such axes."""
    return range(len(_SIZES) if set(_free(specs)) - _leading(specs) else 1)


def draw_inputs(specs: Sequence[NamedTensor], batch: int, seed: int, way: int = 0) -> dict[str, np.ndarray]:
    """Returns random inputs, from the range that each declares.

    Args:
        specs: The inputs of a signature.
        batch: The size of leading free axes, and the value of a scalar integer named "n", which counts draws.
        seed: Decides the values.
        way: Of `ways_to_size`.
    """
    leading, generator = _leading(specs), np.random.default_rng(seed)
    sizes = {
        axis: batch if axis in leading else _SIZES[way](place, batch) for place, axis in enumerate(["n", *_free(specs)])
    }
    return {spec.name: _draw(spec, sizes, generator) for spec in specs}


def _leading(specs: Sequence[NamedTensor]) -> set[str]:
    return {spec.shape[0] for spec in specs if spec.shape and isinstance(spec.shape[0], str)} | {"n"}


def _free(specs: Sequence[NamedTensor]) -> dict[str, None]:
    return dict.fromkeys(size for spec in specs for size in spec.shape if isinstance(size, str))


def _draw(spec: NamedTensor, sizes: dict[str, int], generator: np.random.Generator) -> np.ndarray:
    dtype, ends = np.dtype(spec.dtype), spec.examples or spec.range
    if spec.name == "n" and not spec.shape and dtype.kind in "iu":
        return np.array(sizes["n"], dtype)
    shape = tuple(sizes[size] if isinstance(size, str) else size for size in spec.shape)
    if dtype.kind in "iu":
        low, high = ends or (0, 1)
        return np.asarray(generator.integers(int(low), int(high), shape, dtype, endpoint=True))
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
