"""What makes an op inside of a group work in another order of axes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tf2onnx import utils

from export.layout.permutations import RANK, Order, inverse
from export.layout.tensors import Tensors

Edit = Callable[[], None]


def _ops(names: str) -> frozenset[str]:
    return frozenset(names.split())


ELEMENTWISE = _ops(
    "Abs Cast Ceil Cos Elu Erf Exp Floor HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not "
    "Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Tanh ThresholdedRelu"
)
BROADCASTING = _ops(
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Clip Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean "
    "Min Mod Mul Or Pow Sub Sum Where Xor"
)
_REDUCING = _ops(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"
)
_ALONG_AN_AXIS = {"ArgMax": 0, "ArgMin": 0, "Concat": 0, "LogSoftmax": -1, "Softmax": -1, "Split": 0}  # by default
_A_NUMBER_AN_AXIS = {"Expand": 1, "Tile": 1, "Resize": 2}  # in this input


def edits_of(tensors: Tensors, node: Any, order: Order) -> list[Edit] | None:
    """Returns what makes a node give its result in another order from inputs in that order, or None."""
    if node.type in ELEMENTWISE:
        return []
    if node.type in BROADCASTING:
        return _broadcasting_edits(tensors, node, order)
    if node.type != "Concat" and node.input and tensors.is_const(node.input[0]):
        return None
    if node.type in _REDUCING:
        return _reducing_edits(tensors, node, order)
    if node.type in _ALONG_AN_AXIS:
        kept = node.get_attr_value("keepdims", 1)
        axis = node.get_attr_value("axis", _ALONG_AN_AXIS[node.type]) % RANK
        if not kept or tensors.rank(node.input[0]) != RANK:
            return None
        joined = node.input if node.type == "Concat" else ()
        return [
            lambda: node.set_attr("axis", order.index(axis)),
            *(
                lambda place=place, name=name: _put_transposed(tensors, node, place, name, order)
                for place, name in enumerate(joined)
                if tensors.is_const(name)
            ),
        ]
    if node.type == "Gather":
        axis = node.get_attr_value("axis", 0) % RANK
        fits = tensors.rank(node.input[0]) == RANK and tensors.rank(node.input[1]) == 1
        return [lambda: node.set_attr("axis", order.index(axis))] if fits else None
    if node.type == "Slice":
        return _slice_edits(tensors, node, order)
    if node.type == "Pad":
        return _pad_edits(tensors, node, order)
    if node.type in _A_NUMBER_AN_AXIS:
        place = _A_NUMBER_AN_AXIS[node.type]
        values = tensors.value(node, place)
        if values is None or len(values) != RANK or len(node.input) != place + 1:
            return None
        if tensors.rank(node.input[0]) != RANK:
            return None
        return [lambda: tensors.put(node, place, [values[axis] for axis in order], values.dtype)]
    return None


def _broadcasting_edits(tensors: Tensors, node: Any, order: Order) -> list[Edit] | None:
    edits = []
    for place, name in enumerate(node.input):
        if not name:
            continue
        shape = tensors.graph.get_shape(name)
        if shape is None or len(shape) > RANK:
            return None
        if tensors.is_const(name):
            if len(shape):
                edits.append(lambda place=place, name=name: _put_transposed(tensors, node, place, name, order))
        elif len(shape) == 1 and shape[0] != 1:
            edits.append(lambda place=place, name=name: _put_unsqueezed(tensors, node, place, name, order))
        elif len(shape) != RANK and any(size != 1 for size in shape):
            return None
    return edits if tensors.rank(node.output[0]) == RANK else None


def _put_transposed(tensors: Tensors, node: Any, place: int, name: str, order: Order) -> None:
    value = tensors.constant(name)
    value = value.reshape((1,) * (RANK - value.ndim) + value.shape)
    tensors.put(node, place, np.transpose(value, order), value.dtype)


def _put_unsqueezed(tensors: Tensors, node: Any, place: int, name: str, order: Order) -> None:
    axes = [axis for axis in range(RANK) if order[axis] != RANK - 1]
    size = tensors.graph.get_shape(name)[0]
    shape = [1 if axis in axes else size for axis in range(RANK)]
    inputs, dtypes = [name, tensors.const(axes)], [tensors.graph.get_dtype(name)]
    made = tensors.graph.make_node("Unsqueeze", inputs, shapes=[shape], dtypes=dtypes)
    tensors.graph.replace_input(node, name, made.output[0], place)


def _reducing_edits(tensors: Tensors, node: Any, order: Order) -> list[Edit] | None:
    as_input = len(node.input) > 1 and bool(node.input[1])
    axes = tensors.value(node, 1) if as_input else node.get_attr_value("axes")
    if tensors.rank(node.input[0]) != RANK or (as_input and axes is None):
        return None
    if axes is None or not len(axes):
        return [] if not node.get_attr_value("noop_with_empty_axes", 0) else None
    axes = [int(axis) % RANK for axis in axes]
    left = [axis for axis in order if axis not in axes]
    if not node.get_attr_value("keepdims", 1) and left != sorted(left):
        return None
    moved = sorted(order.index(axis) for axis in axes)
    if as_input:
        return [lambda: tensors.put(node, 1, moved, np.int64)]
    return [lambda: node.set_attr("axes", moved)]


def _slice_edits(tensors: Tensors, node: Any, order: Order) -> list[Edit] | None:
    if tensors.rank(node.input[0]) != RANK:
        return None
    if len(node.input) > 3 and node.input[3]:
        axes = tensors.value(node, 3)
        if axes is None:
            return None
        moved = [order.index(int(axis) % RANK) for axis in axes]
        return [lambda: tensors.put(node, 3, moved, axes.dtype)]
    if tensors.graph.get_shape(node.input[1]) != [RANK]:
        return None

    def add_axes() -> None:
        dtype = utils.map_onnx_to_numpy_type(tensors.graph.get_dtype(node.input[1]))
        inputs = [*node.input[:3], tensors.const(inverse(order), dtype), *node.input[4:]]
        tensors.graph.replace_inputs(node, inputs)

    return [add_axes]


def _pad_edits(tensors: Tensors, node: Any, order: Order) -> list[Edit] | None:
    pads = tensors.value(node, 1)
    if pads is None or len(pads) != 2 * RANK or (len(node.input) > 3 and node.input[3]):
        return None
    moved = [pads[side * RANK + axis] for side in (0, 1) for axis in order]
    return [lambda: tensors.put(node, 1, moved, np.int64)]
