"""Random draws of a seed, which are TensorFlow's own numbers."""

from typing import Any

import tensorflow as tf

from op_cases.comparison import Case, Input

INTEGERS = ("int32", "int64")
SEED = Input((2,), -(2**62), 2**62, dtype="int64")
SHAPE = Input(("batch", "rows"))
KEY, COUNTER = Input((1,), -(2**62), 2**62, dtype="int64"), Input((2,), 0, 2**62, dtype="int64")


def stateless(op: str, **options: Any) -> list[Case]:
    """Both versions of an op: of a seed, and of a key and a counter."""
    attributes = {"minval": -5, "maxval": 9} if op.endswith("UniformInt") else {}
    dtypes = options.pop("dtypes", ("float32", "float64"))

    def first(x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        ends = {name: tf.cast(value, x.dtype) for name, value in attributes.items()} or {"dtype": x.dtype}
        return getattr(tf.raw_ops, op)(shape=tf.shape(x), seed=seed, **ends)

    def second(x: tf.Tensor, key: tf.Tensor, counter: tf.Tensor) -> tf.Tensor:
        ends = {name: tf.cast(value, x.dtype) for name, value in attributes.items()} or {"dtype": x.dtype}
        key, counter = tf.cast(key, tf.uint64), tf.cast(counter, tf.uint64)
        return getattr(tf.raw_ops, f"{op}V2")(shape=tf.shape(x), key=key, counter=counter, alg=1, **ends)

    return [
        Case(op, first, (SHAPE, SEED), dtypes=dtypes, **options),
        Case(f"{op}V2", second, (SHAPE, KEY, COUNTER), dtypes=dtypes, **options),
    ]


def _as_int64(values: Any) -> list[tf.Tensor]:
    return [tf.cast(value, tf.int64) if value.dtype == tf.uint64 else value for value in values]


CASES = [
    *stateless("StatelessRandomUniform"),
    *stateless("StatelessRandomNormal", eps=16),
    *stateless("StatelessTruncatedNormal", eps=16),
    *stateless("StatelessRandomUniformInt", dtypes=INTEGERS),
    *stateless("StatelessRandomUniformFullInt", dtypes=INTEGERS),
    Case("StatelessMultinomial", lambda x, seed: tf.random.stateless_categorical(x, 50, seed), (SHAPE, SEED)),
    Case(
        "StatelessRandomGetKeyCounter",
        lambda seed: _as_int64(tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)),
        (SEED,),
        dtypes=("int64",),
    ),
    Case(
        "StatelessRandomGetKeyCounterAlg",
        lambda seed: _as_int64(tf.raw_ops.StatelessRandomGetKeyCounterAlg(seed=seed)),
        (SEED,),
        dtypes=("int64",),
    ),
    Case("StatelessRandomGetAlg", lambda x: x + tf.raw_ops.StatelessRandomGetAlg(), (SHAPE,), dtypes=("int32",)),
]
