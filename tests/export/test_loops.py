"""Loops that fill arrays give what TensorFlow's give, however early they end, or are named."""

import collections

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

import export


def test_loops_that_fill_their_result_from_its_end_are_named(tmp_path):
    class Scanned(keras.layers.Layer):
        def __init__(self, reverse, **options):
            super().__init__(**options)
            self.reverse = reverse

        def call(self, x):
            before = tf.zeros([tf.shape(x)[0], 2])
            steps = tf.transpose(x, [1, 0, 2])
            found = tf.scan(lambda a, b: a * 0.5 + b, steps, initializer=before, reverse=self.reverse)
            return tf.transpose(found, [1, 0, 2])

    (found,) = export.check_exportable(keras.Sequential([keras.Input((5, 2)), Scanned(True, name="backward")]))
    assert (found.op, found.layers) == ("A loop", ("backward",))
    assert "tf.reverse" in found.remedy
    export.save(keras.Sequential([keras.Input((5, 2)), Scanned(False)]), tmp_path / "bundle")


class Collected(keras.layers.Layer):
    """Collects what a loop makes in an array."""

    def __init__(self, collect, **options):
        super().__init__(**options)
        self.collect = collect

    def call(self, x):
        return self.collect(x)

    def compute_output_shape(self, shape):
        return shape


def array(length, **options):
    return tf.TensorArray(tf.float32, length, element_shape=(None, 5), **options)


def mean(found):
    return tf.reduce_mean(found.stack(), 0)


def until_small(x, length=4, **options):
    def step(i, state, found):
        state = tf.tanh(state * 0.3)
        return i + 1, state, found.write(i, state)

    def goes_on(i, state, _):
        return (i < 4) & (tf.reduce_max(tf.abs(state)) > 0.01)

    return mean(tf.while_loop(goes_on, step, (0, x, array(length, **options)))[2])


def grown(x):
    return until_small(x, 0, dynamic_size=True)


def longer_than_the_loop(x):
    return until_small(x, 6)


@tf.function
def until_a_break(x):
    found = array(4)
    for i in tf.range(4):
        found = found.write(i, x)
        x *= 0.5
        if tf.reduce_max(x) < 0.02:
            break
    return mean(found)


def as_data_say_in_a_loop(x):
    def inner(turns, start):
        found = tf.while_loop(lambda i, _: i < turns, lambda i, found: (i + 1, found.write(i, x)), (0, array(4)))
        return tf.reduce_sum(found[1].stack(), 0) + start

    turns = tf.cast(tf.reduce_max(x) > 0.5, tf.int32) + 3
    return tf.while_loop(lambda i, *_: i < 2, lambda i, y: (i + 1, inner(turns, y)), (0, x))[1]


def as_many_as_columns_count(x):
    """Of which the size is no size of what is passed in."""
    chosen = tf.where(tf.reduce_max(x, 0) > 0.02)[:, 0]
    found = tf.TensorArray(tf.float32, 5, element_shape=(None,))
    step = lambda i, found: (i + 1, found.write(i, tf.gather(x, chosen[i], axis=1)))  # noqa: E731
    found = tf.while_loop(lambda i, _: i < tf.shape(chosen)[0], step, (0, found))[1]
    return x + tf.reduce_mean(found.stack(), 0)[:, None]


def fewer_than_the_array_is_long(x):
    turns = tf.cast(10 * tf.reduce_max(x), tf.int32) + 1
    step = lambda i, found: (i + 1, found.write(i, x))  # noqa: E731
    return mean(tf.while_loop(lambda i, _: i < tf.minimum(turns, 8), step, (0, array(turns)))[1])


def the_last_alone(x):
    step = lambda i, found: (i + 1, found.write(0, x * tf.cast(i, tf.float32)))  # noqa: E731
    turns = tf.cast(5 * tf.reduce_max(x), tf.int32) + 1
    start = 0, array(0, dynamic_size=True)
    return tf.reduce_sum(tf.while_loop(lambda i, _: i < turns, step, start)[1].stack(), 0)


@tf.function
def behind_a_prompt(x):
    """Places are counted from the size of something that the model makes, and each is asked for in the body."""
    prompt = tf.tanh(x @ tf.ones([5, 3]))
    start, found = tf.shape(prompt)[1], array(4)
    for i in tf.range(start, start + 4):
        found = found.write(i - start, x * tf.cast(i - tf.shape(x)[1], tf.float32))
    return mean(found)


@tf.function
def by_range(x):
    found = array(3)
    for i in tf.range(2, 5):
        found = found.write(i - 2, x * tf.cast(i, tf.float32))
    return mean(found)


def as_long_as_the_array(x):
    turns = tf.cast(tf.reduce_max(x) > 0.5, tf.int64) + 3
    length = tf.cast(turns, tf.int32)
    step = lambda i, found: (i + 1, found.write(tf.cast(i, tf.int32), x))  # noqa: E731
    return mean(tf.while_loop(lambda i, _: i < turns, step, (tf.constant(0, tf.int64), array(length)))[1])


def as_the_batch(x):
    def inner(row):
        rows = tf.TensorArray(tf.float32, tf.shape(x)[0], element_shape=(5,))
        step = lambda i, found: (i + 1, found.write(i, row))  # noqa: E731
        return tf.reduce_sum(tf.while_loop(lambda i, _: i < tf.shape(x)[0], step, (0, rows))[1].stack(), 0)

    return tf.map_fn(inner, x)


def one_at_most(x):
    turns = tf.cast(5 * tf.reduce_max(x), tf.int32)  # none, for some
    found = tf.TensorArray(tf.float32, 1, element_shape=(5,))
    step = lambda i, found: (i + 1, found.write(0, tf.reduce_max(x, 0) + 1.0))  # noqa: E731
    return x - tf.reduce_max(tf.while_loop(lambda i, _: i < turns, step, (0, found))[1].stack(), 0)


def mapped(x):
    return tf.map_fn(lambda row: tf.nn.softmax(row) * 2, x)


REGULAR = [as_long_as_the_array, mapped]
EARLY = [
    behind_a_prompt,
    by_range,
    until_small,
    grown,
    longer_than_the_loop,
    until_a_break,
    as_data_say_in_a_loop,
    as_many_as_columns_count,
    fewer_than_the_array_is_long,
    the_last_alone,
    one_at_most,
    as_the_batch,
]


@pytest.mark.parametrize("collect", [*REGULAR, *EARLY])
def test_arrays_that_loops_fill_are_those_of_tensorflow(collect, tmp_path):
    model = keras.Sequential([keras.Input((5,), name="x"), Collected(collect)])
    export.save(model, tmp_path / "bundle", "onnx")
    for scale in (3.0, 1.0, 0.2, 0.05):  # loops that look at values end at other turns
        rows = np.float32(scale * np.linspace(-1, 1, 15).reshape(3, 5))
        found = export.load(tmp_path / "bundle").run("call", x=rows)["output"]
        np.testing.assert_allclose(found, model.predict(rows, verbose=0), rtol=1e-5, atol=1e-6)
    ops = collections.Counter(node.op_type for node in onnx.load(tmp_path / "bundle" / "onnx" / "call.onnx").graph.node)
    assert collect not in REGULAR or not {"Concat", "Expand"} & set(ops)


def place_of_accepted(x):
    def step(i, place, found):
        return i + 1, place + tf.cast(tf.reduce_sum(x) > -50, tf.int32), found.write(place, x * tf.cast(i, tf.float32))

    return mean(tf.while_loop(lambda i, *_: i < 4, step, (0, 0, array(4)))[2])


def place_from_data(x):
    start = tf.cast(tf.reduce_max(x) > 50, tf.int32)
    step = lambda i, found: (i + 1, found.write(i, x))  # noqa: E731
    return mean(tf.while_loop(lambda i, _: i < 4, step, (start, array(4)))[1])


def place_behind_what_is_skipped(x):
    is_small = lambda i: tf.reduce_max(x) * tf.cast(i + 1, tf.float32) < -50  # noqa: E731
    start = tf.while_loop(is_small, lambda i: i + 1, (0,))[0]
    step = lambda i, found: (i + 1, found.write(i, x))  # noqa: E731
    return mean(tf.while_loop(lambda i, _: i < 4, step, (start, array(4)))[1])


def place_of_two(x):
    step = lambda i, found: (i + 1, found.write(tf.cast(tf.cast(i, tf.bool), tf.int32), x))  # noqa: E731
    turns = tf.cast(tf.reduce_max(x) > 50, tf.int32) + 2
    return mean(tf.while_loop(lambda i, _: i < turns, step, (0, array(4)))[1])


def place_from_segments(x):
    """From a size that values decide."""
    segments = tf.cumsum(tf.cast(x[0] > 50, tf.int32))
    start = tf.shape(tf.math.segment_sum(x[0], segments))[0] - 1
    step = lambda i, found: (i + 1, found.write(i, x))  # noqa: E731
    return mean(tf.while_loop(lambda i, _: i < 4, step, (start, array(4)))[1])


@pytest.mark.parametrize(
    "collect",
    [place_of_accepted, place_from_data, place_behind_what_is_skipped, place_of_two, place_from_segments],
)
def test_loops_that_put_entries_where_data_say_are_named(collect):
    """For most values the places are the next ones, and no check would find what is wrong for the others."""
    deep = [keras.layers.Dense(5, "tanh") for _ in range(100)]
    (found,) = export.check_exportable(keras.Sequential([keras.Input((5,)), *deep, Collected(collect, name="early")]))
    assert (found.op, found.layers) == ("A loop", ("early",))
    assert "to the place that counts the turns" in found.remedy


def the_last_read(x):
    turns = tf.cast(tf.reduce_max(x) > 50, tf.int32) + 1
    step = lambda i, found: (i + 1, found.write(0, x * tf.cast(i, tf.float32)))  # noqa: E731
    return tf.while_loop(lambda i, _: i < turns, step, (0, array(1)))[1].read(0)


def the_fourth_read(x):
    turns = 4 - tf.cast(tf.reduce_max(x) > 50, tf.int32)
    step = lambda i, found: (i + 1, found.write(i, x))  # noqa: E731
    return tf.while_loop(lambda i, _: i < turns, step, (0, array(4)))[1].read(3)


@pytest.mark.parametrize("collect", [the_last_read, the_fourth_read])
def test_entries_that_may_not_be_there_are_not_read(collect):
    (found,) = export.check_exportable(keras.Sequential([keras.Input((5,)), Collected(collect, name="early")]))
    assert (found.op, found.layers) == ("TensorListGetItem", ("early",))
    assert "array.stack()[place]" in found.remedy
