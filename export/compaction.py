"""What makes the file of a graph small: constants are there once, and tensors have short names.

tf2onnx names each tensor after the path to it in TensorFlow, and gives each body of a loop constants of its own; of a
graph of a small network both were most of the file.
"""

import itertools
from collections.abc import Iterator

import onnx
from onnx import numpy_helper

_NAMED = frozenset(("Conv", "ConvTranspose", "Einsum", "Gather", "Gemm", "Loop", "If", "MatMul"))  # where weights are


def compact(model: onnx.ModelProto) -> None:
    """Moves constants to the main graph, each once, and shortens the names of what is neither input nor output.

    Nodes that use weights keep their names, which say the layer; others lose theirs.

    Args:
        model: Changed in place.
    """
    graph = model.graph
    fixed = {value.name for value in (*graph.input, *graph.output)}
    moved = _shared_constants(graph, fixed)
    names = (name for count in itertools.count() if (name := f"t{count}") not in fixed)
    _rename(graph, {**{name: name for name in fixed}, "": ""}, moved, names)


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yields a graph and the bodies of its loops and branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                if body.node or body.output:
                    yield from graphs_of(body)


def _shared_constants(graph: onnx.GraphProto, fixed: set[str]) -> dict[str, str]:
    """Puts all constants into the main graph, each once, and returns by what name those are known that went."""
    first: dict[tuple, str] = {}
    shared: list[onnx.TensorProto] = []
    moved: dict[str, str] = {}
    for each in graphs_of(graph):
        kept = [tensor for tensor in each.initializer if each is graph and tensor.name in fixed]
        constants = [tensor for tensor in each.initializer if tensor not in kept]
        del each.initializer[:]
        each.initializer.extend(kept)
        for tensor in constants:
            value = numpy_helper.to_array(tensor)
            name = first.setdefault((value.dtype.str, value.shape, value.tobytes()), tensor.name)
            if name == tensor.name:
                shared.append(tensor)
            moved[tensor.name] = name
    graph.initializer.extend(shared)
    return moved


def _rename(graph: onnx.GraphProto, known: dict[str, str], moved: dict[str, str], names: Iterator[str]) -> None:
    """Renames what a graph defines; `known` says the new names of what lies around it."""
    known = dict(known)

    def new(name: str) -> str:
        name = moved.get(name, name)
        if name not in known:
            known[name] = next(names)
        return known[name]

    for tensor in graph.initializer:
        tensor.name = new(tensor.name)
    for value in graph.input:
        value.name = new(value.name)
    for node in graph.node:
        if node.op_type not in _NAMED:
            node.name = ""
        node.input[:] = [new(name) for name in node.input]
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                if body.node or body.output:
                    _rename(body, known, moved, names)
        node.output[:] = [new(name) for name in node.output]
    for value in graph.output:
        value.name = new(value.name)
    del graph.value_info[:]
