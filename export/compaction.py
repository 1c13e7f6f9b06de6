"""What makes the file of a graph small: constants are there once, where they are used, and tensors have short names.

tf2onnx names each tensor after the path to it in TensorFlow, and gives each body of a loop constants of its own; of a
graph of a small network both were most of the file.
"""

import copy
import itertools
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

from export.bodies import bodies_of, graphs_of, read_by
from export.weights import PRODUCTS

_LEAST_TIED = 1024  # bytes of a matrix; below, a node takes as much room
_NAMED = frozenset(("Conv", "ConvTranspose", "Einsum", "Gather", "Gemm", "If", "Loop", "MatMul"))  # where weights are


def compact(model: onnx.ModelProto) -> None:
    """Keeps each constant once, and shortens the names of what is neither input nor output.

    Constants are in the main graph, but for weights of convolutions that one loop or branch alone takes.

    Of two matrices that are each other transposed, one is kept.

    Nodes that use weights keep their names, which say the layer; others lose theirs.

    Args:
        model: Changed in place.
    """
    graph = model.graph
    fixed = {value.name for value in (*graph.input, *graph.output)}
    names = (name for count in itertools.count() if (name := f"t{count}") not in fixed)
    shared: dict[tuple, onnx.TensorProto] = {}
    _rename(graph, {**{name: name for name in fixed}, "": ""}, fixed, shared, names)
    alone = _taken_by_one(graph)
    for tensor in shared.values():
        if tensor.name in alone:
            alone[tensor.name].initializer.append(tensor)
    _tie(graph, [tensor for tensor in shared.values() if tensor.name not in alone])  # last, as it makes nodes anew


def lift(model: onnx.ModelProto) -> None:
    """Moves constants to the main graph of a model that was compacted, in place; those that bodies give stay."""
    for graph in list(graphs_of(model.graph))[1:]:
        given = {value.name for value in graph.output}
        model.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name not in given)
        kept = [copy.deepcopy(tensor) for tensor in graph.initializer if tensor.name in given]
        del graph.initializer[:]
        graph.initializer.extend(kept)


def untie(model: onnx.ModelProto) -> None:
    """Makes constants of matrices that are others transposed, for what works on constants alone.

    But not of those that something else reads too, such as a lookup, which would then be there twice.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    elsewhere = {name for node in graph.node if node.op_type not in (*PRODUCTS, "Transpose") for name in read_by(node)}
    tied = [node for node in graph.node if node.op_type == "Transpose" and node.input[0] in constants]
    for node in [node for node in tied if node.input[0] not in elsewhere]:
        values = np.transpose(numpy_helper.to_array(constants[node.input[0]]), _permutation(node))
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), node.output[0]))
        graph.node.remove(node)


def _permutation(node: onnx.NodeProto) -> list[int] | None:
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), None)


def _tie(graph: onnx.GraphProto, constants: list[onnx.TensorProto]) -> None:
    """Adds constants to a graph, of two matrices that are each other transposed one, and a node that makes the other.

    As where a product and its gradient, or tied weights, take a matrix both ways. A runtime transposes it as it loads.
    """
    known: dict[tuple, str] = {}
    tied = []
    for tensor in constants:
        values = numpy_helper.to_array(tensor)
        if values.ndim == 2 and min(values.shape) > 1 and values.nbytes >= _LEAST_TIED:
            source = known.get((values.dtype.str, values.T.shape, values.T.tobytes()))
            if source is not None:
                tied.append(onnx.helper.make_node("Transpose", [source], [tensor.name], perm=[1, 0]))
                continue
            known[values.dtype.str, values.shape, values.tobytes()] = tensor.name
        graph.initializer.append(tensor)
    nodes = [*tied, *(copy.copy(node) for node in graph.node)]
    if tied:
        del graph.node[:]
        graph.node.extend(nodes)


def _taken_by_one(graph: onnx.GraphProto) -> dict[str, onnx.GraphProto]:
    """Returns the weights of convolutions that a single body of a loop or branch takes, by name, with the body.

    ONNX Runtime lays weights out for its faster kernels where it finds them in the graph of the convolution alone.
    """
    graphs, weights = list(graphs_of(graph)), set()
    takers: dict[str, set[int]] = {}
    for place, each in enumerate(graphs):
        for node in each.node:
            if node.op_type in ("Conv", "ConvTranspose"):
                weights.update(node.input[1:])
            for name in node.input:
                takers.setdefault(name, set()).add(place)
        for value in each.output:
            takers.setdefault(value.name, set()).add(0)
    alone = {name: min(takers[name]) for name in weights if len(takers[name]) == 1}
    return {name: graphs[place] for name, place in alone.items() if place}


def _rename(
    graph: onnx.GraphProto,
    known: dict[str, str],
    fixed: set[str],
    shared: dict[tuple, onnx.TensorProto],
    names: Iterator[str],
) -> None:
    """Renames what a graph defines, and takes its constants out.

    Args:
        graph: Changed in place.
        known: The new names of what lies around it, by the old ones.
        fixed: Constants that stay: they are what inputs are by default, or outputs.
        shared: Where constants go, by what they are.
        names: New ones.
    """
    known = dict(known)

    def new(name: str) -> str:
        if name not in known:
            known[name] = next(names)
        return known[name]

    stay = []
    for tensor in graph.initializer:
        if tensor.name in fixed:
            tensor.name = new(tensor.name)
            stay.append(onnx.TensorProto.FromString(tensor.SerializeToString()))
            continue
        value = numpy_helper.to_array(tensor)
        key = value.dtype.str, value.shape, value.tobytes()
        if key not in shared:
            shared[key] = numpy_helper.from_array(value, next(names))
        known[tensor.name] = shared[key].name
    del graph.initializer[:]
    graph.initializer.extend(stay)
    for value in graph.input:
        value.name = new(value.name)
    for node in graph.node:
        if node.op_type not in _NAMED:
            node.name = ""
        node.input[:] = [new(name) for name in node.input]
        for body in bodies_of(node):
            _rename(body, known, {value.name for value in body.output}, shared, names)
        node.output[:] = [new(name) for name in node.output]
    for value in graph.output:
        value.name = new(value.name)
    del graph.value_info[:]
