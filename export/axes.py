"""Axes to reduce along, counted from the front: from the end, ONNX Runtime takes none where a tensor is empty."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from export.bodies import graphs_of

_KINDS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
_REDUCTIONS = frozenset(f"Reduce{kind}" for kind in _KINDS)

_MOST_AXES = 16


def count_from_front(model: onnx.ModelProto) -> None:
    """Makes the axes of reductions count from the front, where they and the number of all axes are known.

    Args:
        model: Changed in place; names tell its tensors apart, those in bodies of loops and branches too.
    """
    graphs = list(graphs_of(model.graph))
    constants = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
    found = [
        (node, _axes_of(node, constants)) for graph in graphs for node in graph.node if node.op_type in _REDUCTIONS
    ]
    found = [(node, axes) for node, axes in found if min(axes, default=0) < 0]
    ranks = _ranks(model) if found else {}
    vectors = {
        tuple(numpy_helper.to_array(tensor).tolist()): tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT64 and len(tensor.dims) == 1 and tensor.dims[0] <= _MOST_AXES
    }
    for node, axes in found:
        if node.input[0] not in ranks:
            continue
        front = tuple(axis % ranks[node.input[0]] for axis in axes)
        if len(node.input) < 2:
            next(each for each in node.attribute if each.name == "axes").ints[:] = front
            continue
        if front not in vectors:
            vectors[front] = f"axes/{'_'.join(map(str, front))}"  # as no input or output is named
            model.graph.initializer.append(numpy_helper.from_array(np.array(front, np.int64), vectors[front]))
        node.input[1] = vectors[front]
    read = {name for graph in graphs for node in graph.node for name in node.input}
    read |= {value.name for graph in graphs for value in graph.output}
    for graph in graphs if found else ():
        for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
            graph.initializer.remove(tensor)


def _axes_of(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> list[int]:
    """Returns the axes that a node reduces along, as far as they are known."""
    if len(node.input) > 1:
        return numpy_helper.to_array(constants[node.input[1]]).tolist() if node.input[1] in constants else []
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == "axes"), [])


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    return {
        value.name: len(value.type.tensor_type.shape.dim)
        for graph in graphs_of(onnx.shape_inference.infer_shapes(model).graph)
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }
