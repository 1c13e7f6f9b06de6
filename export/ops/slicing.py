"""Slices with strides, and their gradients."""

from typing import Any

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.ops.build import Builder, as_tf2onnx

_FIRST, _LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max  # beyond both ends of any axis
_EMPTY_SHAPES = 14  # the opset from which on ONNX reshapes to axes without entries
_FURTHEST = 2**31 - 2  # end of a slice; the next is none to ONNX Runtime, where it steps back


def strided_slice(graph: Any, node: Any) -> None:
    """StridedSlice (x, begin, end, strides): also back from before the axis, where ONNX takes the first one.

    x[b:e:-s] is x[::-1][~b:~e:s], with ~b = -(b + 1): what counts from one end counts from the other.
    """
    strides, shape = _known(graph, node.input[3]), graph.get_shape(node.input[0])
    if strides is None or shape is None:
        as_tf2onnx(graph, node)
        return
    build = Builder(graph, node)
    x, *bounds = build.inputs[:3]
    places, axes, new_axes, dropped = _axes_of(node, len(strides), len(shape))
    if axes:
        begin, end = (_entries(build, name, places) for name in bounds)
        is_open, is_endless = (_mask(node, name, places) for name in ("begin_mask", "end_mask"))
        is_dropped, steps = np.isin(axes, dropped), strides[places]
        steps = np.where(is_dropped, 1, steps)
        sizes = np.array([shape[axis] for axis in axes])
        is_inside = False if isinstance(begin, str) else (begin >= 0) | (sizes + begin >= 0)
        turned = (steps < 0) & ~(is_open & ~is_dropped) & ~np.asarray(is_inside)
        if turned.any():
            ends = [np.full(turned.sum(), value) for value in (_LAST, _FIRST, -1)]
            x = _sliced(build, x, ends[0], ends[1], np.array(axes)[turned], ends[2])
            begin, end = (_where(build, turned, _from_other_end(build, each), each) for each in (begin, end))
            steps = np.where(turned, -steps, steps)
        if not isinstance(end, str):
            end = np.minimum(end, _FURTHEST)
        begin = _where(build, is_open & ~is_dropped, np.where(steps > 0, 0, _LAST), begin)
        end = _where(build, is_endless, np.where(steps > 0, _LAST, _FIRST), end)
        end = _where(build, is_dropped, _behind(build, begin), end)
        x = _sliced(build, x, begin, end, np.array(axes), steps)
    if dropped:
        x = build.op("Squeeze", x, build.vector(*dropped))
    build.replace(build.op("Unsqueeze", x, build.vector(*new_axes)) if new_axes else x)


def _axes_of(node: Any, count: int, rank: int) -> tuple[list[int], list[int], list[int], list[int]]:
    """Returns the places of what is given for axes, and these axes; axes of the result that are new; those dropped."""
    dots, new, drop = (int(node.get_attr_value(f"{name}_mask", 0)) for name in ("ellipsis", "new_axis", "shrink_axis"))
    given = [place for place in range(count) if not (dots | new) >> place & 1]
    places, axes, new_axes, dropped, axis, kept = [], [], [], [], 0, 0
    for place in range(count):
        if dots >> place & 1:
            axis, kept = axis + rank - len(given), kept + rank - len(given)
        elif new >> place & 1:
            new_axes.append(kept)
            kept += 1
        else:
            places.append(place)
            axes.append(axis)
            if drop >> place & 1:
                dropped.append(axis)
            else:
                kept += 1
            axis += 1
    return places, axes, new_axes, dropped


def _known(graph: Any, name: str) -> np.ndarray | None:
    return np.asarray(graph.get_tensor_value(name, as_list=False)).astype(np.int64) if graph.is_const(name) else None


def _mask(node: Any, name: str, places: list[int]) -> np.ndarray:
    mask = int(node.get_attr_value(name, 0))
    return np.array([bool(mask >> place & 1) for place in places])


# Bounds of slices are arrays where they are known, and else names of tensors.


def _entries(build: Builder, name: str, places: list[int]) -> np.ndarray | str:
    known = _known(build.graph, name)
    if known is not None:
        return known[places]
    return build.op("Gather", build.cast(name, TensorProto.INT64), build.vector(*places))


def _name_of(build: Builder, bound: np.ndarray | str) -> str:
    return bound if isinstance(bound, str) else build.constant(bound, np.int64)


def _where(build: Builder, mask: np.ndarray, first: np.ndarray | str, second: np.ndarray | str) -> np.ndarray | str:
    if mask.all() or not mask.any():
        return first if mask.all() else second
    if not isinstance(first, str) and not isinstance(second, str):
        return np.where(mask, first, second)
    return build.op("Where", build.constant(mask, bool), _name_of(build, first), _name_of(build, second))


def _from_other_end(build: Builder, bound: np.ndarray | str) -> np.ndarray | str:
    return build.op("Sub", build.constant(-1, np.int64), bound) if isinstance(bound, str) else ~bound


def _behind(build: Builder, bound: np.ndarray | str) -> np.ndarray | str:
    """Returns where a slice of one ends, which is no 0 where it is the last."""
    if not isinstance(bound, str):
        return np.where(bound == -1, _LAST, bound + 1)
    last, one = build.constant(-1, np.int64), build.constant(1, np.int64)
    is_last = build.op("Equal", bound, last)
    return build.op("Where", is_last, build.constant(_LAST, np.int64), build.op("Add", bound, one))


def _sliced(
    build: Builder, x: str, begin: np.ndarray | str, end: np.ndarray | str, axes: np.ndarray, steps: np.ndarray
) -> str:
    """Returns a slice, without axes that are taken whole."""
    if not isinstance(begin, str) and not isinstance(end, str):
        cut = ~((begin == 0) & (end == _LAST) & (steps == 1))
        if not cut.any():
            return x
        begin, end, axes, steps = begin[cut], end[cut], axes[cut], steps[cut]
    bounds = _name_of(build, begin), _name_of(build, end), build.vector(*axes)
    return build.op("Slice", x, *bounds, *([] if (steps == 1).all() else [build.vector(*steps)]))


def strided_slice_grad(graph: Any, node: Any) -> None:
    """StridedSliceGrad (shape, begin, end, strides, g): g with zeros around it, or scattered where it has gaps.

    Raises:
        ExportError: The number of axes is not known when the graph is made.
    """
    build = Builder(graph, node)
    shape, begin, _, _, g = build.inputs
    strides, masks = node.inputs[3], ("shrink_axis_mask", "new_axis_mask", "ellipsis_mask")
    is_range = strides.is_const() and (strides.get_tensor_value(as_list=False) == 1).all()
    if not is_range or any(node.get_attr_value(name, 0) for name in masks):
        _scattered_slice_grad(build)
        return
    if graph.get_shape(node.input[4]) is None:
        raise ExportError(f"{node.name}: gradients of slices are exported for tensors of known rank only.")
    rank = len(graph.get_shape(node.input[4]))
    given = (graph.get_shape(node.input[1]) or [rank])[0]
    shape, begin = build.cast(shape, TensorProto.INT64), build.cast(begin, TensorProto.INT64)
    zeros = build.constant(np.zeros(rank), np.int64)
    if given < rank:
        begin = build.op("Concat", begin, build.constant(np.zeros(rank - given), np.int64), axis=0)
    from_end = build.op("Less", begin, zeros)
    # An axis that is shorter than a slice counts from its end begins at 0.
    begin = build.op("Where", from_end, build.op("Max", build.op("Add", begin, shape), zeros), begin)
    mask = int(node.get_attr_value("begin_mask", 0))
    open_axes = build.constant([axis < given and bool(mask >> axis & 1) for axis in range(rank)], bool)
    begin = build.op("Where", open_axes, zeros, begin)
    after = build.op("Sub", build.op("Sub", shape, begin), build.op("Shape", g))
    build.replace(build.op("Pad", g, build.op("Concat", begin, after, axis=0)))


def _scattered_slice_grad(build: Builder) -> None:
    """Puts g to the places that the slice takes, which tf2onnx's own handler finds in a tensor of their numbers."""
    node, graph = build.node, build.graph
    shape, begin, end, strides, g = build.inputs
    shape = build.cast(shape, TensorProto.INT64)
    count = build.op("ReduceProd", shape, keepdims=0)
    places = build.op("Range", build.constant(0, np.int64), count, build.constant(1, np.int64))
    places = _reshaped(build, places, shape)
    graph.set_shape(places, node.output_shapes[0])
    graph.set_dtype(places, TensorProto.INT64)
    names = ("begin_mask", "end_mask", "shrink_axis_mask", "new_axis_mask", "ellipsis_mask")
    masks = {name: node.get_attr_value(name, 0) for name in names}
    sliced = graph.make_node(
        "StridedSlice",
        [places, begin, end, strides],
        attr=masks,
        shapes=[graph.get_shape(g)],
        dtypes=[TensorProto.INT64],
        skip_conversion=False,
    )
    taken = sliced.output[0]
    strided_slice(graph, sliced)
    flat = build.vector(-1)
    zeros = build.op("Expand", build.number(0), build.op("Reshape", count, build.vector(1)))
    taken, values = build.op("Reshape", taken, flat), build.op("Reshape", g, flat)
    build.replace(_reshaped(build, build.op("ScatterElements", zeros, taken, values, axis=0), shape))


def _reshaped(build: Builder, values: str, shape: str) -> str:
    """Returns values in a shape, in which 0 is a size, as far as this opset can say so."""
    return build.op("Reshape", values, shape, **({"allowzero": 1} if build.graph.opset >= _EMPTY_SHAPES else {}))
