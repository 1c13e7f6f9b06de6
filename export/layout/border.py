"""What stands at the border of a group and gives, or takes, any order for nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np

from export.layout.inside import ELEMENTWISE, Edit
from export.layout.permutations import (
    RANK,
    Order,
    inverse,
    permutation,
    places_of,
    same_numbers,
    then,
)
from export.layout.tensors import Tensors


def source_edit(tensors: Tensors, node: Any, order: Order, needed: bool) -> Callable[[], str] | None:
    """Returns what makes the tensor that a node gives in another order, or None if only a transpose does.

    Args:
        node: Whatever gives the tensor; None for one from outside of the graph.
        order: The order.
        needed: Whether the tensor is needed in its old order too.
    """
    if node is None or node.type not in ("Reshape", "Unsqueeze", "Einsum"):
        return None
    shape = tensors.graph.get_shape(node.output[0])
    new_shape = [shape[axis] for axis in order]
    dtypes = [tensors.graph.get_dtype(node.output[0])]
    if node.type != "Einsum":
        dense = [] if same_numbers(shape, order) else _dense_edits(tensors, node, order)
        if dense is None or (dense and needed) or shape.count(-1) > 1:
            return None

        def reshaped() -> str:
            for edit in dense:
                edit()
            inputs = [node.input[0], tensors.const(new_shape)]
            return tensors.graph.make_node("Reshape", inputs, shapes=[new_shape], dtypes=dtypes).output[0]

        return reshaped
    inputs, output = _equation(node)
    if len(output) != RANK or "." in output or tensors.named.intersection(node.output):
        return None

    def contracted() -> str:
        equation = f"{','.join(inputs)}->{''.join(output[axis] for axis in order)}"
        attributes = {"equation": equation}
        made = tensors.graph.make_node("Einsum", list(node.input), attributes, shapes=[new_shape], dtypes=dtypes)
        return made.output[0]

    return contracted


def use_edit(tensors: Tensors, node: Any, name: str, order: Order) -> Edit | None:
    """Returns what makes a node take its input in another order, or None if it cannot."""
    if node.type == "Transpose":
        taken = then(inverse(order), permutation(node))
        return lambda: node.set_attr("perm", list(taken))
    if node.type == "Shape" and not node.get_attr("start") and not node.get_attr("end"):
        return lambda: _reordered_shape(tensors, node, order)
    if node.type == "Reshape" and node.input[0] == name and node.input[1] != name:
        sizes = tensors.graph.get_tensor_value(node.input[1]) if tensors.is_const(node.input[1]) else [0]
        if 0 not in sizes:
            shape = tensors.graph.get_shape(name)
            return (lambda: None) if same_numbers(shape, order) else _rows_edit(tensors, node, shape, order)
    if node.type == "Einsum":
        places = [place for place, each in enumerate(node.input) if each == name]
        letters = [_equation(node)[0][place] for place in places]
        if all(len(each) == RANK and "." not in each for each in letters):  # "..." is any number of axes
            return lambda: _reorder_inputs(node, places, order)
    return None


def _dense_edits(tensors: Tensors, node: Any, order: Order) -> list[Edit] | None:
    """Returns what makes the dense layer before a Reshape give its numbers in another order, or None."""
    places = places_of(tensors.graph.get_shape(node.output[0]), order)
    edits, name = [], node.input[0]
    while places is not None and len(tensors.consumers[name]) == 1 and name not in tensors.named:
        source = tensors.producers.get(name)
        if source is None or tensors.graph.get_shape(name) is None:
            return None
        if source.type in ELEMENTWISE:
            (name,) = source.input
        elif source.type in ("Add", "Mul") and [tensors.is_const(each) for each in source.input].count(True) == 1:
            place = [tensors.is_const(each) for each in source.input].index(True)
            value = tensors.constant(source.input[place])
            if value.size == len(places):
                edits.append(_picked(tensors, source, place, value, places, value.ndim - 1))
            elif value.size != 1:
                return None
            name = source.input[1 - place]
        elif source.type == "MatMul":
            weights = tensors.value(source, 1)
            fits = weights is not None and weights.ndim == 2 and weights.shape[1] == len(places)
            return [*edits, _picked(tensors, source, 1, weights, places, 1)] if fits else None
        else:
            return None
    return None


def _rows_edit(tensors: Tensors, node: Any, shape: list[int], order: Order) -> Edit | None:
    """Returns what makes the dense layers behind a Reshape take their numbers in another order, or None."""
    places, users = places_of(shape, order), tensors.consumers.get(node.output[0], [])
    if places is None or not users or node.output[0] in tensors.named or tensors.rank(node.output[0]) != 2:
        return None
    edits = []
    for user in users:
        weights = tensors.value(user, 1) if user.type == "MatMul" and user.input[0] == node.output[0] else None
        if weights is None or weights.ndim != 2 or len(weights) != len(places):
            return None
        edits.append(_picked(tensors, user, 1, weights, places, 0))

    def permute() -> None:
        for edit in edits:
            edit()

    return permute


def _picked(tensors: Tensors, node: Any, place: int, value: Any, places: np.ndarray, axis: int) -> Edit:
    return lambda: tensors.put(node, place, np.take(value, places, axis), value.dtype)


def _reordered_shape(tensors: Tensors, node: Any, order: Order) -> None:
    graph, sizes = tensors.graph, node.output[0]
    users = tensors.consumers.get(sizes, [])
    axes = tensors.const(inverse(order))
    dtypes = [graph.get_dtype(sizes)]
    if sizes in tensors.named:
        # Those that know it by its name are to see the old order.
        node_input = node.input[0]
        graph.remove_node(node.name)
        raw = graph.make_node("Shape", [node_input], shapes=[[RANK]], dtypes=dtypes).output[0]
        graph.make_node("Gather", [raw, axes], outputs=[sizes], shapes=[[RANK]], dtypes=dtypes)
        return
    reordered = graph.make_node("Gather", [sizes, axes], shapes=[[RANK]], dtypes=dtypes).output[0]
    for user in users:
        graph.replace_input(user, sizes, reordered)


def _equation(node: Any) -> tuple[list[str], str]:
    inputs, output = node.get_attr_str("equation").replace(" ", "").split("->")
    return inputs.split(","), output


def _reorder_inputs(node: Any, places: list[int], order: Order) -> None:
    inputs, output = _equation(node)
    for place in places:
        inputs[place] = "".join(inputs[place][axis] for axis in order)
    node.set_attr("equation", f"{','.join(inputs)}->{output}")
