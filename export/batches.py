"""Large requests a batch at a time, in memory that does not grow with them, but for what is returned."""

import math
import os
from collections.abc import Callable, Mapping

import numpy as np

from export.errors import ExportError
from zoo.signature import NamedTensor, Signature

ROWS = 256  # at a time; a multiple of 4, as `first` has to be

Arrays = dict[str, np.ndarray]


def in_batches(signature: Signature, inputs: Arrays, run: Callable[[Arrays], Mapping[str, np.ndarray]]) -> Arrays:
    """Returns the outputs of a signature, worked out `ROWS` rows at a time where that gives the same.

    It does where all outputs have rows, and noise, if there is any, is of rows that are counted from `first`.

    Args:
        signature: What is run.
        inputs: Its inputs, checked.
        run: Runs it.

    Raises:
        ExportError: The outputs are larger than the memory of this machine.
    """
    count = _rows(signature, inputs)
    if count is None or count <= ROWS:
        return dict(run(inputs))
    found: Arrays = {}
    for first in range(0, count, ROWS):
        part = run(_part(signature, inputs, first, min(ROWS, count - first)))
        if not found:
            _check_memory(signature, count, sum(value.nbytes // len(value) for value in part.values()))
            found = {name: np.empty((count, *value.shape[1:]), value.dtype) for name, value in part.items()}
        for name, value in part.items():
            found[name][first : first + ROWS] = value
    return found


def _rows(signature: Signature, inputs: Arrays) -> int | None:
    """Returns how many rows are asked for, or None where they cannot be split."""
    free = {size for spec in signature.inputs for size in spec.shape[1:] if isinstance(size, str)}
    leading = {spec.shape[0] if spec.shape else None for spec in signature.outputs}
    names = {spec.name for spec in signature.inputs}
    axis = leading.pop() if len(leading) == 1 else None
    if free or not isinstance(axis, str) or (signature.stochastic and "first" not in names):
        return None
    given = [inputs[spec.name].shape[0] for spec in signature.inputs if spec.shape and spec.shape[0] == axis]
    if given:
        return given[0]
    return int(inputs["n"]) if "n" in names and axis == "n" else None


def _part(signature: Signature, inputs: Arrays, first: int, count: int) -> Arrays:
    def part(spec: NamedTensor) -> np.ndarray:
        value = inputs[spec.name]
        if spec.shape and isinstance(spec.shape[0], str):
            return value[first : first + count]
        changed = {"n": count, "first": int(inputs.get("first", np.array(0))) + first}
        return np.asarray(changed[spec.name], value.dtype) if spec.name in changed else value

    return {spec.name: part(spec) for spec in signature.inputs}


def _check_memory(signature: Signature, count: int, row_bytes: int) -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf
    if count * row_bytes > memory:
        raise ExportError(
            f"the outputs of '{signature.name}' for {count:,} rows take {count * row_bytes / 1e9:,.0f} GB, more than "
            f"the {memory / 1e9:,.0f} GB of this machine. Ask for fewer at a time."
        )
