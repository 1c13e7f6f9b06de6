"""Loops that fill arrays. ONNX's append an entry each turn, wherever TensorFlow's puts it and however many it holds."""

import collections
from collections.abc import Iterator, Set
from typing import Any

import tensorflow as tf

_LOOPS = ("StatelessWhile", "While")
_SIZES = ("Rank", "Shape", "ShapeN", "Size", "TensorListLength")
_Value = tuple[str, str]  # the function that it is in, "" for the graph itself; and its name there


def in_reverse(graph: Any) -> Iterator[str]:
    """Yields the names of nodes in bodies of loops that put a value to a place that is counted down."""
    for function in graph.library.function:
        given = set(function.ret.values())  # to the next turn
        counted = {node.input[0] for node in function.node_def if node.op == "Sub" and f"{node.name}:z:0" in given}
        for node in function.node_def:
            if node.op == "TensorListSetItem" and node.input[1] in counted:
                yield node.name


def decided_by_data(graph: Any) -> Iterator[str]:
    """Yields the names of nodes in bodies of loops that fill arrays whose length or places depend on values.

    Where a loop ends early TensorFlow's array has zeros to its length, and ONNX's is shorter: for some values alone,
    which no check may come upon. Sizes of axes are no values, nor is the length of the array itself.

    Args:
        graph: TensorFlow's GraphDef.
    """
    calls = _Calls(graph)
    for name, function in calls.functions.items():
        for node in function.node_def:
            if node.op == "TensorListSetItem":
                array = calls.source((name, node.input[0]))[1]
                for scope, loop in calls.of[name]:
                    if loop.op in _LOOPS and array in calls.arguments[name]:
                        length = calls.length(scope, loop.input[calls.arguments[name].index(array)])
                        if length and calls.is_irregular(name, node, loop, length):
                            yield node.name
                            break


class _Calls:
    """What calls what in a GraphDef, and what values depend on.

    Args:
        graph: TensorFlow's GraphDef.
    """

    def __init__(self, graph: Any):
        self.functions = {function.signature.name: function for function in graph.library.function}
        self.arguments = {
            name: [argument.name for argument in function.signature.input_arg]
            for name, function in self.functions.items()
        }
        self.nodes = {name: {node.name: node for node in each.node_def} for name, each in self.functions.items()}
        self.nodes[""] = {node.name: node for node in graph.node}
        self.of: dict[str, list[tuple[str, Any]]] = collections.defaultdict(list)
        for scope, nodes in self.nodes.items():
            for node in nodes.values():
                for attribute in node.attr.values():
                    for called in (attribute.func, *attribute.list.func):
                        self.of[called.name].append((scope, node))

    def source(self, value: _Value) -> _Value:
        """Returns where a value comes from through identities: an argument's name, or that of an output of a node."""
        scope, name = value
        node = self._node(value)
        return self.source((scope, node.input[0])) if node is not None and node.op == "Identity" else (scope, name)

    def length(self, scope: str, array: str) -> _Value | None:
        """Returns the length that an array is made with; nothing where it is made elsewhere, or grows from 0."""
        scope, array = self.source((scope, array))
        node = self._node((scope, array))
        if node is None or node.op != "TensorListReserve":
            return None
        return self.source((scope, node.input[1]))

    def is_irregular(self, body: str, write: Any, loop: Any, length: _Value) -> bool:
        """Returns whether values decide to which places a node in the body of a loop writes, or when the loop ends."""
        if self._depends((body, write.input[1]), {length}, set()):
            return True
        node = self._node(length)
        grows = node is not None and node.op == "Const" and not tf.make_ndarray(node.attr["value"].tensor).any()
        condition = loop.attr["cond"].func.name
        (ends,) = self.functions[condition].ret.values()
        return not grows and self._depends((condition, ends), {length}, set())

    def _node(self, value: _Value) -> Any:
        scope, name = value
        if name in self.arguments.get(scope, ()):
            return None
        return self.nodes[scope].get(name.lstrip("^").partition(":")[0])

    def _depends(self, value: _Value, known: Set[_Value], seen: set[_Value]) -> bool:
        """Returns whether a value depends on others than constants, sizes and those that are known."""
        value = scope, name = self.source(value)
        if value in known or value in seen:
            return False
        seen.add(value)
        node = self._node(value)
        if node is None:
            place = self.arguments[scope].index(name)
            before = [given for call in self.of[scope] for given in self._given(*call, place)]
        elif node.op in _SIZES or node.op == "Const":
            return False
        elif node.op in _LOOPS:
            before = self._given(scope, node, int(name.rpartition(":")[2]) if ":" in name else 0)
        else:
            before = [(scope, each) for each in node.input if not each.startswith("^")]
            if not before:  # an input of the graph, or drawn
                return True
        return any(self._depends(each, known, seen) for each in before)

    def _given(self, scope: str, node: Any, place: int) -> list[_Value]:
        """Returns what a call gives for an argument of what it calls; a loop, at its start and after a turn."""
        if node.op not in _LOOPS:  # a branch, with what it is chosen by before its arguments
            return [(scope, node.input[place + (node.op in ("Case", "If", "StatelessCase", "StatelessIf"))])]
        body = node.attr["body"].func.name
        output = self.functions[body].signature.output_arg[place].name
        return [(scope, node.input[place]), (body, self.functions[body].ret[output])]
