"""Groups of tensors that ops connect, and what is gained by storing one in another order."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from export.layout.border import source_edit, use_edit
from export.layout.inside import BROADCASTING, edits_of
from export.layout.permutations import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    RANK,
    SAME,
    Order,
    inverse,
    numbers_of,
    permutation,
    same_numbers,
    then,
    transposes,
)
from export.layout.tensors import Tensors


@dataclasses.dataclass
class _Group:
    tensors: set[str]
    nodes: list[Any]


class Orders:
    """The orders of axes in one graph; the bodies of its loops are graphs of their own."""

    def __init__(self, graph: Any):
        self.graph = graph
        self.tensors = Tensors(graph)
        self.places = {name: place for place, name in enumerate(self.tensors.producers)}
        self.known: dict[str, bool] = {}  # whether tensors are images

    def improve(self) -> bool:
        """Stores the first group that is better off in another order so; returns whether there was one."""
        for order in (CHANNELS_FIRST, CHANNELS_LAST):
            for group in self._groups(order):
                if self._gain(group, order) > 0:
                    self._store(group, order)
                    return True
        return False

    def _groups(self, order: Order) -> list[_Group]:
        """Returns groups of tensors that can change their order together."""
        group_of: dict[str, _Group] = {}
        for node in self.tensors.nodes:
            images = self._images(node)
            if (
                not images
                or self.tensors.named.intersection(node.output)
                or edits_of(self.tensors, node, order) is None
            ):
                continue
            group = _Group(set(images), [node])
            for other in {id(found): found for name in images if (found := group_of.get(name))}.values():
                group.tensors |= other.tensors
                group.nodes += other.nodes
            group_of.update(dict.fromkeys(group.tensors, group))
        for node in self.tensors.nodes:
            if node.type == "Transpose":
                for name in self._images(node):
                    group_of.setdefault(name, _Group({name}, []))
        return list({id(group): group for group in group_of.values()}.values())

    def _images(self, node: Any) -> list[str]:
        """Returns the tensors of four axes that go into a node or come out, without constants."""
        return [name for name in dict.fromkeys((*node.input, *node.output)) if self._is_image(name)]

    def _is_image(self, name: str) -> bool:
        if name not in self.known:
            self.known[name] = bool(name) and self.tensors.rank(name) == RANK and not self.tensors.is_const(name)
        return self.known[name]

    def _gain(self, group: _Group, order: Order) -> int:
        """Returns how many numbers less are transposed if a group is stored in another order."""
        members = {id(node) for node in group.nodes}
        gain = 0
        for name in group.tensors:
            source = self.tensors.producers.get(name)
            inside, transposed = id(source) in members, source is not None and source.type == "Transpose"
            outside = [node for node in self.tensors.consumers.get(name, []) if id(node) not in members]
            leaving = [node for node in outside if node.type == "Transpose" and node.output[0] not in group.tensors]
            before = [permutation(node) for node in leaving]
            after = [then(inverse(order), each) for each in before]
            saved = transposes(before) - transposes(after)
            if source is not None and transposed:
                first = inverse(order) if source.input[0] in group.tensors else SAME
                saved += 1 - transposes([then(then(first, permutation(source)), order)])
            needed = self._needed(name, outside, order)
            if not inside and not transposed and source_edit(self.tensors, source, order, needed) is None:
                saved -= 1
            if (inside or transposed) and needed:
                saved -= 1
            shape = self.graph.get_shape(name)
            if not same_numbers(shape, order):  # else it is a matter of saying another shape
                gain += saved * numbers_of(shape)
        for node in group.nodes:
            if node.type in BROADCASTING:
                shape = self.graph.get_shape(node.output[0])
                gain += numbers_of(shape) * ((shape[-1] == 1) - (shape[order[-1]] == 1))
        return gain

    def _needed(self, name: str, outside: Iterable[Any], order: Order) -> bool:
        """Returns whether a tensor is needed in its old order too."""
        return name in self.tensors.named or any(use_edit(self.tensors, node, name, order) is None for node in outside)

    def _store(self, group: _Group, order: Order) -> None:
        graph, members = self.graph, {id(node) for node in group.nodes}
        edits = [edit for node in group.nodes for edit in edits_of(self.tensors, node, order) or ()]
        # A node at the border may take from the group and give to it: what it takes is changed first.
        inside = {name for name in group.tensors if id(self.tensors.producers.get(name)) in members}
        for name in sorted(group.tensors, key=lambda each: (each not in inside, self.places.get(each, -1))):
            source, shape = self.tensors.producers.get(name), graph.get_shape(name)
            outside = [node for node in self.tensors.consumers.get(name, []) if id(node) not in members]
            uses = [(node, use_edit(self.tensors, node, name, order)) for node in outside]
            if name in inside:
                graph.set_shape(name, [shape[axis] for axis in order])
                old = [node for node, edit in uses if edit is None]
                if old:
                    restored = self._transposed(name, inverse(order), shape)
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
            combined = then(permutation(source), order)
            return source.input[0] if combined == SAME else self._transposed(source.input[0], combined, shape, order)
        make = source_edit(self.tensors, source, order, needed or name in self.tensors.named)
        return self._transposed(name, order, shape, order) if make is None else make()

    def _transposed(self, name: str, axes: Order, shape: list[int], order: Order = SAME) -> str:
        """Returns a new tensor with axes in another order, whose shape is that given in an order."""
        attributes = {"perm": list(axes)}
        dtypes = [self.graph.get_dtype(name)]
        shapes = [[shape[axis] for axis in order]]
        before = self.graph.get_shape(name)
        if same_numbers(before, axes) and before.count(-1) <= 1:
            inputs = [name, self.tensors.const(shapes[0])]
            return self.graph.make_node("Reshape", inputs, shapes=shapes, dtypes=dtypes).output[0]
        return self.graph.make_node("Transpose", [name], attributes, shapes=shapes, dtypes=dtypes).output[0]
