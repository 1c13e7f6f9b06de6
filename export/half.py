"""Half precision for what lies between the first and the last product with weights of a graph; the rest is float32.

`onnxruntime.transformers.float16` rounds the inputs of a graph too, before anything that is to stay float32 reads
them, and gives loops bodies of two minds. What is converted here is chosen by where it stands: noise comes before all
weights, and likelihoods, sums and outputs behind them, so that these keep their digits.
"""

import copy
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.bodies import read_by
from export.weights import PRODUCTS, store_weights

# Float ops with outputs of their inputs' type that half precision is enough for, and providers have it of.
_BETWEEN = {
    *("Add", "AveragePool", "BatchNormalization", "Concat", "Elu", "Flatten", "GlobalAveragePool", "Identity"),
    *("LeakyRelu", "MaxPool", "Mul", "Pad", "Relu", "Reshape", "Selu", "Sigmoid", "Squeeze", "Sub", "Tanh"),
    *("Transpose", "Unsqueeze"),
}
HALF = "/half"  # ends the names of tensors that are made half precision, and of no others
_LARGEST, _SMALLEST = float(np.finfo(np.float16).max), float(np.finfo(np.float16).smallest_subnormal)


def in_half(model: onnx.ModelProto) -> int:
    """Converts a model, which is changed.

    Loops and branches compute as before; weights that they take are stored in half precision.

    Returns:
        How many nodes compute in half precision, and tensors are stored in it: 0 where nothing was changed.
    """
    types = _types(model)
    chosen = _between_products(model.graph.node, types)
    _convert(model.graph, chosen, types)
    return len(chosen) + store_weights(model, _narrow)


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """Returns the element types of the values of a graph by name."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    initializers = {tensor.name: tensor.data_type for tensor in graph.initializer}
    return {**{value.name: value.type.tensor_type.elem_type for value in values}, **initializers}


def _between_products(nodes: Iterable[onnx.NodeProto], types: dict[str, int]) -> set[str]:
    """Returns the products with weights, and what lies on a way from one to another, by their first outputs."""
    nodes = list(nodes)
    after, before = set(), set()  # names of values that a product leads to, and that lead to one
    for node in nodes:
        if node.op_type in PRODUCTS or any(name in after for name in node.input):
            # Not by way of integers: noise in the shape of a result has nothing else of it.
            after.update(name for name in node.output if types.get(name) == TensorProto.FLOAT)
    for node in reversed(nodes):
        if node.op_type in PRODUCTS or any(name in before for name in node.output):
            before.update(node.input)

    def between(node: onnx.NodeProto) -> bool:
        inside = node.output[0] in before and any(name in after for name in node.input)
        is_float = types.get(node.output[0]) == TensorProto.FLOAT
        return is_float and (node.op_type in PRODUCTS or (node.op_type in _BETWEEN and inside))

    return {node.output[0] for node in nodes if between(node)}


def _convert(graph: onnx.GraphProto, chosen: set[str], types: dict[str, int]) -> None:
    """Makes the chosen nodes of a graph compute in half precision, with casts on their borders."""
    elsewhere = {value.name for value in graph.output} | {
        name for node in graph.node if node.output[0] not in chosen for name in read_by(node)
    }
    overridable = {value.name for value in graph.input}
    constants = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in overridable}
    halves: dict[str, str] = {}  # by the names of the float32 values
    nodes: list[onnx.NodeProto] = []

    def half(name: str) -> str:
        """Returns the name of a value in half precision, after making it where there is none."""
        if name not in halves:
            halves[name] = name + HALF
            if name in constants and name not in elsewhere:
                values = numpy_helper.to_array(constants[name])
                graph.initializer.remove(constants[name])
                graph.initializer.append(numpy_helper.from_array(_rounded(values), halves[name]))
            else:
                nodes.append(helper.make_node("Cast", [name], [halves[name]], halves[name], to=TensorProto.FLOAT16))
        return halves[name]

    for node in graph.node:
        if node.output[0] not in chosen:
            nodes.append(node)
            continue
        node.input[:] = [half(name) if types.get(name) == TensorProto.FLOAT else name for name in node.input]
        nodes.append(node)
        name = node.output[0]
        node.output[0] = halves[name] = name + HALF
        if name in elsewhere:
            nodes.append(helper.make_node("Cast", [halves[name]], [name], f"{name}/float", to=TensorProto.FLOAT))
    nodes = [copy.copy(node) for node in nodes]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # the types of before


def _rounded(values: np.ndarray) -> np.ndarray:
    # What is beyond half precision is not made infinite: how much that costs is measured. What is too small for it is
    # not made zero: a pad of `export.pads` would be taken for another.
    rounded = np.clip(values, -_LARGEST, _LARGEST).astype(np.float16)
    return np.where((rounded == 0) & (values != 0), np.copysign(_SMALLEST, values).astype(np.float16), rounded)


def _narrow(name: str, values: np.ndarray, _: int) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    stored = numpy_helper.from_array(_rounded(values), f"{name}/stored")
    return [helper.make_node("Cast", [stored.name], [name], f"{name}/float", to=TensorProto.FLOAT)], [stored]
