"""A pass that takes transposes out of chains of convolutions.

TensorFlow keeps channels last and ONNX keeps them second, so that a converted convolution stands between two
transposes. tf2onnx's own pass moves them through many ops, but stops where two tensors that are not constant meet, at
attention, and in most gradients.

Here tensors of four axes are grouped: in a group are those that ops connect which work in any order of axes, as sums or
concatenations do once their attributes speak of the other order. Where storing a whole group in another order leaves
fewer numbers to transpose at its border, that is done, until no group is better off.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from tf2onnx import utils
from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase

Order = tuple[int, ...]
Edit = Callable[[], None]

_RANK = 4
_LIKELY_SIZE = 16  # of an axis of unknown size
_MOVING = frozenset(("Conv", "ConvTranspose", "Transpose"))  # without one, there is nothing to gain
_SAME, _CHANNELS_FIRST, _CHANNELS_LAST = (0, 1, 2, 3), (0, 3, 1, 2), (0, 2, 3, 1)


class Layout(GraphOptimizerBase):
    """The pass, as tf2onnx runs them."""

    def _optimize(self, graph: Any) -> Any:
        return self._apply_optimization(graph, self._improve)

    def _improve(self, graph: Any) -> Any:
        for name in graph.outputs if self.opt_iteration == 0 else ():
            _keep_by_identity(graph, name)
        for node in [node for node in graph.get_nodes() if node.type == "Transpose"]:
            _correct_shape(graph, node)
        graph.topological_sort(graph.get_nodes())
        while any(node.type in _MOVING for node in graph.get_nodes()) and _Orders(graph).improve():
            self.graph_been_opt = True
            graph.delete_unused_nodes(graph.outputs)
            graph.topological_sort(graph.get_nodes())
        for node in [node for node in graph.get_nodes() if node.type == "Transpose"]:
            _without_moving(graph, node)
        return graph


@dataclasses.dataclass
class _Group:
    tensors: set[str]
    nodes: list[Any]


class _Orders:
    """The orders of axes in one graph; the bodies of its loops are graphs of their own."""

    def __init__(self, graph: Any):
        self.graph = graph
        self.nodes = list(graph.get_nodes())
        self.producers = {name: node for node in self.nodes for name in node.output}
        self.places = {name: place for place, name in enumerate(self.producers)}
        self.consumers: dict[str, list[Any]] = {}
        self.known: dict[str, bool] = {}  # whether tensors are images
        self.named = set(graph.outputs)  # tensors known outside by their names
        for node in self.nodes:
            self.named.update(node.get_implicit_inputs())
            for name in dict.fromkeys(node.input):
                self.consumers.setdefault(name, []).append(node)

    def improve(self) -> bool:
        """Stores the first group that is better off in another order so; returns whether there was one."""
        for order in (_CHANNELS_FIRST, _CHANNELS_LAST):
            for group in self._groups(order):
                if self._gain(group, order) > 0:
                    self._store(group, order)
                    return True
        return False

    def _groups(self, order: Order) -> list[_Group]:
        """Returns groups of tensors that can change their order together."""
        group_of: dict[str, _Group] = {}
        for node in self.nodes:
            images = self._images(node)
            if not images or self.named.intersection(node.output) or self._edits(node, order) is None:
                continue
            group = _Group(set(images), [node])
            for other in {id(found): found for name in images if (found := group_of.get(name))}.values():
                group.tensors |= other.tensors
                group.nodes += other.nodes
            group_of.update(dict.fromkeys(group.tensors, group))
        for node in self.nodes:
            if node.type == "Transpose":
                for name in self._images(node):
                    group_of.setdefault(name, _Group({name}, []))
        return list({id(group): group for group in group_of.values()}.values())

    def _images(self, node: Any) -> list[str]:
        """Returns the tensors of four axes that go into a node or come out, without constants."""
        return [name for name in dict.fromkeys((*node.input, *node.output)) if self._is_image(name)]

    def _is_image(self, name: str) -> bool:
        if name not in self.known:
            self.known[name] = bool(name) and self._rank(name) == _RANK and not self._is_const(name)
        return self.known[name]

    def _gain(self, group: _Group, order: Order) -> int:
        """Returns how many numbers less are transposed if a group is stored in another order."""
        members = {id(node) for node in group.nodes}
        gain = 0
        for name in group.tensors:
            source = self.producers.get(name)
            inside, transposed = id(source) in members, source is not None and source.type == "Transpose"
            outside = [node for node in self.consumers.get(name, []) if id(node) not in members]
            leaving = [node for node in outside if node.type == "Transpose" and node.output[0] not in group.tensors]
            before = [_permutation(node) for node in leaving]
            after = [_then(_inverse(order), each) for each in before]
            saved = _count(before) - _count(after)
            if source is not None and transposed:
                first = _inverse(order) if source.input[0] in group.tensors else _SAME
                saved += 1 - _count([_then(_then(first, _permutation(source)), order)])
            needed = self._needed(name, outside, order)
            if not inside and not transposed and self._source_edit(source, order, needed) is None:
                saved -= 1
            if (inside or transposed) and needed:
                saved -= 1
            shape = self.graph.get_shape(name)
            if not _same_numbers(shape, order):  # else it is a matter of saying another shape
                gain += saved * _size(shape)
        for node in group.nodes:
            if node.type in _BROADCASTING:
                shape = self.graph.get_shape(node.output[0])
                gain += _size(shape) * ((shape[-1] == 1) - (shape[order[-1]] == 1))
        return gain

    def _needed(self, name: str, outside: Iterable[Any], order: Order) -> bool:
        """Returns whether a tensor is needed in its old order too."""
        return name in self.named or any(self._use_edit(node, name, order) is None for node in outside)

    def _store(self, group: _Group, order: Order) -> None:
        graph, members = self.graph, {id(node) for node in group.nodes}
        edits = [edit for node in group.nodes for edit in self._edits(node, order) or ()]
        # A node at the border may take from the group and give to it: what it takes is changed first.
        inside = {name for name in group.tensors if id(self.producers.get(name)) in members}
        for name in sorted(group.tensors, key=lambda each: (each not in inside, self.places.get(each, -1))):
            source, shape = self.producers.get(name), graph.get_shape(name)
            outside = [node for node in self.consumers.get(name, []) if id(node) not in members]
            uses = [(node, self._use_edit(node, name, order)) for node in outside]
            if name in inside:
                graph.set_shape(name, [shape[axis] for axis in order])
                old = [node for node, edit in uses if edit is None]
                if old:
                    restored = self._transposed(name, _inverse(order), shape)
                    for node in old:
                        graph.replace_input(node, name, restored)
            else:
                stored = self._stored(source, name, order, any(edit is None for _, edit in uses))
                for node in [*group.nodes, *(node for node, edit in uses if edit is not None)]:
                    if name in node.input:
                        graph.replace_input(node, name, stored)
            for _, edit in uses:
                if edit is not None:
                    edit()
        for edit in edits:
            edit()

    def _stored(self, source: Any, name: str, order: Order, needed: bool) -> str:
        """Returns a tensor from outside of a group in the order of the group."""
        shape = self.graph.get_shape(name)
        if source is not None and source.type == "Transpose":
            combined = _then(_permutation(source), order)
            return source.input[0] if combined == _SAME else self._transposed(source.input[0], combined, shape, order)
        make = self._source_edit(source, order, needed or name in self.named)
        return self._transposed(name, order, shape, order) if make is None else make()

    def _transposed(self, name: str, permutation: Order, shape: list[int], order: Order = _SAME) -> str:
        """Returns a new tensor, whose shape is that given in an order."""
        attributes = {"perm": list(permutation)}
        dtypes = [self.graph.get_dtype(name)]
        shapes = [[shape[axis] for axis in order]]
        before = self.graph.get_shape(name)
        if _same_numbers(before, permutation) and before.count(-1) <= 1:
            inputs = [name, self._const(shapes[0])]
            return self.graph.make_node("Reshape", inputs, shapes=shapes, dtypes=dtypes).output[0]
        return self.graph.make_node("Transpose", [name], attributes, shapes=shapes, dtypes=dtypes).output[0]

    # What stands at the border of a group and gives, or takes, any order for nothing.

    def _source_edit(self, node: Any, order: Order, needed: bool) -> Callable[[], str] | None:
        """Returns what makes the tensor that a node gives in another order, or None if only a transpose does.

        Args:
            node: Whatever gives the tensor; None for one from outside of the graph.
            order: The order.
            needed: Whether the tensor is needed in its old order too.
        """
        if node is None or node.type not in ("Reshape", "Unsqueeze", "Einsum"):
            return None
        shape = self.graph.get_shape(node.output[0])
        new_shape = [shape[axis] for axis in order]
        dtypes = [self.graph.get_dtype(node.output[0])]
        if node.type != "Einsum":
            dense = [] if _same_numbers(shape, order) else self._dense_edits(node, order)
            if dense is None or (dense and needed) or shape.count(-1) > 1:
                return None

            def reshaped() -> str:
                for edit in dense:
                    edit()
                inputs = [node.input[0], self._const(new_shape)]
                return self.graph.make_node("Reshape", inputs, shapes=[new_shape], dtypes=dtypes).output[0]

            return reshaped
        inputs, output = _equation(node)
        if len(output) != _RANK or "." in output or self.named.intersection(node.output):
            return None

        def contracted() -> str:
            equation = f"{','.join(inputs)}->{''.join(output[axis] for axis in order)}"
            attributes = {"equation": equation}
            made = self.graph.make_node("Einsum", list(node.input), attributes, shapes=[new_shape], dtypes=dtypes)
            return made.output[0]

        return contracted

    def _use_edit(self, node: Any, name: str, order: Order) -> Edit | None:
        """Returns what makes a node take its input in another order, or None if it cannot."""
        if node.type == "Transpose":
            permutation = _then(_inverse(order), _permutation(node))
            return lambda: node.set_attr("perm", list(permutation))
        if node.type == "Shape" and not node.get_attr("start") and not node.get_attr("end"):
            return lambda: self._reordered_shape(node, order)
        if node.type == "Reshape" and node.input[0] == name and node.input[1] != name:
            sizes = self.graph.get_tensor_value(node.input[1]) if self._is_const(node.input[1]) else [0]
            if 0 not in sizes:
                shape = self.graph.get_shape(name)
                return (lambda: None) if _same_numbers(shape, order) else self._rows_edit(node, shape, order)
        if node.type == "Einsum":
            places = [place for place, each in enumerate(node.input) if each == name]
            letters = [_equation(node)[0][place] for place in places]
            if all(len(each) == _RANK and "." not in each for each in letters):  # "..." is any number of axes
                return lambda: _reorder_inputs(node, places, order)
        return None

    def _dense_edits(self, node: Any, order: Order) -> list[Edit] | None:
        """Returns what makes the dense layer before a Reshape give its numbers in another order, or None."""
        places = _places(self.graph.get_shape(node.output[0]), order)
        edits, name = [], node.input[0]
        while places is not None and len(self.consumers[name]) == 1 and name not in self.named:
            source = self.producers.get(name)
            if source is None or self.graph.get_shape(name) is None:
                return None
            if source.type in _ELEMENTWISE:
                (name,) = source.input
            elif source.type in ("Add", "Mul") and [self._is_const(each) for each in source.input].count(True) == 1:
                place = [self._is_const(each) for each in source.input].index(True)
                value = self._constant(source.input[place])
                if value.size == len(places):
                    edits.append(self._picked(source, place, value, places, value.ndim - 1))
                elif value.size != 1:
                    return None
                name = source.input[1 - place]
            elif source.type == "MatMul":
                weights = self._value(source, 1)
                fits = weights is not None and weights.ndim == 2 and weights.shape[1] == len(places)
                return [*edits, self._picked(source, 1, weights, places, 1)] if fits else None
            else:
                return None
        return None

    def _rows_edit(self, node: Any, shape: list[int], order: Order) -> Edit | None:
        """Returns what makes the dense layers behind a Reshape take their numbers in another order, or None."""
        places, users = _places(shape, order), self.consumers.get(node.output[0], [])
        if places is None or not users or node.output[0] in self.named or self._rank(node.output[0]) != 2:
            return None
        edits = []
        for user in users:
            weights = self._value(user, 1) if user.type == "MatMul" and user.input[0] == node.output[0] else None
            if weights is None or weights.ndim != 2 or len(weights) != len(places):
                return None
            edits.append(self._picked(user, 1, weights, places, 0))

        def permute() -> None:
            for edit in edits:
                edit()

        return permute

    def _picked(self, node: Any, place: int, value: Any, places: np.ndarray, axis: int) -> Edit:
        return lambda: self._put(node, place, np.take(value, places, axis), value.dtype)

    def _reordered_shape(self, node: Any, order: Order) -> None:
        graph, sizes = self.graph, node.output[0]
        users = self.consumers.get(sizes, [])
        axes = self._const(_inverse(order))
        dtypes = [graph.get_dtype(sizes)]
        if sizes in self.named:
            # Those that know it by its name are to see the old order.
            node_input = node.input[0]
            graph.remove_node(node.name)
            raw = graph.make_node("Shape", [node_input], shapes=[[_RANK]], dtypes=dtypes).output[0]
            graph.make_node("Gather", [raw, axes], outputs=[sizes], shapes=[[_RANK]], dtypes=dtypes)
            return
        reordered = graph.make_node("Gather", [sizes, axes], shapes=[[_RANK]], dtypes=dtypes).output[0]
        for user in users:
            graph.replace_input(user, sizes, reordered)

    # What makes an op inside of a group work in another order.

    def _edits(self, node: Any, order: Order) -> list[Edit] | None:
        """Returns what makes a node give its result in another order from inputs in that order, or None."""
        if node.type in _ELEMENTWISE:
            return []
        if node.type in _BROADCASTING:
            return self._broadcasting_edits(node, order)
        if node.type != "Concat" and node.input and self._is_const(node.input[0]):
            return None
        if node.type in _REDUCING:
            return self._reducing_edits(node, order)
        if node.type in _ALONG_AN_AXIS:
            kept = node.get_attr_value("keepdims", 1)
            axis = node.get_attr_value("axis", _ALONG_AN_AXIS[node.type]) % _RANK
            if not kept or self._rank(node.input[0]) != _RANK:
                return None
            joined = node.input if node.type == "Concat" else ()
            return [
                lambda: node.set_attr("axis", order.index(axis)),
                *(
                    lambda place=place, name=name: self._put_transposed(node, place, name, order)
                    for place, name in enumerate(joined)
                    if self._is_const(name)
                ),
            ]
        if node.type == "Gather":
            axis = node.get_attr_value("axis", 0) % _RANK
            fits = self._rank(node.input[0]) == _RANK and self._rank(node.input[1]) == 1
            return [lambda: node.set_attr("axis", order.index(axis))] if fits else None
        if node.type == "Slice":
            return self._slice_edits(node, order)
        if node.type == "Pad":
            return self._pad_edits(node, order)
        if node.type in _A_NUMBER_AN_AXIS:
            place = _A_NUMBER_AN_AXIS[node.type]
            values = self._value(node, place)
            if values is None or len(values) != _RANK or len(node.input) != place + 1:
                return None
            if self._rank(node.input[0]) != _RANK:
                return None
            return [lambda: self._put(node, place, [values[axis] for axis in order], values.dtype)]
        return None

    def _broadcasting_edits(self, node: Any, order: Order) -> list[Edit] | None:
        edits = []
        for place, name in enumerate(node.input):
            if not name:
                continue
            shape = self.graph.get_shape(name)
            if shape is None or len(shape) > _RANK:
                return None
            if self._is_const(name):
                if len(shape):
                    edits.append(lambda place=place, name=name: self._put_transposed(node, place, name, order))
            elif len(shape) == 1 and shape[0] != 1:
                edits.append(lambda place=place, name=name: self._put_unsqueezed(node, place, name, order))
            elif len(shape) != _RANK and any(size != 1 for size in shape):
                return None
        return edits if self._rank(node.output[0]) == _RANK else None

    def _put_transposed(self, node: Any, place: int, name: str, order: Order) -> None:
        value = self._constant(name)
        value = value.reshape((1,) * (_RANK - value.ndim) + value.shape)
        self._put(node, place, np.transpose(value, order), value.dtype)

    def _put_unsqueezed(self, node: Any, place: int, name: str, order: Order) -> None:
        axes = [axis for axis in range(_RANK) if order[axis] != _RANK - 1]
        size = self.graph.get_shape(name)[0]
        shape = [1 if axis in axes else size for axis in range(_RANK)]
        inputs, dtypes = [name, self._const(axes)], [self.graph.get_dtype(name)]
        made = self.graph.make_node("Unsqueeze", inputs, shapes=[shape], dtypes=dtypes)
        self.graph.replace_input(node, name, made.output[0], place)

    def _reducing_edits(self, node: Any, order: Order) -> list[Edit] | None:
        as_input = len(node.input) > 1 and bool(node.input[1])
        axes = self._value(node, 1) if as_input else node.get_attr_value("axes")
        if self._rank(node.input[0]) != _RANK or (as_input and axes is None):
            return None
        if axes is None or not len(axes):
            return [] if not node.get_attr_value("noop_with_empty_axes", 0) else None
        axes = [int(axis) % _RANK for axis in axes]
        left = [axis for axis in order if axis not in axes]
        if not node.get_attr_value("keepdims", 1) and left != sorted(left):
            return None
        moved = sorted(order.index(axis) for axis in axes)
        if as_input:
            return [lambda: self._put(node, 1, moved, np.int64)]
        return [lambda: node.set_attr("axes", moved)]

    def _slice_edits(self, node: Any, order: Order) -> list[Edit] | None:
        if self._rank(node.input[0]) != _RANK:
            return None
        if len(node.input) > 3 and node.input[3]:
            axes = self._value(node, 3)
            if axes is None:
                return None
            moved = [order.index(int(axis) % _RANK) for axis in axes]
            return [lambda: self._put(node, 3, moved, axes.dtype)]
        if self.graph.get_shape(node.input[1]) != [_RANK]:
            return None

        def add_axes() -> None:
            dtype = utils.map_onnx_to_numpy_type(self.graph.get_dtype(node.input[1]))
            inputs = [*node.input[:3], self._const(_inverse(order), dtype), *node.input[4:]]
            self.graph.replace_inputs(node, inputs)

        return [add_axes]

    def _pad_edits(self, node: Any, order: Order) -> list[Edit] | None:
        pads = self._value(node, 1)
        if pads is None or len(pads) != 2 * _RANK or (len(node.input) > 3 and node.input[3]):
            return None
        moved = [pads[side * _RANK + axis] for side in (0, 1) for axis in order]
        return [lambda: self._put(node, 1, moved, np.int64)]

    def _rank(self, name: str) -> int | None:
        shape = self.graph.get_shape(name)
        return None if shape is None else len(shape)

    def _is_const(self, name: str) -> bool:
        node = self.graph.get_node_by_output(name)
        return node is not None and node.is_const()

    def _value(self, node: Any, place: int) -> np.ndarray | None:
        """Returns a constant input, or None."""
        if len(node.input) <= place or not self._is_const(node.input[place]):
            return None
        return self._constant(node.input[place])

    def _constant(self, name: str) -> np.ndarray:
        return self.graph.get_node_by_output(name).get_tensor_value(as_list=False)

    def _put(self, node: Any, place: int, value: Any, dtype: Any) -> None:
        self.graph.replace_input(node, node.input[place], self._const(value, dtype), place)

    def _const(self, value: Any, dtype: Any = np.int64) -> str:
        return self.graph.make_const(utils.make_name("layout"), np.array(value, dtype, order="C")).output[0]


def _ops(names: str) -> frozenset[str]:
    return frozenset(names.split())


_ELEMENTWISE = _ops(
    "Abs Cast Ceil Cos Elu Erf Exp Floor HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not "
    "Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Tanh ThresholdedRelu"
)
_BROADCASTING = _ops(
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Clip Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean "
    "Min Mod Mul Or Pow Sub Sum Where Xor"
)
_REDUCING = _ops(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"
)
_ALONG_AN_AXIS = {"ArgMax": 0, "ArgMin": 0, "Concat": 0, "LogSoftmax": -1, "Softmax": -1, "Split": 0}  # by default
_A_NUMBER_AN_AXIS = {"Expand": 1, "Tile": 1, "Resize": 2}  # in this input


def _keep_by_identity(graph: Any, name: str) -> None:
    """Lets an Identity give an image that is an output, so that the op before may give it in another order."""
    node = graph.get_node_by_output_in_current_graph(name)
    if node is None or len(node.output) != 1 or graph.get_rank(name) != _RANK:
        return
    if node.type in ("Identity", "Loop", "If") or node.is_const() or node.is_graph_input():
        return
    inputs, attributes = list(node.input), node.get_onnx_attrs()
    shapes, dtypes, op = node.output_shapes, node.output_dtypes, node.type
    graph.remove_node(node.name)
    before = graph.make_node(op, inputs, attributes, shapes=shapes, dtypes=dtypes).output[0]
    graph.make_node("Identity", [before], outputs=[name], shapes=shapes, dtypes=dtypes)


def _correct_shape(graph: Any, node: Any) -> None:
    """Says what shape a transposed tensor has: tf2onnx's own pass leaves that of before where it takes axes away."""
    shape, order = graph.get_shape(node.input[0]), node.get_attr_value("perm")
    if shape is not None and order is not None:
        graph.set_shape(node.output[0], [shape[axis] for axis in order])


def _without_moving(graph: Any, node: Any) -> None:
    """Puts a Reshape, or an Identity, in the place of a Transpose that moves no number."""
    shape = graph.get_shape(node.input[0])
    if shape is None or len(shape) != _RANK or shape.count(-1) > 1 or not _same_numbers(shape, _permutation(node)):
        return
    source, same = node.input[0], _permutation(node) == _SAME
    outputs, shapes, dtypes = list(node.output), node.output_shapes, node.output_dtypes
    new_shape = [shape[axis] for axis in _permutation(node)]
    graph.remove_node(node.name)
    if same:
        graph.make_node("Identity", [source], outputs=outputs, shapes=shapes, dtypes=dtypes)
    else:
        constant = graph.make_const(utils.make_name("shape"), np.array(new_shape, np.int64)).output[0]
        graph.make_node("Reshape", [source, constant], outputs=outputs, shapes=[new_shape], dtypes=dtypes)


def _permutation(node: Any) -> Order:
    given = node.get_attr("perm")
    return tuple(given.ints) if given else tuple(reversed(_SAME))


def _then(first: Order, second: Order) -> Order:
    """Returns the permutation that does what two do after each other."""
    return tuple(first[axis] for axis in second)


def _inverse(order: Order) -> Order:
    return tuple(order.index(axis) for axis in range(_RANK))


def _count(permutations: Iterable[Order]) -> int:
    return sum(each != _SAME for each in permutations)


def _same_numbers(shape: list[int], order: Order) -> bool:
    """Returns whether only axes of size 1 move, so that the numbers stay in their places."""
    moved = [axis for axis in order if shape[axis] != 1]
    return moved == sorted(moved)


def _size(shape: list[int]) -> int:
    """Returns how many numbers an image has, or about how many."""
    return math.prod(_LIKELY_SIZE if size < 0 else size for size in shape[1:])


def _places(shape: list[int], order: Order) -> np.ndarray | None:
    """Returns where the numbers of an image of a known size come from, in another order, or None."""
    if -1 in shape[1:] or order[0] != 0:
        return None
    return np.arange(_size(shape)).reshape(shape[1:]).transpose([axis - 1 for axis in order[1:]]).ravel()


def _equation(node: Any) -> tuple[list[str], str]:
    inputs, output = node.get_attr_str("equation").replace(" ", "").split("->")
    return inputs.split(","), output


def _reorder_inputs(node: Any, places: list[int], order: Order) -> None:
    inputs, output = _equation(node)
    for place in places:
        inputs[place] = "".join(inputs[place][axis] for axis in order)
    node.set_attr("equation", f"{','.join(inputs)}->{output}")
