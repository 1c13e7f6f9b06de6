"""Inputs to check a signature with, drawn from what it declares. Needs NumPy alone."""

from collections.abc import Sequence

import numpy as np

from zoo.signature import NamedTensor


def axis_sizes(specs: Sequence[NamedTensor], batch: int) -> dict[str, int]:
    """Returns a size for each free axis: `batch` for the leading ones, others each their own.

    Sizes of their own show a transposed axis, and are large enough for a few poolings.
    """
    leading = {spec.shape[0] for spec in specs if spec.shape and isinstance(spec.shape[0], str)} | {"n"}
    free = dict.fromkeys(size for spec in specs for size in spec.shape if isinstance(size, str))
    return {axis: batch if axis in leading else 32 + 2 * index + batch for index, axis in enumerate(["n", *free])}


def draw_inputs(specs: Sequence[NamedTensor], batch: int, seed: int) -> dict[str, np.ndarray]:
    """Returns random inputs, from the range that each declares.

    Args:
        specs: The inputs of a signature.
        batch: The size of leading free axes, and the value of a scalar integer named "n", which counts draws.
        seed: Decides the values.
    """
    generator, sizes = np.random.default_rng(seed), axis_sizes(specs, batch)
    return {spec.name: _draw(spec, sizes, generator) for spec in specs}


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
