"""Loops that fill arrays. ONNX's append an entry each turn, wherever TensorFlow's puts it and however many it holds.

So an entry has to go to the next place, and what a loop that ends early leaves out is put there as zeros.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from export.graphdef.dataflow import LOOPS, Calls, Value, output_of

IN_FULL, LAST_ALONE = "_in_full", "_last_alone"  # attributes of what is put behind a stack of an array


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
    calls = Calls(graph)
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
    calls = Calls(graph)
    for scope, nodes in calls.nodes.items():
        for node in nodes.values():
            if node.op != "TensorListGetItem":
                continue
            filled = _filled(calls, calls.from_outside((scope, node.input[0])))
            if filled and (filled.is_last or not filled.is_full):
                yield node.name


def keep_lengths(graph: Any) -> None:
    """Hands how many entries an array has to what stacks it behind a loop that fills it, through an IdentityN.

    Args:
        graph: TensorFlow's GraphDef, which is changed: `export.ops.arrays` converts what is put in.
    """
    calls = Calls(graph)
    for scope, nodes in calls.nodes.items():
        for node in [node for node in nodes.values() if node.op == "TensorListStack"]:
            filled = _filled(calls, calls.source((scope, node.input[0])))
            is_ragged = node.attr["element_dtype"].type == tf.variant.as_datatype_enum  # of which there are no zeros
            if filled and not is_ragged and (filled.is_last or not filled.is_full):
                _put_behind(graph, scope, node, filled)


def _filled(calls: Calls, array: Value) -> Filled | None:
    """Returns what is known of an array that is an output of a loop; nothing where that does not fill it."""
    scope, loop, place = array[0], calls.node(array), output_of(array[1])
    if loop is None or loop.op not in LOOPS:
        return None
    made, write = calls.node(calls.source((scope, loop.input[place]))), calls.node(calls.after_a_turn(loop, place))
    if made is None or made.op != "TensorListReserve" or write is None or write.op != "TensorListSetItem":
        return None
    length, body = (scope, made.input[1]), loop.attr["body"].func.name
    is_last = calls.constant((body, write.input[1])) == 0
    if write.attr["resize_if_index_out_of_bounds"].b and calls.constant(length) == 0:
        is_full = True
    elif is_last:
        is_full = calls.constant(length) == 1 and not calls.depends_on_data(calls.condition_of(loop))
    else:
        is_full = calls.fills(length, loop)
    return Filled(made.input[1], is_last, is_full)


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
