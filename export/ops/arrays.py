"""Arrays that loops fill."""

from typing import Any

import numpy as np
from onnx import TensorProto

from export.graphdef.loops import IN_FULL, LAST_ALONE
from export.ops.build import Builder, as_tf2onnx


def identity_n(graph: Any, node: Any) -> None:
    """IdentityN: the values; of an array that a loop filled, and its length, with zeros where the loop ended early."""
    is_full, is_last = (node.get_attr_value(mark) for mark in (IN_FULL, LAST_ALONE))
    if is_full is None:
        as_tf2onnx(graph, node)
        return
    build = Builder(graph, node)
    rows, length = build.inputs
    if is_last:
        rows = build.op("Slice", rows, build.vector(-1), build.vector(np.iinfo(np.int64).max), build.vector(0))
    if not is_full:
        missing = build.op("Reshape", build.cast(length, TensorProto.INT64), build.vector(1))
        missing = build.op("Max", build.op("Sub", missing, build.sizes_of(rows, end=1)), build.vector(0))
        zeros = build.op("Expand", build.number(0), build.op("Concat", missing, build.sizes_of(rows, 1), axis=0))
        rows = build.op("Concat", rows, zeros, axis=0)
    build.replace(rows, length)
