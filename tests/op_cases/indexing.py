"""Values taken from places, put to them, and sorted."""

import keras
import numpy as np
import tensorflow as tf

from op_cases.comparison import Case, Input, gradient

INTEGER = ("int32",)
THREE, TABLE = Input(("batch", 5, 3)), Input((7, 3))
TWICE = Input(("batch", 4), 0, 3, dtype="int32")  # some places more than once
PAIRS = Input(("batch", 4, 2), 0, 3, dtype="int32")
SEGMENTS = Input(("batch",), 0, 5, dtype="int32")


def _gather(x: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    return tf.gather(x, places, axis=1)


def _gather_each(x: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    return tf.gather(x, places, axis=1, batch_dims=1)


def _gather_pairs(x: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    return tf.gather_nd(x, places, batch_dims=1)


def _scatter(x: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    return tf.scatter_nd(places, x, [5, 3])


def _update(x: tf.Tensor) -> tf.Tensor:
    return tf.tensor_scatter_nd_update(x, [[0]], x[:1] * 2)


def _add(x: tf.Tensor) -> tf.Tensor:
    return tf.tensor_scatter_nd_add(x, [[0], [0]], tf.concat([x[:1], x[:1] * 2], 0))


CASES = [
    Case("GatherV2", _gather, [THREE, Input((4,), 0, 5, dtype="int32")]),
    Case("GatherV2", _gather_each, [THREE, TWICE], "of each"),
    Case("UnsortedSegmentSum", gradient(tf.gather, of=1), [TABLE, TWICE], "gradient of a table"),
    Case("UnsortedSegmentSum", gradient(_gather, of=1), [THREE, Input((4,), 0, 3, dtype="int32")], "gradient of rows"),
    Case("GatherV2", gradient(_gather_each, of=1), [THREE, TWICE], "gradient of each"),
    Case("GatherNd", tf.gather_nd, [TABLE, Input(("batch", 2), 0, 3, dtype="int32")]),
    Case("GatherNd", _gather_pairs, [THREE, PAIRS], "of each"),
    Case("ScatterNd", gradient(_gather_pairs, of=1), [THREE, PAIRS], "gradient of pairs"),
    Case("ScatterNd", _scatter, [Input(("batch", 3)), Input(("batch", 1), 0, 2, dtype="int32")]),
    Case(
        "ScatterNd", gradient(_scatter, of=1), [Input(("batch", 3)), Input(("batch", 1), 0, 2, dtype="int32")], "slope"
    ),
    Case("TensorScatterUpdate", gradient(_update), [THREE], "gradient"),
    Case("TensorScatterAdd", gradient(_add), [THREE], "gradient"),
    *(
        Case(
            f"UnsortedSegment{kind}",
            lambda x, places, kind=kind: getattr(tf.raw_ops, f"UnsortedSegment{kind}")(
                data=x, segment_ids=places, num_segments=6
            ),
            [Input((*places.shape, 3)), places],
            name,
            ("float32", "float64", "int32"),
            scale=0,
            eps=32,
        )
        for kind in ("Sum", "Prod", "Max", "Min")
        for name, places in (("", SEGMENTS), ("of pairs, some left out", Input(("batch", 3), -2, 5, dtype="int32")))
    ),
    *(
        Case(
            f"Segment{kind}",
            lambda x, places, kind=kind: getattr(tf.math, f"segment_{kind.lower()}")(x, tf.sort(places)),
            [Input(("batch", 3)), SEGMENTS],
        )
        for kind in ("Sum", "Prod", "Max", "Min", "Mean")
    ),
    *(
        Case(
            f"TensorScatter{kind}",
            lambda x, kind=kind: getattr(tf, f"tensor_scatter_nd_{kind.lower()}")(x, [[0]], x[:1] * 2 - 1),
            [THREE],
        )
        for kind in ("Max", "Min", "Sub")
    ),
    Case("TopKV2", lambda x: tf.math.top_k(x, 2), [THREE]),
    Case("TopKV2", lambda x: tf.sort(x, 1), [Input(("batch", 9), 0, 2**31 - 1)], "of integers", ("int32",)),
    Case("TopKV2", gradient(lambda x: tf.sort(x, 1)), [THREE], "gradient of sort"),
    Case("TopKV2", lambda x: tf.argsort(x, 1), [THREE], "argsort"),
    Case("OneHot", lambda x: tf.one_hot(x, 5), [Input(("batch", 9), -2, 7)], dtypes=INTEGER),
    Case("OneHot", lambda x: tf.one_hot(x, 5, 2.0, -1.0, axis=1), [Input(("batch", 9), 0, 5)], "other axis", INTEGER),
    *(
        Case(
            "Bucketize",
            lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 0.0, 0.1, 2.0]),
            [Input(low=-3, high=4, edges=edges)],
            name,
            dtypes,
        )
        for name, edges, dtypes in (
            ("", (0.1, -0.0, 2.0, np.nan, np.inf), ("float32", "float64")),
            ("of integers", (), ("int32", "int64")),
        )
    ),
    Case(
        "XlaDynamicUpdateSlice",
        keras.ops.slice_update,
        [THREE, Input((3,), -2, 6, dtype="int32"), Input((1, 2, 3))],
        dtypes=("float32", "float64", "int32", "int64"),
    ),
    Case("XlaDynamicUpdateSlice", keras.ops.slice_update, [THREE, Input((3,), dtype="int32"), THREE], "of the whole"),
    Case(
        "XlaDynamicUpdateSlice",
        lambda x, begin, y: keras.ops.slice_update(x > 0, begin, y > 0),
        [THREE, Input((3,), -2, 6, dtype="int32"), Input((1, 2, 3))],
        "of booleans",
    ),
    Case("InvertPermutation", lambda x: tf.math.invert_permutation(tf.argsort(x)), [Input(("batch",))]),
    Case("Where", lambda x: tf.where(x > 0), [THREE]),
    Case("Select", lambda x: tf.raw_ops.Select(condition=x > 0, x=x, y=-x), [THREE]),
    Case("Select", lambda x: tf.raw_ops.Select(condition=x[:, 0, 0] > 0, x=x, y=-x), [THREE], "of the first axis"),
    Case(
        "SelectV2",
        gradient(lambda x, y: tf.where(x > 0, x, y)),
        [Input(("batch", 1, "rows")), Input(("columns", 1))],
        "gradient, broadcast",
    ),
]
