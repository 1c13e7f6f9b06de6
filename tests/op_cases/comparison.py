"""What the cases of ops share: what to draw, what to convert, and how near ONNX Runtime has to come to TensorFlow."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from export import onnx
from export.session import open_session, run_session
from zoo.signature import NamedTensor, Signature

FREE, BATCHES = "batch", (1, 4)


@dataclass(frozen=True)
class Input:
    """A tensor to draw.

    Args:
        shape: "batch" is a free axis; another string is a size drawn once a case, from 1 to 6, and known when the
            graph is made; an int is itself.
        low: The smallest value.
        high: The largest, which integers do not reach.
        edges: Values that come first; what is left is uniform between `low` and `high`.
        dtype: By default that under test.
        then: Makes of what was drawn what is passed.
    """

    shape: tuple[int | str, ...] = ("batch", "rows", "columns")
    low: float = -2.0
    high: float = 2.0
    edges: tuple[float, ...] = ()
    dtype: str = ""
    then: Callable[[np.ndarray], np.ndarray] = lambda values: values

    def draw(self, generator: np.random.Generator, sizes: dict[str, int], dtype: str) -> np.ndarray:
        """Returns values of the dtype."""
        shape = tuple(size if isinstance(size, int) else sizes[size] for size in self.shape)
        if np.dtype(dtype).kind == "f":
            values = generator.uniform(self.low, self.high, shape)
        else:
            values = generator.integers(int(self.low), int(self.high), shape)
        count = min(len(self.edges), values.size)
        values = np.asarray(values, dtype)
        values.reshape(-1)[:count] = self.edges[:count]
        return np.asarray(self.then(values), dtype)


@dataclass(frozen=True)
class Case:
    """A function that is to give the same in ONNX Runtime as in TensorFlow.

    Args:
        op: The TensorFlow op that it is there for.
        function: From tensors to a tensor, or to several.
        inputs: What it takes.
        name: What tells it from other cases of the op.
        dtypes: Those that it is run in.
        eps: How far off a value may be, in units of the dtype's rounding.
        also: Other ops that it is there for.
        scale: Of what size, besides the value itself: by default that of the largest value, as is right for sums.
    """

    op: str
    function: Callable[..., Any]
    inputs: Sequence[Input] = (Input(),)
    name: str = ""
    dtypes: tuple[str, ...] = ("float32", "float64")
    eps: float = 8.0
    scale: float | None = None
    also: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.op}-{self.name}" if self.name else self.op


def compare(case: Case, dtype: str) -> None:
    """Converts a case and compares, at two batch sizes.

    Raises:
        AssertionError: The values differ, or TensorFlow does not use the op.
    """
    generator = np.random.default_rng(zlib.crc32(f"{case}".encode()))
    names = dict.fromkeys(size for given in case.inputs for size in given.shape if isinstance(size, str))
    sizes = {name: int(generator.integers(1, 7)) for name in names}
    inputs = {f"x{place}": given for place, given in enumerate(case.inputs)}
    specs = tuple(
        NamedTensor(
            name,
            tuple(sizes[size] if size in sizes and size != FREE else size for size in given.shape),
            given.dtype or dtype,
        )
        for name, given in inputs.items()
    )
    function = tf.function(lambda **values: _named(case.function(*values.values())), autograph=False)
    traced = function.get_concrete_function(**{spec.name: tf.TensorSpec(spec.free_shape, spec.dtype) for spec in specs})
    assert {case.op, *case.also} <= ops_of(traced), f"{case.op}, {case.also} are not all in {sorted(ops_of(traced))}"
    outputs = tuple(
        NamedTensor(name, tuple(f"{name}{axis}" for axis in range(value.shape.rank)), value.dtype.name)
        for name, value in traced.structured_outputs.items()
    )
    model = onnx.convert(Signature("test", lambda **values: _named(case.function(*values.values())), specs, outputs))
    session = open_session(model.SerializeToString(), "test")
    for batch in BATCHES:
        sizes[FREE] = batch
        values = {spec.name: inputs[spec.name].draw(generator, sizes, spec.dtype) for spec in specs}
        expected = function(**{name: tf.constant(value) for name, value in values.items()})
        for name, got in run_session(session, values, "test").items():
            assert_near(got, expected[name].numpy(), case, dtype)


def assert_near(got: np.ndarray, expected: np.ndarray, case: Case, dtype: str) -> None:
    """Asserts that values differ by a few roundings only, and shapes and dtypes do not."""
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(got, expected)
        return
    unit = case.eps * float(np.finfo(dtype if np.dtype(dtype).kind == "f" else expected.dtype).eps)
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    scale = largest if case.scale is None else case.scale
    np.testing.assert_allclose(got, expected, rtol=unit, atol=unit * scale)


def ops_of(traced: Any) -> set[str]:
    """Returns the ops of a traced function and of those that it calls."""
    graph = traced.graph.as_graph_def()
    return {node.op for nodes in (graph.node, *(each.node_def for each in graph.library.function)) for node in nodes}


def gradient(function: Callable[..., tf.Tensor], *, of: int | None = None) -> Callable[..., Any]:
    """Returns the gradient of a function's squares, so that what comes from above is not all ones.

    Args:
        function: From tensors to a tensor.
        of: How many of the inputs, from the first, the gradient is with respect to; by default all.
    """

    def gradients(*values: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(values[:of])
            total = tf.reduce_sum(tf.square(function(*values) + 0.5))
        return [tf.convert_to_tensor(value) for value in tape.gradient(total, values[:of])]

    return gradients


def _named(values: Any) -> dict[str, tf.Tensor]:
    values = values if isinstance(values, list | tuple) else [values]
    return {f"y{place}": value for place, value in enumerate(values)}
