"""ONNX graphs inside of others: the bodies of loops and branches."""

from collections.abc import Iterator

import onnx


def bodies_of(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Returns the graphs that a node holds."""
    return [body for attribute in node.attribute for body in (attribute.g, *attribute.graphs) if body.output]


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yields a graph and the bodies of its loops and branches."""
    yield graph
    for node in graph.node:
        for body in bodies_of(node):
            yield from graphs_of(body)


def read_by(node: onnx.NodeProto) -> set[str]:
    """Returns the names that a node reads, and the bodies that it holds."""
    return set(node.input) | read_inside(node)


def read_inside(node: onnx.NodeProto) -> set[str]:
    """Returns the names that the bodies of a node read or give."""
    names = set()
    for body in bodies_of(node):
        names |= {value.name for value in body.output}
        names |= {name for inner in body.node for name in read_by(inner)}
    return names
