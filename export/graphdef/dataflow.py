"""What calls what in TensorFlow's GraphDef, and what values are made of, through functions, loops and branches."""

import collections
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

LOOPS = ("StatelessWhile", "While")
_BRANCHES = ("Case", "If", "StatelessCase", "StatelessIf")
_SIZES = ("Rank", "Shape", "ShapeN", "Size")
# Which of the inputs of an op say how large its outputs are; and ops of which all inputs do, or none can be told.
_SIZED_BY = {
    "BroadcastTo": (1,),
    "Conv2DBackpropInput": (0,),
    "CropAndResize": (3,),
    "Fill": (0,),
    "LinSpace": (2,),
    "MirrorPad": (1,),
    "OneHot": (1,),
    "Pad": (1,),
    "PadV2": (1,),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "ScatterNd": (2,),
    "Slice": (1, 2),
    "SplitV": (1,),
    "StridedSlice": (1, 2, 3),
    "Tile": (1,),
    "TopKV2": (1,),
}
_SIZED_BY_ALL = re.compile(
    r"Where|Unique|ListDiff|NonMax|DynamicPartition|Sparse|Ragged|Tensor(List|Array)|Stateless|Random|Resize|"
    r"SpaceToBatch|BatchToSpace|\w*(Bincount|Segment|Stitch|While|If$|Case$|PartitionedCall)"
)
_INTEGERS = {tf.int32.as_datatype_enum, tf.int64.as_datatype_enum}
Value = tuple[str, str]  # the function that it is in, "" for the graph itself; and its name there


def output_of(name: str) -> int:
    """Returns which output of its node a tensor is."""
    return int(name.rpartition(":")[2]) if ":" in name else 0


def _is_of_integers(node: Any) -> bool:
    """Returns whether a node casts integers to integers that hold them."""
    return node.op == "Cast" and {node.attr["SrcT"].type, node.attr["DstT"].type} <= _INTEGERS


class Calls:
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

    def node(self, value: Value) -> Any:
        """Returns the node that a value is an output of; nothing for an argument of a function."""
        scope, name = value
        return None if name in self._arguments.get(scope, ()) else self.nodes[scope].get(name.partition(":")[0])

    def source(self, value: Value) -> Value:
        """Returns where a value comes from through identities, and casts of integers."""
        while (node := self.node(value)) is not None and (node.op == "Identity" or _is_of_integers(node)):
            value = value[0], node.input[0]
        return value

    def condition_of(self, loop: Any) -> Value:
        """Returns what decides whether a loop goes on."""
        name = loop.attr["cond"].func.name
        return (name, *self.functions[name].ret.values())

    def conditions_of(self, body: str) -> list[Value]:
        """Returns what decides whether the loops whose body a function is go on."""
        return [self.condition_of(loop) for _, loop in self._callers[body] if loop.op in LOOPS]

    def from_outside(self, value: Value) -> Value:
        """Returns where a value comes from, also through arguments that a loop hands on as they are."""
        value = scope, name = self.source(value)
        if self.node(value) is not None:
            return value
        place, callers = self._arguments[scope].index(name), self._callers[scope]
        if not all(call.op in LOOPS and self._is_handed_on(call, place) for _, call in callers):
            return value
        given = {self.from_outside((caller, call.input[place])) for caller, call in callers}
        return given.pop() if len(given) == 1 else value

    def after_a_turn(self, loop: Any, place: int) -> Value:
        """Returns where what a loop hands to the next turn comes from."""
        body = loop.attr["body"].func.name
        function = self.functions[body]
        return self.source((body, function.ret[function.signature.output_arg[place].name]))

    def constant(self, value: Value) -> int | None:
        """Returns a number that is known, also one that a loop hands on as it is."""
        value = scope, name = self.source(value)
        node = self.node(value)
        if node is not None:
            known = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None
            return int(known) if known is not None and known.ndim == 0 and known.dtype.kind in "iu" else None
        place, found = self._arguments[scope].index(name), set()
        for caller, call in self._callers[scope]:
            if call.op not in LOOPS or not self._is_handed_on(call, place):
                return None
            found.add(self.constant((caller, call.input[place])))
        return found.pop() if len(found) == 1 else None

    def counts(self, value: Value) -> bool:
        """Returns whether a value in the body of a loop is 0 in the first turn, and one more in each."""
        scope, name, offset = self._offset(value)
        node, start = self.node((scope, name)), None
        if node is not None and node.op == "Sub":  # of where it started
            start = self.from_outside((scope, node.input[1]))
            scope, name, more = self._offset((scope, node.input[0]))
            offset += more
        if name not in self._arguments.get(scope, ()):
            return False
        place = self._arguments[scope].index(name)
        for caller, loop in self._callers[scope]:
            if loop.op not in LOOPS or self._offset(self.after_a_turn(loop, place)) != (scope, name, 1):
                return False
            first = caller, loop.input[place]
            known = self.constant(first) if start is None else 0 if self.from_outside(first) == start else None
            if known is None or known + offset:
                return False
        return True

    def fills(self, length: Value, loop: Any) -> bool:
        """Returns whether a loop takes as many turns as an array made beside it is long, whatever is passed in."""
        condition, body = (loop.attr[name].func.name for name in ("cond", "body"))
        left = [self.condition_of(loop)]
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

    def _is_same(self, limit: Value, length: Value, loop: Any) -> bool:
        """Returns whether a value in the condition of a loop is one from outside."""
        scope, name = self.source(limit)
        if name in self._arguments[scope]:
            place = self._arguments[scope].index(name)
            limit = (length[0], loop.input[place]) if self._is_handed_on(loop, place) else limit
        known = self.constant(length)
        return self.source(limit) == self.source(length) or (known is not None and known == self.constant(limit))

    def _is_handed_on(self, loop: Any, place: int) -> bool:
        return self.after_a_turn(loop, place)[1] == self._arguments[loop.attr["body"].func.name][place]

    def _offset(self, value: Value) -> tuple[str, str, int]:
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

    def depends_on_data(self, value: Value) -> bool:
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
            elif node.op in LOOPS:
                place = output_of(name)
                left.append((scope, node.input[place]))
                if not self._is_handed_on(node, place):
                    left += [self.after_a_turn(node, place), self.condition_of(node)]
            elif node.op in _SIZES:
                if self._is_sized_by_data((scope, node.input[0])):
                    return True
            elif node.op != "Const":
                inputs = [(scope, each) for each in node.input if not each.startswith("^")]
                if not inputs:
                    return True
                left += inputs
        return False

    def _is_sized_by_data(self, value: Value) -> bool:
        """Returns whether a tensor is larger for some values than for others, or may be."""
        left, seen = [value], set()
        while left:
            value = scope, _ = self.from_outside(left.pop())
            if value in seen:
                continue
            seen.add(value)
            node = self.node(value)
            if node is None or _SIZED_BY_ALL.match(node.op):
                return True
            if node.op in _SIZES:
                continue
            inputs = [(scope, each) for each in node.input if not each.startswith("^")]
            sized_by = _SIZED_BY.get(node.op, ())
            if any(self.depends_on_data(inputs[place]) for place in sized_by):
                return True
            left += [each for place, each in enumerate(inputs) if place not in sized_by]
        return False

    def _before(self, scope: str, name: str) -> Iterator[Value]:
        """Yields what an argument of a function is given: by a loop, at its start and after a turn."""
        place = self._arguments[scope].index(name)
        for caller, call in self._callers[scope]:
            yield caller, call.input[place + (call.op in _BRANCHES)]  # which have what they choose by before it
            if call.op in LOOPS:
                yield self.after_a_turn(call, place)
