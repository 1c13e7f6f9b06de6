"""Products with weights in ONNX graphs, and weights stored in fewer bits than are computed in."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import onnx
from onnx import numpy_helper

from export.bodies import graphs_of

PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_SAME_VALUES = ("Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
LEAST_STORED = 256  # elements; below, the node that widens them takes more room than is saved


def store_weights(
    model: onnx.ModelProto,
    narrow: Callable[[str, np.ndarray, int], tuple[list[onnx.NodeProto], list[onnx.TensorProto]]],
) -> int:
    """Replaces float32 weights of products by narrow ones and nodes that widen them, once, where they are stored.

    So weights that the body of a loop takes from outside are narrow too.

    Args:
        model: A model, which is changed.
        narrow: Maps a name, its values and the axis of a product's outputs to nodes that make the values again, and
            the initializers that these take.

    Returns:
        How many were replaced.
    """
    axes = _axes_of_weights(model.graph)
    for value in model.graph.input:  # what may be given in place of an initializer
        axes.pop(value.name, None)
    found = [
        (graph, tensor)
        for graph in graphs_of(model.graph)
        for tensor in graph.initializer
        if tensor.name in axes and _is_large(tensor) and tensor.data_type == onnx.TensorProto.FLOAT
    ]
    for graph, tensor in found:
        nodes, initializers = narrow(tensor.name, numpy_helper.to_array(tensor), axes[tensor.name])
        graph.initializer.remove(tensor)
        graph.initializer.extend(initializers)
        for node in reversed(nodes):
            graph.node.insert(0, node)
    return len(found)


def _is_large(tensor: onnx.TensorProto) -> bool:
    return len(tensor.dims) > 1 and math.prod(tensor.dims) >= LEAST_STORED


def weights_of(graph: onnx.GraphProto) -> Iterator[tuple[str, str, int]]:
    """Yields the products of a graph by name, with what may be weights of theirs, and the axis of outputs in these.

    Of a factor on the left, which has no outputs, that is the first axis.
    """
    for node in graph.node:
        if node.op_type in PRODUCTS:
            transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            axis = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0 if transposed else 1}.get(node.op_type, -1)
            yield node.name, node.input[1], axis
            if node.op_type == "MatMul":
                yield node.name, node.input[0], 0


def _axes_of_weights(graph: onnx.GraphProto) -> dict[str, int]:
    """Returns the axis of outputs of all that may be weights, by name, in a graph and the bodies of its loops."""
    axes, sources = {}, {}
    for each in graphs_of(graph):
        axes |= {weight: axis for _, weight, axis in weights_of(each)}
        for node in each.node:
            if node.op_type in _SAME_VALUES:
                sources[node.output[0]] = node.input[0]
            if node.op_type == "Loop":
                # Kernels that TensorFlow hands from step to step, outputs last, as Keras has them.
                axes |= dict.fromkeys(node.input[2:], -1)
    for name in list(axes):
        while name in sources:
            name = sources[name]
            axes.setdefault(name, -1)
    return axes
