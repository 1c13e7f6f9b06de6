"""Loops and branches."""

import tensorflow as tf

from op_cases.comparison import Case, Input, gradient
from op_cases.draws import SEED

ROWS, WEIGHTS = Input(("batch", 3)), Input((3, 3))


def captured(x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """As many steps as the batch says, with tensors from outside."""

    def step(i: tf.Tensor, state: tf.Tensor) -> tuple:
        return i + 1, tf.tanh(state @ weights) + x * tf.cast(i, x.dtype)

    return tf.while_loop(lambda i, _: i < tf.shape(x)[0] + 1, step, (0, x))[1]


def until_small(x: tf.Tensor) -> tf.Tensor:
    """As many steps as the values need."""
    return tf.while_loop(lambda state: tf.reduce_max(tf.abs(state)) > 0.5, lambda state: (state * 0.7,), (x,))[0]


def none_in_a_loop(x: tf.Tensor) -> tf.Tensor:
    """How many sums there are along an axis, counted from the end, of rows that there are none of."""

    def step(i: tf.Tensor, total: tf.Tensor) -> tuple:
        rows = tf.boolean_mask(x, tf.reduce_all(x != x, -1)) * tf.cast(i, x.dtype)
        return i + 1, total + tf.cast(tf.size(tf.reduce_sum(rows, -2)), x.dtype)

    return tf.while_loop(lambda i, _: i < 3, step, (0, tf.reduce_sum(x)))[1]


def nested(x: tf.Tensor) -> tf.Tensor:
    """A loop in a loop, that captures from both."""

    def inner(i: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        step = lambda j, each: (j + 1, each * 0.9 + x * tf.cast(i, x.dtype))  # noqa: E731
        return tf.while_loop(lambda j, _: j < 2, step, (0, state))[1]

    return tf.while_loop(lambda i, _: i < 3, lambda i, state: (i + 1, inner(i, state)), (0, x))[1]


def nested_transposed(x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """A product with transposed weights in a loop in a loop, whose shapes tf2onnx knows by chance alone."""

    def inner(state: tf.Tensor) -> tf.Tensor:
        step = lambda j, each: (j + 1, tf.tanh(tf.matmul(each, weights, transpose_b=True)))  # noqa: E731
        return tf.while_loop(lambda j, _: j < 2, step, (0, state))[1]

    return tf.while_loop(lambda i, _: i < 2, lambda i, state: (i + 1, inner(state) * 0.5), (0, x))[1]


def descent(x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Steps down a gradient."""

    def step(i: tf.Tensor, state: tf.Tensor) -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(state)
            energy = tf.reduce_sum(tf.square(tf.tanh(state @ weights)))
        return i + 1, state - 0.25 * tape.gradient(energy, state)

    return tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]


def noisy(x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Noise of its own in each step."""

    def step(i: tf.Tensor, state: tf.Tensor) -> tuple:
        noise = tf.random.stateless_uniform(tf.shape(x), tf.stack([seed[0], tf.cast(i, tf.int64)]), dtype=x.dtype)
        return i + 1, state * 0.5 + noise

    return tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]


def dilated(x: tf.Tensor) -> tf.Tensor:
    """Steps down the gradient of a dilated convolution, which TensorFlow writes as three ops."""
    kernel = tf.reshape(tf.range(12, dtype=x.dtype) / 12 - 0.5, [3, 1, 4])

    def step(i: tf.Tensor, state: tf.Tensor) -> tuple:
        convolved = lambda state: tf.nn.conv1d(state[..., None], kernel, 1, "SAME", dilations=2)  # noqa: E731
        return i + 1, state - 0.1 * gradient(convolved)(state)[0]

    return tf.while_loop(lambda i, _: i < 2, step, (0, x))[1]


def branch(x: tf.Tensor) -> tf.Tensor:
    """One of two."""
    return tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x - 1)


CASES = [
    Case("StatelessWhile", captured, [ROWS, WEIGHTS], "captured tensors", eps=32),
    Case("StatelessWhile", until_small, [ROWS], "until small"),
    Case("StatelessWhile", none_in_a_loop, [ROWS], "of none", also=("Sum",)),
    Case("StatelessWhile", nested, [ROWS], "nested"),
    Case("StatelessWhile", nested_transposed, [ROWS, WEIGHTS], "nested, transposed weights", eps=32, also=("MatMul",)),
    Case("StatelessWhile", descent, [ROWS, WEIGHTS], "gradient inside", eps=32),
    Case("StatelessWhile", dilated, [Input(("batch", 8))], "gradient of a dilated convolution", lacks="Conv"),
    Case("StatelessWhile", noisy, [ROWS, SEED], "noise"),
    Case("StatelessWhile", lambda x: tf.map_fn(tf.reduce_sum, x), [ROWS], "map_fn"),
    Case("StatelessIf", branch, [ROWS]),
    Case("StatelessIf", gradient(branch), [ROWS], "gradient"),
    Case("PartitionedCall", tf.function(lambda x: x * 2), [ROWS]),
]
