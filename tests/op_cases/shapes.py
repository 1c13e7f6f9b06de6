"""Shapes, broadcasts, joins, slices and sums."""

from typing import Any

import tensorflow as tf

from op_cases.comparison import Case, Input, gradient
from op_cases.elementwise import HALVES

THREE = (Input(("batch", 5, 3)),)
IMAGES = (Input(("batch", 4, 6, 8)),)
PADS = [[0, 0], [1, 2], [0, 1]]
FLOATS = ("float32", "float64")


def none_of(x: tf.Tensor) -> tf.Tensor:
    """No rows, which is known when a graph is run."""
    return tf.boolean_mask(x, tf.reduce_all(x != x, [1, 2]))


def slope(op: str, function: Any, name: str = "gradient", given: tuple[Input, ...] = THREE, **options: Any) -> Case:
    """The gradient of a function."""
    return Case(op, gradient(function), given, name, **options)


def summed(x: tf.Tensor, y: tf.Tensor) -> list[tf.Tensor]:
    """A product, summed to the shapes of what it was made of."""
    axes = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(x), s1=tf.shape(y))
    return [tf.reshape(tf.reduce_sum(x * y, along), tf.shape(value)) for along, value in zip(axes, (x, y), strict=True)]


CASES = [
    Case("ShapeN", lambda x, y: tf.raw_ops.ShapeN(input=[x, y]), (Input(), Input(("batch", "other")))),
    Case(
        "BroadcastArgs",
        lambda x, y: tf.raw_ops.BroadcastArgs(s0=tf.shape(x), s1=tf.shape(y)),
        (Input(), Input((1, "columns"))),
    ),
    Case(
        "BroadcastArgs",
        lambda x, y: tf.broadcast_to(x, tf.raw_ops.BroadcastArgs(s0=tf.shape(x), s1=tf.shape(y))) + y,
        (Input((3, 1)), Input(("batch",))),
        "of what was short",
    ),
    slope("BroadcastGradientArgs", lambda x, y: x * y, "", (Input(("batch", 1, "rows")), Input(("batch", "other", 1)))),
    Case("BroadcastGradientArgs", summed, (THREE[0], Input((5, 1))), "of fewer axes"),
    Case("BroadcastTo", lambda x: tf.broadcast_to(x, [3, tf.shape(x)[0], 5, 3]), THREE),
    slope("BroadcastTo", lambda x: tf.broadcast_to(x, [3, tf.shape(x)[0], 5, 3])),
    slope("ConcatOffset", lambda x: tf.concat([x, x[:, :2] ** 2, 2 * x], 1), "rows"),
    slope("ConcatOffset", lambda x: tf.concat([x, x[:, :, :2] ** 2, 2 * x], -1), "columns"),
    slope("DynamicStitch", lambda x: tf.reduce_sum(x, 1)),
    slope("DynamicStitch", lambda x: tf.reduce_logsumexp(x, [1, 2]), "gradient of logsumexp", eps=32),
    slope("Prod", lambda x: tf.reduce_prod(x, 1), eps=64),
    slope("Max", lambda x: tf.reduce_max(x, 1)),
    slope("Min", lambda x: tf.reduce_min(x, [1, 2])),
    *(
        Case(
            op,
            lambda x, op=op, axes=axes, kept=kept: getattr(tf.raw_ops, op)(input=x, axis=axes, keep_dims=kept),
            (Input((12, 12, 2), edges=HALVES),),
            f"int64 along {axes}{' kept' * kept}",
            ("int64",),
        )
        for op in ("Max", "Min")
        for axes, kept in ((0, False), (-1, True), ([0, 2], False), ([0, 1, 2], True), ([], False))
    ),
    *(
        Case(
            op, lambda x, op=op: getattr(tf.raw_ops, op)(input=none_of(x), axis=0), THREE, "of none", (*FLOATS, "int64")
        )
        for op in ("Max", "Min", "Sum", "Prod")
    ),
    *(
        Case(op, lambda x, sum_of=sum_of, axes=axes: sum_of(none_of(x), axes), THREE, f"of none along {axes}")
        for op, sum_of in {
            "Max": tf.reduce_max,
            "Mean": tf.reduce_mean,
            "Min": tf.reduce_min,
            "Prod": tf.reduce_prod,
            "Sum": tf.reduce_sum,
            "Exp": tf.reduce_logsumexp,
            "EuclideanNorm": tf.math.reduce_euclidean_norm,
            "Sqrt": lambda x, axes: tf.norm(x, axis=axes),
            "Square": tf.math.reduce_variance,
        }.items()
        for axes in (-1, [-2, -1], [0, -1])
    ),
    Case("Any", lambda x: tf.reduce_any(none_of(x) > 0, [-1]), THREE, "of none along the last"),
    Case("Mean", lambda x: tf.reduce_mean(none_of(x)), THREE, "of none"),
    Case("Mean", lambda x: tf.reduce_mean(none_of(x), [0, 2], keepdims=True), THREE, "of none along two axes"),
    Case("Mean", lambda x: tf.nn.moments(none_of(x), 0), THREE, "moments of none"),
    Case("Cumprod", lambda x: tf.math.cumprod(none_of(x)), THREE, "of none"),
    Case("Roll", lambda x: tf.roll(none_of(x), 1, 0), THREE, "of none"),
    Case("Roll", lambda x: tf.roll(x, [7, -9, 2], [0, 1, 1]), THREE, "further than round"),
    slope("Mean", lambda x: tf.math.reduce_variance(x, [1, 2]), "gradient of the variance", eps=32),
    slope("Mean", lambda x: tf.math.reduce_std(x, 1), "gradient of the deviation", eps=32),
    slope("EuclideanNorm", lambda x: tf.math.reduce_euclidean_norm(x, 1)),
    Case("EuclideanNorm", lambda x: tf.math.reduce_euclidean_norm(x, [0, -1], keepdims=True), THREE, "kept axes"),
    Case("EuclideanNorm", lambda x: tf.math.reduce_euclidean_norm(x, []), THREE, "no axes"),
    Case("All", lambda x: tf.reduce_all(x > 0, 1), THREE),
    Case("Any", lambda x: tf.reduce_any(x > 0, 1), THREE),
    Case("ArgMax", lambda x: tf.argmax(x, 1), THREE),
    Case("ArgMin", lambda x: tf.argmin(x, 1, output_type=tf.int32), THREE),
    Case("Max", lambda x: tf.reduce_logsumexp(x, 1), THREE, "logsumexp"),
    Case("Size", lambda x: tf.size(x), THREE),
    Case("Rank", lambda x: tf.raw_ops.Rank(input=x), THREE),
    Case("Fill", lambda x: tf.fill(tf.shape(x)[:2], x[0, 0, 0]), THREE),
    Case("Range", lambda x: tf.range(0.0, tf.cast(tf.shape(x)[0], x.dtype), 0.5), THREE),
    Case("LinSpace", lambda x: tf.raw_ops.LinSpace(start=x[0, 0, 0], stop=x[0, 1, 0], num=7), THREE),
    Case("LinSpace", lambda x: tf.raw_ops.LinSpace(start=x[0, 0, 0], stop=x[0, 1, 0], num=1), THREE, "of one"),
    slope("StridedSliceGrad", lambda x: x[:, 1:-1], "range"),
    slope("StridedSliceGrad", lambda x: x[:, -3:, :2], "range from the end"),
    slope("StridedSliceGrad", lambda x: x[-3:], "range longer than the axis"),
    slope("StridedSliceGrad", lambda x: x[:, 1:, ::2], "stride"),
    slope("StridedSliceGrad", lambda x: x[:, ::-1, 2::-1], "stride back"),
    slope("StridedSliceGrad", lambda x: x[:, -1, 0], "dropped axes"),
    slope("StridedSliceGrad", lambda x: x[0], "first"),
    slope("StridedSliceGrad", lambda x: x[..., 1], "dots"),
    slope("StridedSliceGrad", lambda x: x[:, None, 1:3, None], "new axes"),
    slope("StridedSliceGrad", lambda x: x[-1, ::2], "stride and a dropped axis"),
    slope("StridedSliceGrad", lambda x: x[-1, ::2, 0], "stride and dropped axes"),
    slope("StridedSliceGrad", lambda x: x[-3::-2], "stride back from before the axis"),
    slope("StridedSliceGrad", lambda x: tf.transpose(none_of(x))[::2], "of none"),
    slope("StridedSliceGrad", lambda x: tf.transpose(none_of(x))[0], "of none, a dropped axis"),
    Case("StridedSlice", lambda x: x[: 2**31 - 1 : -1], THREE, "back to the largest int32"),
    *(
        Case("StridedSlice", lambda x, cut=cut: [x[tuple(cut)], x[tuple(cut[:1])]], THREE, name)
        for name, cut in {
            "stride back": [slice(None), slice(None, None, -1), slice(2, None, -1)],
            "back from before the axis": [slice(-3, None, -1), slice(-9, None, -1), slice(-2, None, -2)],
            "back to an end": [slice(-2, 0, -1), slice(-2, -9, -1), slice(9, 0, -2)],
            "back to a place from the end": [slice(-1, -3, -1), slice(4, -4, -3), slice(-4, -1, -1)],
            "to 0": [slice(-3, 0), slice(-3, 0), slice(-1, 0)],
            "beyond": [slice(3, 9), slice(-9, 3), slice(-9, 9, 2)],
            "none": [slice(2, 1), slice(-1, -3), slice(1, 3, -1)],
            "dots": [..., slice(-3, None, -1)],
            "dots for none": [slice(1, None), ..., slice(None, None, 2), slice(1)],
            "new axes": [None, slice(None), None, ..., None, -1, None],
            "dropped axes": [0, slice(1, None, 3), -3],
            "dropped last": [..., -1, slice(None, 2)],
        }.items()
    ),
    *(
        Case("StridedSlice", lambda x, cut=cut: cut(x, tf.shape(x)[0]), THREE, f"bounds of sizes {place}")
        for place, cut in enumerate(
            (
                lambda x, n: x[n - 3 : n - 1],
                lambda x, n: x[:, n - 3 :: -1],
                lambda x, n: x[-n::-1, : n - 2 : -1],
                lambda x, n: x[n - 1, -n],
                lambda x, n: x[..., None, n - 5 : -1 : 2],
                lambda x, n: x[n - 9 : 0 : -2, ..., -1],
            )
        )
    ),
    slope("Slice", lambda x: tf.slice(x, [0, 1, 0], [-1, 3, 2])),
    slope("Pad", lambda x: tf.pad(x, PADS)),
    slope("PadV2", lambda x: tf.pad(x, PADS, constant_values=3)),
    Case("MirrorPad", lambda x: tf.pad(x, PADS, "REFLECT"), THREE),
    Case("MirrorPad", lambda x: tf.pad(x, PADS, "SYMMETRIC"), THREE, "symmetric"),
    slope("MirrorPadGrad", lambda x: tf.pad(x, PADS, "REFLECT"), "reflected"),
    slope("MirrorPadGrad", lambda x: tf.pad(x, PADS, "SYMMETRIC"), "symmetric"),
    slope("Tile", lambda x: tf.tile(x, [1, 2, 3])),
    slope("Transpose", tf.transpose),
    slope("Reshape", lambda x: tf.reshape(x, [-1, 15])),
    slope("Pack", lambda x: tf.stack([x, x * x], 1)),
    slope("Unpack", lambda x: tf.add_n(tf.unstack(x, axis=1))),
    slope("Split", lambda x: tf.split(x, 5, 1)[1]),
    slope("SplitV", lambda x: tf.split(x, [2, 3], 1)[1]),
    slope("ReverseV2", lambda x: tf.reverse(x, [1, 2])),
    slope("Roll", lambda x: tf.roll(x, [2, -1], [1, 2])),
    slope("ExpandDims", lambda x: tf.expand_dims(x, 1)),
    slope("Squeeze", lambda x: tf.squeeze(x[:, :1] * 2, 1)),
    slope("StopGradient", lambda x: tf.stop_gradient(x) * x),
    Case("Shape", lambda x: tf.raw_ops.Shape(input=x)),
    Case("Identity", tf.identity),
    Case("IdentityN", lambda x: tf.raw_ops.IdentityN(input=[x, x * 2])),
    slope("ConcatV2", lambda x, y: tf.concat([x, y], 0), given=(THREE[0], Input((2, 5, 3)))),
    slope("ConcatV2", lambda x, y: tf.concat([x, y], -1), "gradient, last axis", (THREE[0], Input(("batch", 5, 2)))),
    slope("BiasAdd", lambda x, y: tf.nn.bias_add(x, y), given=(THREE[0], Input((3,)))),
    slope(
        "ClipByValue",
        lambda x: tf.raw_ops.ClipByValue(t=x, clip_value_min=x[0, 0, 0] * 0 - 1, clip_value_max=x[0, 0, 0] * 0 + 1),
    ),
    slope("Maximum", lambda x: tf.clip_by_value(x, -1, 1), "gradient of clipping"),
    Case("PreventGradient", lambda x: tf.raw_ops.PreventGradient(input=x)),
    Case("Snapshot", lambda x: tf.raw_ops.Snapshot(input=x)),
    Case("AddN", lambda x: tf.add_n([x, x * 2, x])),
    Case("AddN", lambda x: tf.add_n([tf.cast(x, "int32"), tf.cast(2 * x, "int32")]), name="int32"),
    Case("Cast", lambda x: tf.cast(x, "int32")),
    Case("CheckNumerics", lambda x: tf.debugging.check_numerics(x, "")),
    Case("EnsureShape", lambda x: tf.ensure_shape(x, [None, 5, 3]), THREE),
    slope("SpaceToDepth", lambda x: tf.nn.space_to_depth(x, 2), given=IMAGES),
    *(
        Case(
            "ExtractImagePatches",
            lambda x, how=how: tf.image.extract_patches(x, *([1, *pair, 1] for pair in how[:3]), how[3]),
            (Input(("batch", 7, 6, 3)),),
            f"{how}",
            ("float32", "float64", "int32"),
        )
        for how in (
            ((2, 3), (2, 3), (1, 1), "VALID"),
            ((3, 2), (2, 1), (1, 1), "SAME"),
            ((2, 3), (1, 1), (2, 2), "SAME"),
            ((2, 2), (3, 4), (2, 1), "VALID"),
            ((1, 1), (3, 3), (1, 1), "SAME"),
        )
    ),
    slope("DepthToSpace", lambda x: tf.nn.depth_to_space(x, 2), given=IMAGES),
    slope("BatchToSpaceND", lambda x: tf.batch_to_space(tf.space_to_batch(x, [2], [[1, 2]]), [2], [[0, 1]])),
    slope("SpaceToBatchND", lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [1, 1]]), given=IMAGES),
    *(
        Case(
            op,
            lambda x, op=op, exclusive=exclusive, reverse=reverse: getattr(tf.raw_ops, op)(
                x=x, axis=1, exclusive=exclusive, reverse=reverse
            ),
            (Input(("batch", "rows", 3), edges=(0.5, -1.0)),),
            f"exclusive {exclusive}, reverse {reverse}",
            ("float32", "float64", "int32", "int64")[: 2 if "Log" in op else 4],
        )
        for op in ("Cumsum", "Cumprod", "CumulativeLogsumexp")
        for exclusive in (False, True)
        for reverse in (False, True)
    ),
    slope("Cumsum", lambda x: tf.cumsum(x, -1)),
    slope("Cumprod", lambda x: tf.math.cumprod(x, -1), eps=64),
    slope("CumulativeLogsumexp", lambda x: tf.math.cumulative_logsumexp(x, -1, exclusive=True), eps=64),
    Case(
        "CumulativeLogsumexp",
        lambda x: tf.math.cumulative_logsumexp(x, 0),
        (Input(("batch", 6), edges=(float("-inf"), float("-inf"), 1e4, float("inf"), -1e4)),),
        "of infinite values",
    ),
]
