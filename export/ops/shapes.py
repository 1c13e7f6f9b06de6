"""Shapes and broadcasts, which every TFP distribution with a free batch axis asks for."""

from typing import Any

from onnx import TensorProto

from export.ops.build import Builder


def shape_n(graph: Any, node: Any) -> None:
    """ShapeN: the shape of each input."""
    build = Builder(graph, node)
    dtypes = node.output_dtypes
    shapes = [build.op("Shape", value) for value in build.inputs]
    build.replace(*(build.cast(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)))


def broadcast_args(graph: Any, node: Any) -> None:
    """BroadcastArgs: the shape that two shapes broadcast to.

    ONNX has no such op on shapes, so an empty-handed tensor of the first shape is expanded by the second.
    """
    build = Builder(graph, node)
    first, second = (build.cast(value, TensorProto.INT64) for value in build.inputs)
    expanded = build.op("Expand", build.op("ConstantOfShape", first), second)
    build.replace(build.cast(build.op("Shape", expanded), node.output_dtypes[0]))
