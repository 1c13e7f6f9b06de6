"""Loops that fill arrays. ONNX's append an entry each turn, wherever TensorFlow's puts it and however many it holds.

So an entry has to go to the next place, and what a loop that ends early leaves out is put there as zeros.
"""

import collections
import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

IN_FULL, LAST_ALONE = "_in_full", "_last_alone"  # attributes of what is put behind a stack of an array
_LOOPS = ("StatelessWhile", "While")
_BRANCHES = ("Case", "If", "StatelessCase", "StatelessIf")
_SIZES = ("Rank", "Shape", "ShapeN", "Size")
# Which of the inputs of an op say how large its outputs are; and ops of which all inputs do, or none can be told.
_SIZED_BY = {
    "BroadcastTo": (1,),
    "Fill": (0,),
    "LinSpace": (2,),
    "MirrorPad": (1,),
    "OneHot": (1,),
    "Pad": (1,),
    "PadV2": (1,),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Slice": (1, 2),
    "StridedSlice": (1, 2, 3),
    "Tile": (1,),
    "TopKV2": (1,),
}
_SIZED_BY_ALL = re.compile(
    r"Where|Unique|ListDiff|NonMax|DynamicPartition|\w*Bincount|Sparse|Ragged|Tensor(List|Array)|Stateless|Random|Resize|"
    r"SpaceToBatch|BatchToSpace|\w*While|\w*If$|\w*Case$|\w*PartitionedCall"
)
_INTEGERS = {tf.int32.as_datatype_enum, tf.int64.as_datatype_enum}
_Value = tuple[str, str]  # the function that it is in, "" for the graph itself; and its name there


@dataclasses.dataclass(frozen=True)
class Filled:
    """An array that a loop fills.

    Attributes:
        length: How many entries it has, as a tensor.
        is_last: Whether each turn writes the first entry.
        is_full: Whether there are as many entries as turns, or one where each turn writes it.
    """

    length: str
    is_last: bool
    is_full: bool


def in_reverse(graph: Any) -> Iterator[str]:
    """Yields the names of nodes in bodies of loops that put a value to a place that is counted down."""
    for function in graph.library.function:
        given = set(function.ret.values())  # to the next turn
        counted = {node.input[0] for node in function.node_def if node.op == "Sub" and f"{node.name}:z:0" in given}
        for node in function.node_def:
            if node.op == "TensorListSetItem" and node.input[1] in counted:
                yield node.name


def placed_by_data(graph: Any) -> Iterator[str]:
    """Yields the names of nodes in bodies of loops that put a value to another place than the next, as data decide.

    Where neither places nor the number of turns depend on data, what is put elsewhere is something else whatever is
    passed in: checks find it.

    Args:
        graph: TensorFlow's GraphDef.
    """
    calls = _Calls(graph)
    for name, function in calls.functions.items():
        for node in function.node_def:
            place = name, node.input[1] if node.op == "TensorListSetItem" else ""
            if not place[1] or calls.counts(place) or calls.constant(place) == 0:
                continue
            if any(calls.depends_on_data(each) for each in (place, *calls.conditions_of(name))):
                yield node.name


def read_one_by_one(graph: Any) -> Iterator[str]:
    """Yields the names of nodes that read an entry of an array that a loop may not have filled, or filled otherwise.

    Args:
        graph: TensorFlow's GraphDef.
    """
    calls = _Calls(graph)
    for scope, nodes in calls.nodes.items():
        for node in nodes.values():
            if node.op == "TensorListGetItem":
                array = calls.from_outside((scope, node.input[0]))
                filled = calls.filled_by(array)
                if filled and not (filled.is_full and not filled.is_last):
                    yield node.name


def keep_lengths(graph: Any) -> None:
    """Hands how many entries an array has to what stacks it behind a loop that fills it, through an IdentityN.

    Args:
        graph: TensorFlow's GraphDef, which is changed: `export.ops.arrays` converts what is put in.
    """
    calls = _Calls(graph)
    for scope, nodes in calls.nodes.items():
        for node in [node for node in nodes.values() if node.op == "TensorListStack"]:
            filled = calls.filled_by(calls.source((scope, node.input[0])))
            is_ragged = node.attr["element_dtype"].type == tf.variant.as_datatype_enum  # of which there are no zeros
            if filled and not is_ragged and (filled.is_last or not filled.is_full):
                _put_behind(graph, scope, node, filled)


def _put_behind(graph: Any, scope: str, node: Any, filled: Filled) -> None:
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
    whole = nodes.add(name=f"{node.name}/whole", op="IdentityN", input=[before, filled.length])
    whole.attr["T"].list.type.extend([node.attr["element_dtype"].type, tf.int32.as_datatype_enum])
    whole.attr[IN_FULL].b, whole.attr[LAST_ALONE].b = filled.is_full, filled.is_last


def _output_of(name: str) -> int:
    """Returns which output of its node a tensor is."""
    return int(name.rpartition(":")[2]) if ":" in name else 0


def _is_of_integers(node: Any) -> bool:
    """Returns whether a node casts integers to integers that hold them."""
    return node.op == "Cast" and {node.attr["SrcT"].type, node.attr["DstT"].type} <= _INTEGERS


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
        """Returns where a value comes from through identities, and casts of integers."""
        while (node := self.node(value)) is not None and (node.op == "Identity" or _is_of_integers(node)):
            value = value[0], node.input[0]
        return value

    def conditions_of(self, body: str) -> list[_Value]:
        """Returns what decides whether the loops whose body a function is go on."""
        loops = [loop.attr["cond"].func.name for _, loop in self._callers[body] if loop.op in _LOOPS]
        return [(name, ends) for name in loops for ends in self.functions[name].ret.values()]

    def from_outside(self, value: _Value) -> _Value:
        """Returns where a value comes from, also through arguments that a loop hands on as they are."""
        value = scope, name = self.source(value)
        if self.node(value) is None and len(self._callers[scope]) > 0:
            place, (caller, call) = self._arguments[scope].index(name), self._callers[scope][0]
            if all(each.op in _LOOPS and self._is_handed_on(each, place) for _, each in self._callers[scope]):
                return self.from_outside((caller, call.input[place]))
        return value

    def filled_by(self, array: _Value) -> Filled | None:
        """Returns what is known of an array that is an output of a loop; nothing where that does not fill it."""
        scope, loop, place = array[0], self.node(array), _output_of(array[1])
        if loop is None or loop.op not in _LOOPS:
            return None
        made, write = self.node(self.source((scope, loop.input[place]))), self.node(self.after_a_turn(loop, place))
        if made is None or made.op != "TensorListReserve" or write is None or write.op != "TensorListSetItem":
            return None
        length, condition = (scope, made.input[1]), loop.attr["cond"].func.name
        is_last = self.constant((loop.attr["body"].func.name, write.input[1])) == 0
        grows = write.attr["resize_if_index_out_of_bounds"].b and self.constant(length) == 0
        if is_last:
            (goes_on,) = self.functions[condition].ret.values()
            is_full = grows or (self.constant(length) == 1 and not self.depends_on_data((condition, goes_on)))
        else:
            is_full = grows or self.fills(length, loop)
        return Filled(made.input[1], is_last, is_full)

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
            if call.op not in _LOOPS or not self._is_handed_on(call, place):
                return None
            found.add(self.constant((caller, call.input[place])))
        return found.pop() if len(found) == 1 else None

    def counts(self, value: _Value) -> bool:
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
            if loop.op not in _LOOPS or self._offset(self.after_a_turn(loop, place)) != (scope, name, 1):
                return False
            first = caller, loop.input[place]
            known = self.constant(first) if start is None else 0 if self.from_outside(first) == start else None
            if known is None or known + offset:
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
            limit = (length[0], loop.input[place]) if self._is_handed_on(loop, place) else limit
        known = self.constant(length)
        return self.source(limit) == self.source(length) or (known is not None and known == self.constant(limit))

    def _is_handed_on(self, loop: Any, place: int) -> bool:
        return self.after_a_turn(loop, place)[1] == self._arguments[loop.attr["body"].func.name][place]

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
                place, condition = _output_of(name), node.attr["cond"].func.name
                left.append((scope, node.input[place]))
                if not self._is_handed_on(node, place):
                    (goes_on,) = self.functions[condition].ret.values()
                    left += [self.after_a_turn(node, place), (condition, goes_on)]
            elif node.op in _SIZES:
                if self._is_sized_by_data((scope, node.input[0])):
                    return True
            elif node.op != "Const":
                inputs = [(scope, each) for each in node.input if not each.startswith("^")]
                if not inputs:
                    return True
                left += inputs
        return False

    def _is_sized_by_data(self, value: _Value) -> bool:
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

    def _before(self, scope: str, name: str) -> Iterator[_Value]:
        """Yields what an argument of a function is given: by a loop, at its start and after a turn."""
        place = self._arguments[scope].index(name)
        for caller, call in self._callers[scope]:
            yield caller, call.input[place + (call.op in _BRANCHES)]  # which have what they choose by before it
            if call.op in _LOOPS:
                yield self.after_a_turn(call, place)
