"""Layers of Keras, and their gradients with respect to what they are given."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from op_cases.comparison import Case, Input, gradient


def _rounded(values: np.ndarray) -> np.ndarray:
    """Returns values of which some are equal, as pixels are."""
    return np.round(values, 1)


LINES, IMAGES = (Input(("batch", 9, 2), then=_rounded),), (Input(("batch", 7, 6, 2), then=_rounded),)
VOLUMES, TOKENS = (Input(("batch", 5, 4, 3, 2)),), (Input(("batch", 6, 8)),)
ROWS = (Input(("batch", 5)),)


class Layer:
    """A layer, made with fixed weights for each dtype where it is first called."""

    def __init__(self, kind: str, *arguments: Any, **options: Any):
        self.make = lambda dtype: getattr(keras.layers, kind)(*arguments, **options, dtype=dtype)
        self.made: dict[str, Any] = {}

    def __call__(self, *values: tf.Tensor) -> tf.Tensor:
        dtype = values[0].dtype.name if values[0].dtype.is_floating else "float32"
        if dtype not in self.made:
            with tf.init_scope():
                layer = self.make(dtype)
                layer.build(*(value.shape for value in values))
                generator = np.random.default_rng(0)
                for weight in layer.weights:
                    if "float" in weight.dtype:
                        low = 0.1 if "variance" in weight.path else -1
                        weight.assign(generator.uniform(low, 1, weight.shape))
            self.made[dtype] = layer
        return self.made[dtype](*values)


def layer(kind: str, op: str, slope: str, given: tuple[Input, ...], *arguments: Any, **options: Any) -> Case:
    """The gradient of a layer's squares, which takes both its values, of one op, and its gradient, of another."""
    lacks = options.pop("lacks", "")
    name = " ".join([kind, *map(str, arguments), *(f"{key}={value}" for key, value in options.items())])
    return Case(op, gradient(Layer(kind, *arguments, **options)), given, name, eps=256, also=(slope,), lacks=lacks)


def pooling() -> list[Case]:
    """Average and largest values of windows."""
    found = []
    for padding in ("same", "valid"):
        for kind, lacks in (("Average", "AveragePool"), ("Max", "")):
            options: dict[str, Any] = {"padding": padding, "lacks": lacks}
            op = f"{kind[:3]}Pool".replace("Ave", "Avg")
            for window, strides in ((2, 2), (3, 2), ((3, 2), 1)):
                found.append(layer(f"{kind}Pooling2D", op, f"{op}Grad", IMAGES, window, strides, **options))
            found.append(layer(f"{kind}Pooling1D", op, f"{op}Grad", LINES, 3, 2, **options))
    return found


def convolutions() -> list[Case]:
    """Convolutions of all kinds, with strides and dilations."""
    found = []
    for padding in ("same", "valid"):
        for more in ({}, {"strides": 2}, {"dilation_rate": 2}):
            options = {"padding": padding, **more, "lacks": "Conv"}
            found.append(layer("Conv2D", "Conv2D", "Conv2DBackpropInput", IMAGES, 4, 3, **options))
            found.append(layer("Conv2DTranspose", "Conv2DBackpropInput", "Conv2D", IMAGES, 4, 4, **options))
            found.append(layer("Conv1DTranspose", "Conv2DBackpropInput", "Conv2D", LINES, 4, 3, **options))
            backward = "DepthwiseConv2dNativeBackpropInput"
            found.append(layer("DepthwiseConv2D", "DepthwiseConv2dNative", backward, IMAGES, 3, **options))
            found.append(layer("Conv1D", "Conv2D", "Conv2DBackpropInput", LINES, 4, 3, **options))
        options = {"padding": padding, "strides": 2, "lacks": "Conv"}
        found.append(
            layer("DepthwiseConv2D", "DepthwiseConv2dNative", backward, IMAGES, 3, depth_multiplier=3, **options)
        )
        found.append(layer("DepthwiseConv1D", "DepthwiseConv2dNative", backward, LINES, 3, **options))
        found.append(layer("SeparableConv2D", "DepthwiseConv2dNative", backward, IMAGES, 4, 3, **options))
        found.append(layer("SeparableConv1D", "DepthwiseConv2dNative", backward, LINES, 4, 3, **options))
        found.append(layer("Conv3D", "Conv3D", "Conv3DBackpropInputV2", VOLUMES, 4, 3, padding=padding, lacks="Conv"))
        found.append(layer("Conv3DTranspose", "Conv3DBackpropInputV2", "Conv3D", VOLUMES, 4, 3, **options))
    found.append(layer("Conv1D", "Conv2D", "Conv2DBackpropInput", LINES, 4, 3, padding="causal", lacks="Conv"))
    return found


def unknown(x: tf.Tensor) -> tf.Tensor:
    """Returns a tensor unchanged, of which no more than the rank is known when the graph is made."""
    return tf.reshape(x, tf.gather(tf.shape(x), tf.range(len(x.shape))))


def spread(
    size: list[int], kernel: np.ndarray, strides: int, padding: str, x: tf.Tensor, sizes: tf.Tensor
) -> list[tf.Tensor]:
    """Transposed convolutions of pixels of known number, of any, and of any to any."""
    of, to = (x, unknown(x), unknown(x)), (size, size, sizes)
    shapes = [tf.concat([tf.shape(x)[:1], each, [3]], 0) for each in to]
    return [
        tf.nn.conv2d_transpose(each, tf.constant(kernel, x.dtype), shape, strides, padding)
        for each, shape in zip(of, shapes, strict=True)
    ]


def transposed() -> list[Case]:
    """Transposed convolutions with strides smaller and larger than the kernel, to the fewest and the most pixels."""
    found = []
    for window, (strides, over), padding in itertools.product(
        ((3, 2), (2, 4)), ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)), ("SAME", "VALID")
    ):
        kernel = np.random.default_rng(0).uniform(-1, 1, (*window, 3, 2))
        size = [2 * strides + over + (1 if padding == "SAME" else each) for each in window]
        found.append(
            Case(
                "Conv2DBackpropInput",
                functools.partial(spread, size, kernel, strides, padding),
                [
                    Input(("batch", 3, 3, 2)),
                    Input((2,), dtype="int32", then=functools.partial(lambda size, _: np.array(size), size)),
                ],
                f"{window} {strides} {padding} to {size}",
                lacks="Conv" if strides == 1 else "ConvTranspose",
            )
        )
    return found


def edged(x: tf.Tensor) -> tf.Tensor:
    """A convolution with as many pixels around as are given."""
    return tf.nn.conv2d(x, tf.ones((3, 3, 2, 4), x.dtype), 2, [[0, 0], [1, 2], [0, 1], [0, 0]])


def edges_lost(x: tf.Tensor) -> tf.Tensor:
    """The same of images of any size."""
    return edged(tf.ensure_shape(unknown(x), (None, None, None, 2)))


def resized() -> list[Case]:
    """Images resized to sizes that rounded scales would miss, to fewer pixels, and to a multiple."""
    found = []
    for op, size, how in itertools.product(
        ("ResizeBilinear", "ResizeNearestNeighbor"),
        ((5, 7), (6, 5), (14, 18)),
        ("", "half_pixel_centers", "align_corners"),
    ):
        resize = functools.partial(getattr(tf.raw_ops, op), size=size, **({how: True} if how else {}))

        def both(x: tf.Tensor, resize: Callable[..., tf.Tensor] = resize) -> list[tf.Tensor]:
            return [resize(images=x), resize(images=unknown(x))]

        name = f"to {size} {how}".rstrip()
        dtypes = ("float32",) if op == "ResizeBilinear" else ("float32", "float64")
        found.append(Case(op, both, IMAGES, name, dtypes, eps=64))
    return found


def resizing(
    op: str, arguments: Callable[..., dict[str, Any]], dtypes: tuple[str, ...] = ("float32", "float64")
) -> list[Case]:
    """A gradient of resizing to more pixels and to fewer."""
    return [
        Case(
            op,
            lambda g, x: getattr(tf.raw_ops, op)(**arguments(g, x), half_pixel_centers=True),
            [Input(("batch", *of, 3)), Input(("batch", *to, 3))],
            f"of {of} to {to}",
            dtypes,
            eps=64,
        )
        for of, to in (((7, 6), (3, 5)), ((4, 3), (5, 8)))
    ]


EMBEDDING = Layer("Embedding", 7, 3)


def embedded(weights: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    """An embedding's rows times a tensor, of the dtype under test."""
    return weights * tf.cast(EMBEDDING(codes), weights.dtype)


CASES = [
    *pooling(),
    *convolutions(),
    *transposed(),
    Case("Conv2DBackpropInput", gradient(edged), IMAGES, "of given edges", lacks="Conv"),
    Case("Conv2DBackpropInput", gradient(edges_lost), IMAGES, "of given edges, of any", lacks="Conv"),
    *(
        layer("Conv2DTranspose", "Conv2DBackpropInput", "Conv2D", IMAGES, 3, 2, **each, lacks="Conv")
        for each in ({"strides": 3}, {"strides": 3, "padding": "same"}, {"strides": 2, "output_padding": 1})
    ),
    Case(
        "MaxPoolGrad",
        gradient(lambda x: tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 2], [0, 1], [0, 0]])),
        IMAGES,
        "of given edges",
    ),
    layer("GlobalAveragePooling1D", "Mean", "DynamicStitch", LINES),
    layer("GlobalAveragePooling2D", "Mean", "DynamicStitch", IMAGES),
    layer("GlobalMaxPooling1D", "Max", "DynamicStitch", LINES),
    layer("GlobalMaxPooling2D", "Max", "DynamicStitch", IMAGES),
    layer("Dense", "MatMul", "MatMul", ROWS, 4),
    layer("Dense", "MatMul", "BroadcastGradientArgs", TOKENS, 4, activation="gelu"),
    layer("EinsumDense", "BatchMatMulV2", "BatchMatMulV2", TOKENS, "abc,cd->abd", (None, 7), bias_axes="d"),
    layer("LayerNormalization", "Rsqrt", "RsqrtGrad", TOKENS),
    layer("RMSNormalization", "Rsqrt", "RsqrtGrad", TOKENS),
    layer("BatchNormalization", "Rsqrt", "Rsqrt", IMAGES),
    layer("BatchNormalization", "Rsqrt", "Rsqrt", ROWS, axis=1),
    layer("GroupNormalization", "Rsqrt", "RsqrtGrad", (Input(("batch", 5, 6, 4)),), 2),
    layer("UnitNormalization", "Rsqrt", "RsqrtGrad", ROWS),
    layer("PReLU", "Relu", "ReluGrad", TOKENS),
    layer("MultiHeadAttention", "Einsum", "Einsum", (TOKENS[0], Input(("batch", 4, 8))), 2, 3),
    layer("GroupQueryAttention", "Einsum", "Einsum", (TOKENS[0], Input(("batch", 4, 8))), 3, 4, 2),
    layer("UpSampling1D", "Reshape", "Sum", LINES, 2),
    layer("UpSampling2D", "Reshape", "Sum", IMAGES, 2),
    # Of float64 TensorFlow's is float32, and the gradient is as good as float32.
    Case(
        "ResizeBilinear",
        gradient(Layer("UpSampling2D", (2, 3), interpolation="bilinear")),
        IMAGES,
        dtypes=("float32",),
        eps=64,
        also=("ResizeBilinearGrad",),
    ),
    *resizing("ResizeBilinearGrad", lambda g, x: {"grads": g, "original_image": x}, ("float32",)),
    *resizing("ResizeNearestNeighborGrad", lambda g, x: {"grads": g, "size": x.shape[1:3]}),
    layer(
        "Resizing",
        "ResizeNearestNeighbor",
        "ResizeNearestNeighborGrad",
        IMAGES,
        14,
        11,
        interpolation="nearest",
    ),
    *resized(),
    *(
        Case(f"Resize{name.title()}", Layer("Resizing", *size, interpolation=name), IMAGES, f"to {size}", ("float32",))
        for size in ((5, 7), (14, 3))
        for name in ("bicubic", "area")
    ),
    Case("ResizeNearestNeighbor", Layer("Resizing", 11, 4, interpolation="nearest"), IMAGES, "not to a multiple"),
    Case("AvgPool3D", Layer("AveragePooling3D", 2, padding="same"), VOLUMES, dtypes=("float32",)),
    Case("MaxPool3D", Layer("MaxPooling3D", 2, padding="same"), VOLUMES, dtypes=("float32",)),
    Case("Bucketize", Layer("Discretization", bin_boundaries=[-0.5, 0.0, 1.0]), IMAGES, "Discretization"),
    layer("UpSampling3D", "Reshape", "Sum", VOLUMES, 2),
    layer("ZeroPadding3D", "Pad", "Slice", VOLUMES, 1),
    layer("Cropping3D", "StridedSlice", "StridedSliceGrad", VOLUMES, 1),
    layer("GlobalAveragePooling3D", "Mean", "DynamicStitch", VOLUMES),
    layer("ZeroPadding2D", "Pad", "Slice", IMAGES, 1),
    layer("ZeroPadding1D", "Pad", "Slice", LINES, 1),
    layer("Cropping2D", "StridedSlice", "StridedSliceGrad", IMAGES, 1),
    layer("Cropping1D", "StridedSlice", "StridedSliceGrad", LINES, 1),
    layer("RepeatVector", "Tile", "Sum", ROWS, 3),
    Case("GatherV2", embedded, [Input(("batch", 4, 3)), Input(("batch", 4), 0, 7, dtype="int32")], "Embedding"),
    Case("While", Layer("GRU", 3), TOKENS, "GRU", eps=64),
    Case("While", Layer("LSTM", 3), TOKENS, "LSTM", eps=64, lacks="LSTM"),
    Case("While", Layer("SimpleRNN", 3, return_sequences=True), TOKENS, "SimpleRNN", eps=64),
]
