"""Dilated convolutions as TensorFlow writes them in one dimension: space to batch, convolution, batch to space."""

import collections
from collections.abc import Sequence
from typing import Any


def keep_apart(graph: Any) -> None:
    """Keeps tf2onnx from joining the three where something else, as a gradient, uses what lies between them.

    tf2onnx joins them in place, and what else used the convolution is then given one of another shape. It does not
    where there is an Identity between.

    Args:
        graph: TensorFlow's GraphDef, which is changed.
    """
    _separate(graph.node, "")
    for function in graph.library.function:
        _separate(function.node_def, ":output:0")


def _separate(nodes: Any, output: str) -> None:
    """Puts an Identity before each batch to space that is not to be joined.

    Args:
        nodes: The nodes of a graph or of a function, which are added to.
        output: How the first output of a node is named, behind the name of the node.
    """
    by_name = {node.name: node for node in nodes}
    uses = collections.Counter(_source(value) for node in nodes for value in node.input)
    for node in [node for node in nodes if node.op == "BatchToSpaceND"]:
        between = _convolution(by_name, node)
        if any(uses[name] > 1 for name in between):
            apart = nodes.add(name=f"{node.name}/apart", op="Identity", input=node.input[:1])
            apart.attr["T"].CopyFrom(node.attr["T"])
            node.input[0] = apart.name + output


def _convolution(by_name: dict[str, Any], node: Any) -> Sequence[str]:
    """Returns the names of the nodes between batch to space and space to batch."""
    found = []
    while (name := _source(node.input[0])) in by_name and by_name[name].op in ("Squeeze", "Conv2D", "ExpandDims"):
        found.append(name)
        node = by_name[name]
    return found


def _source(value: str) -> str:
    """Returns the name of the node that a value is of."""
    return value.lstrip("^").partition(":")[0]
