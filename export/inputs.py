"""Inputs to check a signature with, drawn from what it declares. Needs NumPy alone."""

from collections.abc import Sequence

import numpy as np

from zoo.signature import NamedTensor


def draw_inputs(specs: Sequence[NamedTensor], batch: int, seed: int) -> dict[str, np.ndarray]:
    """Returns random inputs: uniform over their ranges, or standard Normal where they have none.

    Args:
        specs: The inputs of a signature.
        batch: The size of free axes. An input named "n" counts what a free axis counts elsewhere, and takes
            this value.
        seed: Decides the values.
    """
    generator = np.random.default_rng(seed)
    return {spec.name: _draw(spec, batch, generator) for spec in specs}


def _draw(spec: NamedTensor, batch: int, generator: np.random.Generator) -> np.ndarray:
    if spec.name == "n":
        return np.array(batch, spec.dtype)
    shape = tuple(batch if isinstance(size, str) else size for size in spec.shape)
    dtype = np.dtype(spec.dtype)
    if dtype.kind in "iu":
        low, high = spec.range or (0, 1)
        return np.asarray(generator.integers(int(low), int(high), shape, dtype, endpoint=True))
    if dtype.kind == "b":
        return np.asarray(generator.integers(0, 2, shape), dtype)
    if spec.range is None:
        return np.asarray(generator.standard_normal(shape), dtype)
    low, high = spec.range
    return np.asarray(generator.uniform(low, min(high, np.finfo(np.float32).max), shape), dtype)
