"""Sums and losses that tf2onnx lacks, and ops that only pass values on."""

import functools
from typing import Any

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.ops.build import Builder, as_tf2onnx

_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)


def identity(graph: Any, node: Any) -> None:
    """PreventGradient and Snapshot: x."""
    build = Builder(graph, node)
    build.replace(build.inputs[0])


def add_n(graph: Any, node: Any) -> None:
    """AddN: the sum of tensors of one shape, one after another, as ONNX's Sum is of floats alone."""
    build = Builder(graph, node)
    build.replace(functools.reduce(functools.partial(build.op, "Add"), build.inputs))


def rank(graph: Any, node: Any) -> None:
    """Rank: the number of axes."""
    build = Builder(graph, node)
    size = build.op("Shape", build.op("Shape", build.inputs[0]))
    build.replace(build.cast(build.op("Reshape", size, build.vector()), node.output_dtypes[0]))


def linspace(graph: Any, node: Any) -> None:
    """LinSpace (start, stop, count): start + i (stop - start) / (count - 1), the last one being stop itself."""
    build = Builder(graph, node)
    start, stop, count = build.inputs
    zero, one = build.constant(0, np.int64), build.constant(1, np.int64)
    count = build.op("Reshape", build.cast(count, TensorProto.INT64), build.vector())
    steps = build.op("Sub", count, one)
    place = build.op("Range", zero, count, one)
    at_most_once = build.cast(build.op("Max", steps, one), node.output_dtypes[0])
    step = build.op("Div", build.op("Sub", stop, start), at_most_once)
    values = build.op("Add", start, build.op("Mul", build.cast(place, node.output_dtypes[0]), step))
    is_last = build.op("And", build.op("Equal", place, steps), build.op("Greater", place, zero))
    build.replace(build.op("Where", is_last, stop, values))


def reduce_mean(graph: Any, node: Any) -> None:
    """Mean (x, axes): NaN along axes that may be empty and are, of which ONNX Runtime makes 0."""
    shape, known = graph.get_shape(node.input[0]), node.inputs[1].is_const()
    axes = np.ravel(node.inputs[1].get_tensor_value(as_list=False)) if known else []
    has_all = known and shape is not None and all(shape[int(axis)] > 0 for axis in axes)
    if has_all or graph.get_dtype(node.output[0]) not in _FLOATS:
        as_tf2onnx(graph, node)
        return
    build = Builder(graph, node)
    along = build.op("Reshape", build.cast(build.inputs[1], TensorProto.INT64), build.vector(-1))
    count = build.op("ReduceProd", build.op("Gather", build.op("Shape", build.inputs[0]), along), keepdims=0)
    mean = graph.make_node(
        "Mean",
        node.input,
        attr={"keep_dims": node.get_attr_value("keep_dims", 0)},
        shapes=node.output_shapes,
        dtypes=node.output_dtypes,
        skip_conversion=False,
    )
    as_tf2onnx(graph, mean)
    is_empty = build.op("Equal", count, build.constant(0, np.int64))
    build.replace(build.op("Where", is_empty, build.number(np.nan), mean.output[0]))


def euclidean_norm(graph: Any, node: Any) -> None:
    """EuclideanNorm (x, axes): the square root of the sum of squares; of each number by itself where axes are none."""
    build = Builder(graph, node)
    x, axes = build.inputs
    axes = build.op("Reshape", build.cast(axes, TensorProto.INT64), build.vector(-1))
    kept = int(node.get_attr_value("keep_dims", 0))
    squares = build.op("ReduceSum", build.op("Mul", x, x), axes, keepdims=kept, noop_with_empty_axes=1)
    build.replace(build.op("Sqrt", squares))


def l2_loss(graph: Any, node: Any) -> None:
    """L2Loss: half of the sum of squares."""
    build = Builder(graph, node)
    (x,) = build.inputs
    build.replace(build.op("Mul", build.op("ReduceSum", build.op("Mul", x, x), keepdims=0), build.number(0.5)))


def bias_add_grad(graph: Any, node: Any) -> None:
    """BiasAddGrad: the sum of g over all axes but that of the channels."""
    build = Builder(graph, node)
    axes = list(range(len(graph.get_shape(node.input[0]))))
    del axes[1 if node.get_attr_value("data_format", b"NHWC") in (b"NCHW", "NCHW") else -1]
    build.replace(build.op("ReduceSum", build.inputs[0], build.vector(*axes), keepdims=0))


def softmax_cross_entropy(graph: Any, node: Any) -> None:
    """SoftmaxCrossEntropyWithLogits (logits, labels): -sum(labels log softmax(logits)), and its gradient."""
    build = Builder(graph, node)
    logits, labels = build.inputs
    _cross_entropy(build, logits, labels)


def sparse_softmax_cross_entropy(graph: Any, node: Any) -> None:
    """SparseSoftmaxCrossEntropyWithLogits (logits, labels): -log softmax(logits) of the label, and its gradient."""
    build = Builder(graph, node)
    logits, labels = build.inputs
    classes = build.op("Reshape", build.sizes_of(logits, -1), build.vector())
    codes = build.op("Range", build.constant(0, np.int64), classes, build.constant(1, np.int64))
    labels = build.op("Unsqueeze", build.cast(labels, TensorProto.INT64), build.vector(-1))
    hot = build.cast(build.op("Equal", labels, codes), node.output_dtypes[0])
    _cross_entropy(build, logits, hot)


def mirror_pad_grad(graph: Any, node: Any) -> None:
    """MirrorPadGrad (g, paddings): each g, those of the mirrored edges too, summed where its value came from.

    Raises:
        ExportError: Paddings, or sizes of padded axes, are not known when the graph is made.
    """
    build = Builder(graph, node)
    (g, _), shape = build.inputs, graph.get_shape(node.input[0])
    if not node.inputs[1].is_const() or shape is None:
        raise ExportError(f"{node.name}: gradients of mirrored edges are exported for known paddings only.")
    mode = node.get_attr_value("mode")
    mode = "reflect" if mode in (b"REFLECT", "REFLECT") else "symmetric"
    for axis, (before, after) in enumerate(node.inputs[1].get_tensor_value(as_list=False).tolist()):
        if not before and not after:
            continue
        if shape[axis] < 0:
            raise ExportError(f"{node.name}: gradients of mirrored edges are exported for axes of known size only.")
        size = shape[axis] - before - after
        source = np.pad(np.arange(size), (before, after), mode=mode)
        # A product with a matrix that has a one where a value came from sums along the axis.
        order = list(range(len(shape)))
        order[axis], order[-1] = order[-1], order[axis]
        moved = build.transposed(g, order)
        g = build.transposed(build.op("MatMul", moved, build.constant(np.eye(size)[source], build.dtype)), order)
    build.replace(g)


def _cross_entropy(build: Builder, logits: str, labels: str) -> None:
    logarithms = build.op("LogSoftmax", logits, axis=-1)
    # Labels of 0 count nothing even where the logarithm is infinite.
    terms = build.choose("Equal", labels, 0, build.number(0), build.op("Mul", labels, logarithms))
    loss = build.op("Neg", build.op("ReduceSum", terms, build.vector(-1), keepdims=0))
    build.replace(loss, build.op("Sub", build.op("Softmax", logits, axis=-1), labels))
