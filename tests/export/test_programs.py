"""Chains of random ops convert to graphs that give what TensorFlow gives, and no pass fails at them."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from export import onnx
from export.session import open_session
from zoo.signature import NamedTensor, Signature

Image = tf.Tensor
Step = Callable[[Image], Image]
LARGEST, COUNT = 12, 400  # pixels along an axis, and programs


class Maker:
    """Makes steps for images of a known size, from random numbers."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)

    def normal(self, *shape: int) -> np.ndarray:
        return np.asarray(self.rng.normal(scale=0.4, size=shape), np.float32)

    def step(self, image: Image) -> Step:
        names = [name for name in vars(Maker) if name.startswith("op_")]
        return getattr(self, str(self.rng.choice(names)))(*image.shape[1:])

    def op_convolution(self, height: int, width: int, channels: int) -> Step:
        kernel = self.normal(*self.rng.choice([1, 2, 3], 2), channels, self.rng.integers(1, 5))
        stride = int(self.rng.integers(1, 3))
        padding = "VALID" if min(height, width) > 2 and self.rng.random() < 0.3 else "SAME"
        return lambda x: tf.nn.conv2d(x, kernel, stride, padding)

    def op_transposed_convolution(self, height: int, width: int, channels: int) -> Step:
        filters, stride = int(self.rng.integers(1, 5)), int(self.rng.integers(1, 3))
        kernel = self.normal(3, 3, filters, channels)
        return lambda x: tf.nn.conv2d_transpose(
            x, kernel, [tf.shape(x)[0], height * stride, width * stride, filters], stride, "SAME"
        )

    def op_activation(self, *_: int) -> Step:
        chosen = [tf.nn.relu, tf.tanh, tf.nn.silu, tf.nn.leaky_relu, tf.square, lambda x: tf.clip_by_value(x, -1, 0.5)]
        return chosen[self.rng.integers(len(chosen))]

    def op_constant(self, height: int, width: int, channels: int) -> Step:
        shapes = [(), (channels,), (width, 1), (height, 1, channels), (1, height, width, channels)]
        value = self.normal(*shapes[self.rng.integers(len(shapes))])
        chosen = [
            lambda x: x + value,
            lambda x: value - x,
            lambda x: x * value,
            lambda x: tf.maximum(x, value),
        ]
        return chosen[self.rng.integers(len(chosen))]

    def op_normalization(self, *size: int) -> Step:
        mean, scale, shift = (self.normal(size[-1]) for _ in range(3))
        return lambda x: tf.nn.batch_normalization(x, mean, 0.5 + mean**2, shift, scale, 1e-3)

    def op_statistic(self, *_: int) -> Step:
        axes = [[1], [2], [3], [1, 2], [2, 3], [1, 2, 3]][self.rng.integers(6)]
        reduce = [tf.reduce_mean, tf.reduce_max, tf.reduce_sum][self.rng.integers(3)]
        return lambda x: x - 0.2 * reduce(x, axes, keepdims=True)

    def op_modulation(self, *_: int) -> Step:
        return lambda x: x * tf.nn.sigmoid(tf.reduce_mean(x, [1, 2]))[:, None, None]

    def op_join(self, *size: int) -> Step:
        axis = int(self.rng.integers(1, 4))
        return lambda x: tf.concat([x, tf.tanh(x)], axis)

    def op_halves(self, *size: int) -> Step:
        axis = int(self.rng.integers(1, 4))
        return (lambda x: tf.subtract(*tf.split(x, 2, axis))) if size[axis - 1] % 2 == 0 else tf.identity

    def op_part(self, height: int, width: int, channels: int) -> Step:
        return (lambda x: x[:, 1:, ::2]) if min(height, width) > 2 else (lambda x: x[..., ::-1])

    def op_pad(self, height: int, width: int, channels: int) -> Step:
        mode = "REFLECT" if min(height, width) > 2 and self.rng.random() < 0.5 else "CONSTANT"
        return lambda x: tf.pad(x, [[0, 0], [1, 0], [0, 2], [0, 0]], mode)

    def op_gather(self, *size: int) -> Step:
        axis = int(self.rng.integers(1, 4))
        places = self.rng.integers(0, size[axis - 1], 3)
        return lambda x: tf.gather(x, places, axis=axis)

    def op_table(self, *size: int) -> Step:
        table = self.normal(3, *size)
        return lambda x: x + tf.gather(table, tf.cast(tf.reduce_sum(x, [1, 2, 3]) > 0, tf.int32))

    def op_dense(self, *size: int) -> Step:
        weights, bias = self.normal(size[-1], 3), self.normal(3)
        return lambda x: tf.tensordot(x, weights, 1) + bias

    def op_flat(self, *size: int) -> Step:
        count = int(np.prod(size))
        weights, shift = self.normal(count, count) / count**0.5, self.normal(size[-1])
        return lambda x: tf.reshape(tf.nn.relu(tf.reshape(x, [-1, count]) @ weights), [-1, *size]) + shift

    def op_reshape(self, height: int, width: int, channels: int) -> Step:
        sizes = [(width, height, channels), (height * width, 1, channels), (channels, height, width)]
        size = sizes[self.rng.integers(3)]
        return lambda x: tf.reshape(x, [-1, *size])

    def op_transpose(self, *_: int) -> Step:
        order = [(0, 2, 1, 3), (0, 3, 1, 2), (0, 1, 3, 2), (0, 2, 3, 1)][self.rng.integers(4)]
        return lambda x: tf.transpose(x, order)

    def op_attention(self, *_: int) -> Step:
        return lambda x: x + 0.2 * tf.einsum("bhwc,bhvd->bhwc", x, tf.tanh(x))

    def op_softmax(self, *_: int) -> Step:
        axis = int(self.rng.integers(1, 4))
        return lambda x: tf.nn.softmax(x, axis)

    def op_largest(self, *_: int) -> Step:
        axis = int(self.rng.integers(1, 4))
        return lambda x: x * tf.expand_dims(tf.cast(tf.argmax(tf.round(4 * x), axis), tf.float32), axis)

    def op_repeat(self, *_: int) -> Step:
        axis, repeat = int(self.rng.integers(1, 3)), self.rng.random() < 0.5
        tiles = [2 if each == axis else 1 for each in range(4)]
        return (lambda x: tf.repeat(x, 2, axis)) if repeat else (lambda x: tf.tile(x, tiles))

    def op_pool(self, *_: int) -> Step:
        average = self.rng.random() < 0.5
        return lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME") if average else tf.nn.max_pool2d(x, 2, 1, "SAME")

    def op_sums(self, *_: int) -> Step:
        axis = int(self.rng.integers(1, 4))
        return lambda x: 0.3 * tf.cumsum(x, axis)

    def op_branch(self, *_: int) -> Step:
        return lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: 2 * tf.tanh(x), lambda: x - 1)

    def op_loop(self, *size: int) -> Step:
        kernel, shift = self.normal(3, 3, size[-1], size[-1]), self.normal(size[-1])

        def step(count: tf.Tensor, state: Image, x: Image) -> tuple:
            return count + 1, tf.tanh(tf.nn.conv2d(state, kernel, 1, "SAME") + shift) + 0.1 * x, x

        return lambda x: tf.while_loop(lambda count, *_: count < 2, step, (0, x, x))[1]

    def op_descent(self, *size: int) -> Step:
        kernel, stride = self.normal(3, 3, size[-1], 3), int(self.rng.integers(1, 3))

        def descend(x: Image) -> Image:
            with tf.GradientTape() as tape:
                tape.watch(x)
                energy = tf.reduce_sum(tf.nn.silu(tf.nn.conv2d(x, kernel, stride, "SAME")))
            return x - 0.1 * tape.gradient(energy, x)

        return descend


def program(seed: int) -> tuple[tuple[int, ...], Step]:
    """Returns the size of images, and what is done to them: steps one after another, some of them around others."""
    maker = Maker(seed)
    size = (*maker.rng.integers(3, 7, 2), int(maker.rng.choice([1, 2, 3, 4])))
    steps: list[Step] = []
    image = tf.zeros([2, *size])
    while len(steps) < maker.rng.integers(4, 9):
        step = maker.step(image)
        result = step(image)
        if max(result.shape[1:]) > LARGEST:
            continue
        if result.shape == image.shape and maker.rng.random() < 0.3:
            step = lambda x, step=step: x + step(x)  # noqa: E731
        steps.append(step)
        image = result

    def run(x: Image) -> Image:
        for step in steps:
            x = step(x)
        return x

    return tuple(int(each) for each in size), run


@pytest.mark.parametrize(
    "first", [pytest.param(first, marks=pytest.mark.slow if first else ()) for first in range(0, COUNT, 20)]
)
def test_programs_convert_to_what_tensorflow_computes(first):
    for seed in range(first, first + 20):
        size, run = program(seed)
        inputs = (NamedTensor("x", ("batch", *size)),)
        outputs = (NamedTensor("y", ("batch", *run(tf.zeros([2, *size])).shape[1:])),)
        model = onnx.convert(Signature("program", lambda x, run=run: {"y": run(x)}, inputs, outputs))
        onnx.check(model, "program")
        session = open_session(model.SerializeToString(), "program")
        for batch in (1, 3):
            x = np.random.default_rng(seed).normal(size=(batch, *size)).astype(np.float32)
            expected = run(tf.constant(x)).numpy()
            (found,) = session.run(None, {"x": x})
            scale = 1 + np.abs(expected)
            assert np.abs(found - expected).max() <= 1e-3 * scale.max(), f"program {seed}"
