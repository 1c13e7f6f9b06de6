"""Large requests a batch at a time, in memory that does not grow with them, but for what is returned."""

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np

from export.errors import ExportError
from zoo.errors import ZooError
from zoo.signature import Signature
from zoo.validation import check_memory

ROWS = 256  # at a time; a multiple of 4, as `first` has to be

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], Mapping[str, np.ndarray]]


def in_batches(signature: Signature, inputs: Arrays, run: Run) -> Arrays:
    """Returns the outputs of a signature, worked out `ROWS` rows at a time where its rows are independent.

    Args:
        signature: What is run.
        inputs: Its inputs, checked.
        run: Runs it.

    Raises:
        ExportError: The outputs are larger than the memory of this machine.
    """
    check_outputs_fit(signature, axis_sizes(signature, inputs))
    return in_parts(signature, inputs, run, ROWS) if signature.independent_rows else dict(run(inputs))


def in_parts(signature: Signature, inputs: Arrays, run: Run, rows: int) -> Arrays:
    """Returns the outputs of a signature that has a `row_axis`, worked out so many rows at a time."""
    axis = row_axis(signature)
    count = None if axis is None else axis_sizes(signature, inputs).get(axis)
    if axis is None or count is None or count <= rows:
        return dict(run(inputs))
    found: Arrays = {}
    for first in range(0, count, rows):
        part = run(_part(signature, axis, inputs, first, min(rows, count - first)))
        if not found:
            found = {name: np.empty((count, *value.shape[1:]), value.dtype) for name, value in part.items()}
        for name, value in part.items():
            found[name][first : first + rows] = value
    return found


def row_axis(signature: Signature) -> str | None:
    """Returns the free axis that is the first one of every output, and counts rows of what comes in.

    None where there is none, or where a part of the rows cannot be asked for: inputs have that axis in another place,
    noise is of rows that are not counted from `first`, or an output has further free axes, which parts could have in
    different sizes.
    """
    leading = {spec.shape[0] if spec.shape else None for spec in signature.outputs}
    axis = leading.pop() if len(leading) == 1 else None
    if not isinstance(axis, str) or any(isinstance(size, str) for spec in signature.outputs for size in spec.shape[1:]):
        return None
    if any(axis in spec.shape[1:] for spec in signature.inputs) or (
        signature.stochastic and not signature.numbers_rows
    ):
        return None
    given = any(spec.shape and spec.shape[0] == axis for spec in signature.inputs)
    return axis if given or (axis == "n" and signature.counts_rows) else None


def fixed_rows(signature: Signature) -> int | None:
    """Returns the size of batch that a plain Keras model takes alone, or None where it takes any."""
    sizes = {spec.shape[0] if spec.shape else None for spec in (*signature.inputs, *signature.outputs)}
    size = sizes.pop() if signature.name == "call" and len(sizes) == 1 else None
    return size if isinstance(size, int) else None


def with_free_rows(signature: Signature) -> Signature:
    """Returns a signature of `fixed_rows` for any multiple of them, and others as they are."""
    if fixed_rows(signature) is None:
        return signature
    inputs, outputs = (
        tuple(dataclasses.replace(spec, shape=("batch", *spec.shape[1:])) for spec in specs)
        for specs in (signature.inputs, signature.outputs)
    )
    return dataclasses.replace(signature, inputs=inputs, outputs=outputs)


def _part(signature: Signature, axis: str, inputs: Arrays, first: int, count: int) -> Arrays:
    """Returns the inputs for some of the rows; what belongs to no row stays as it is."""
    changed = {"n": count} if axis == "n" else {}
    if signature.numbers_rows:
        changed["first"] = int(inputs["first"]) + first
    part = {}
    for spec in signature.inputs:
        value = inputs[spec.name]
        if spec.shape and spec.shape[0] == axis:
            value = value[first : first + count]
        elif not spec.shape and spec.name in changed:
            value = np.asarray(changed[spec.name], value.dtype)
        part[spec.name] = value
    return part


def axis_sizes(signature: Signature, inputs: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Returns the sizes that named axes have in these inputs."""
    sizes = {"n": int(inputs["n"])} if signature.counts_rows else {}
    for spec in signature.inputs:
        axes = zip(spec.shape, inputs[spec.name].shape, strict=True)
        sizes.update({axis: size for axis, size in axes if isinstance(axis, str)})
    return sizes


def check_outputs_fit(signature: Signature, sizes: Mapping[str, int]) -> None:
    """Makes sure that the outputs of a signature fit into memory, as far as their sizes are known.

    Raises:
        ExportError: They do not.
    """
    total = rows = 0
    for spec in signature.outputs:
        shape = [sizes.get(size, 0) if isinstance(size, str) else size for size in spec.shape]
        total += math.prod(shape) * np.dtype(spec.dtype).itemsize
        rows = max([rows, *shape[:1]])
    try:
        check_memory(total, f"the outputs of '{signature.name}' for {rows:,} rows")
    except ZooError as error:
        raise ExportError(str(error)) from None
