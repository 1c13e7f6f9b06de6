"""Loops that fill arrays. ONNX's append an entry each turn, wherever TensorFlow's puts it and however many it holds.

So an entry has to go to the next place, and what a loop that ends early leaves out is put there as zeros.
"""

import collections
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

IN_FULL, LAST_ALONE = "_in_full", "_last_alone"  # attributes of what is put behind a stack of an array
_LOOPS = ("StatelessWhile", "While")
_BRANCHES = ("Case", "If", "StatelessCase", "StatelessIf")
_SIZES = ("Rank", "Shape", "ShapeN", "Size")
_Value = tuple[str, str]  # the function that it is in, "" for the graph itself; and its name there


def in_reverse(graph: Any) -> Iterator[str]:
    """Yields the names of nodes in bodies of loops that put a value to a place that is counted down."""
    for function in graph.library.function:
        given = set(function.ret.values())  # to the next turn
        counted = {node.input[0] for node in function.node_def if node.op == "Sub" and f"{node.name}:z:0" in given}
        for node in function.node_def:
            if node.op == "TensorListSetItem" and node.input[1] in counted:
                yield node.name


def placed_by_data(graph: Any) -> Iterator[str]:
    """Yields the names of nodes in bodies of loops that put a value to a place that depends on other values.

    Places that do not, and are others than the next one, are wrong for all inputs: checks find them.

    Args:
        graph: TensorFlow's GraphDef.
    """
    calls = _Calls(graph)
    for name, function in calls.functions.items():
        for node in function.node_def:
            place = name, node.input[1] if node.op == "TensorListSetItem" else ""
            if place[1] and not calls.counts(place) and calls.depends_on_data(place):
                yield node.name


def keep_lengths(graph: Any) -> None:
    """Hands how many entries an array has to what stacks it behind a loop that fills it, through an IdentityN.

    Args:
        graph: TensorFlow's GraphDef, which is changed: `export.ops.arrays` converts what is put in.
    """
    calls = _Calls(graph)
    for scope, nodes in calls.nodes.items():
        for node in [node for node in nodes.values() if node.op == "TensorListStack"]:
            array = calls.source((scope, node.input[0]))
            loop = calls.node(array)
            if loop is None or loop.op not in _LOOPS:
                continue
            place = _output_of(array[1])
            made = calls.node(calls.source((scope, loop.input[place])))
            write = calls.node(calls.after_a_turn(loop, place))
            if made is None or made.op != "TensorListReserve" or write is None or write.op != "TensorListSetItem":
                continue
            if node.attr["element_dtype"].type == tf.variant.as_datatype_enum:  # of ragged rows
                continue
            length = scope, made.input[1]
            is_last = calls.constant((loop.attr["body"].func.name, write.input[1])) == 0
            grows = write.attr["resize_if_index_out_of_bounds"].b and calls.constant(length) == 0
            is_full = grows or (calls.constant(length) == 1 if is_last else calls.fills(length, loop))
            if is_last or not is_full:
                _put_behind(graph, scope, node, made.input[1], {LAST_ALONE: is_last, IN_FULL: is_full})


def _put_behind(graph: Any, scope: str, node: Any, length: str, marks: dict[str, bool]) -> None:
    """Puts an IdentityN behind a node, of what it gives and a length, that all that used it uses."""
    function = next((each for each in graph.library.function if each.signature.name == scope), None)
    before, after = node.name, f"{node.name}/whole"
    if function is not None:
        before, after = f"{before}:tensor:0", f"{after}:output:0"
        for key, value in function.ret.items():
            function.ret[key] = after if value == before else value
    nodes = graph.node if function is None else function.node_def
    for other in nodes:
        other.input[:] = [after if each == before else each for each in other.input]
    whole = nodes.add(name=f"{node.name}/whole", op="IdentityN", input=[before, length])
    whole.attr["T"].list.type.extend([node.attr["element_dtype"].type, tf.int32.as_datatype_enum])
    for mark, value in marks.items():
        whole.attr[mark].b = value


def _output_of(name: str) -> int:
    """Returns which output of its node a tensor is."""
    return int(name.rpartition(":")[2]) if ":" in name else 0


class _Calls:
    """What calls what in a GraphDef, and what values are made of.

    Args:
        graph: TensorFlow's GraphDef.
    """

    def __init__(self, graph: Any):
        self.functions = {function.signature.name: function for function in graph.library.function}
        self.nodes = {name: {node.name: node for node in each.node_def} for name, each in self.functions.items()}
        self.nodes[""] = {node.name: node for node in graph.node}
        self._arguments = {
            name: [argument.name for argument in function.signature.input_arg]
            for name, function in self.functions.items()
        }
        self._callers: dict[str, list[tuple[str, Any]]] = collections.defaultdict(list)
        for scope, nodes in self.nodes.items():
            for node in nodes.values():
                for attribute in node.attr.values():
                    for called in (attribute.func, *attribute.list.func):
                        self._callers[called.name].append((scope, node))

    def node(self, value: _Value) -> Any:
        """Returns the node that a value is an output of; nothing for an argument of a function."""
        scope, name = value
        return None if name in self._arguments.get(scope, ()) else self.nodes[scope].get(name.partition(":")[0])

    def source(self, value: _Value) -> _Value:
        """Returns where a value comes from through identities and casts."""
        while (node := self.node(value)) is not None and node.op in ("Cast", "Identity"):
            value = value[0], node.input[0]
        return value

    def after_a_turn(self, loop: Any, place: int) -> _Value:
        """Returns where what a loop hands to the next turn comes from."""
        body = loop.attr["body"].func.name
        function = self.functions[body]
        return self.source((body, function.ret[function.signature.output_arg[place].name]))

    def constant(self, value: _Value) -> int | None:
        """Returns a number that is known, also one that a loop hands on as it is."""
        value = scope, name = self.source(value)
        node = self.node(value)
        if node is not None:
            known = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None
            return int(known) if known is not None and known.ndim == 0 and known.dtype.kind in "iu" else None
        place, found = self._arguments[scope].index(name), set()
        for caller, call in self._callers[scope]:
            if call.op not in _LOOPS or self.after_a_turn(call, place)[1] != self._arguments_of(call)[place]:
                return None
            found.add(self.constant((caller, call.input[place])))
        return found.pop() if len(found) == 1 else None

    def counts(self, value: _Value) -> bool:
        """Returns whether a value in the body of a loop is 0 in the first turn, and one more in each."""
        scope, name, offset = self._offset(value)
        if name not in self._arguments.get(scope, ()):
            return False
        place = self._arguments[scope].index(name)
        for caller, loop in self._callers[scope]:
            first = self.constant((caller, loop.input[place])) if loop.op in _LOOPS else None
            if first is None or first + offset or self._offset(self.after_a_turn(loop, place)) != (scope, name, 1):
                return False
        return True

    def fills(self, length: _Value, loop: Any) -> bool:
        """Returns whether a loop takes as many turns as an array made beside it is long, whatever is passed in."""
        condition, body = (loop.attr[name].func.name for name in ("cond", "body"))
        left = [(condition, *self.functions[condition].ret.values())]
        while left:
            node = self.node(self.source(left.pop()))
            if node is None or node.op not in ("Less", "LogicalAnd"):
                return False
            first, second = ((condition, name) for name in node.input[:2])
            if node.op == "LogicalAnd":
                left += [first, second]
                continue
            counter = self.source(first)[1]
            if counter not in self._arguments[condition]:
                return False
            counter = body, self._arguments[body][self._arguments[condition].index(counter)]
            if not self.counts(counter) or not self._is_same(second, length, loop):
                return False
        return True

    def _is_same(self, limit: _Value, length: _Value, loop: Any) -> bool:
        """Returns whether a value in the condition of a loop is one from outside."""
        scope, name = self.source(limit)
        if name in self._arguments[scope]:
            place = self._arguments[scope].index(name)
            is_handed_on = self.after_a_turn(loop, place)[1] == self._arguments_of(loop)[place]
            limit = (length[0], loop.input[place]) if is_handed_on else limit
        known = self.constant(length)
        return self.source(limit) == self.source(length) or (known is not None and known == self.constant(limit))

    def _arguments_of(self, loop: Any) -> list[str]:
        return self._arguments[loop.attr["body"].func.name]

    def _offset(self, value: _Value) -> tuple[str, str, int]:
        """Returns what a value is a sum of: another one, and a known number."""
        total = 0
        while True:
            value = self.source(value)
            node = self.node(value)
            if node is None or node.op not in ("Add", "AddV2", "Sub"):
                return (*value, total)
            first, second = ((value[0], name) for name in node.input[:2])
            added = self.constant(second)
            if added is None and node.op != "Sub":
                first, added = second, self.constant(first)
            if added is None:
                return (*value, total)
            value, total = first, total + (-added if node.op == "Sub" else added)

    def depends_on_data(self, value: _Value) -> bool:
        """Returns whether a value depends on what is passed in, but for its sizes, or on what is drawn."""
        left, seen = [value], set()
        while left:
            value = scope, name = self.source(left.pop())
            if value in seen:
                continue
            seen.add(value)
            node = self.node(value)
            if node is None:
                left += self._before(scope, name)
            elif node.op in _LOOPS:
                left += [(scope, node.input[_output_of(name)]), self.after_a_turn(node, _output_of(name))]
            elif node.op in _SIZES:
                measured = self.source((scope, node.input[0]))
                is_input = self.node(measured) is not None and self.node(measured).op == "Placeholder"
                left += [] if is_input else [measured]
            elif node.op != "Const":
                inputs = [(scope, each) for each in node.input if not each.startswith("^")]
                if not inputs:
                    return True
                left += inputs
        return False

    def _before(self, scope: str, name: str) -> Iterator[_Value]:
        """Yields what an argument of a function is given: by a loop, at its start and after a turn."""
        place = self._arguments[scope].index(name)
        for caller, call in self._callers[scope]:
            yield caller, call.input[place + (call.op in _BRANCHES)]  # which have what they choose by before it
            if call.op in _LOOPS:
                yield self.after_a_turn(call, place)
