"""What the cases of ops share: what to draw, what to convert, and how near ONNX Runtime has to come to TensorFlow."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from export import onnx
from export.bodies import graphs_of
from export.session import open_session, run_session
from zoo.signature import NamedTensor, Signature

FREE, BATCHES = "batch", (1, 4)


@dataclass(frozen=True)
class Input:
    """A tensor to draw.

    Args:
        shape: "batch" is a free axis; another string is a size drawn once a case, from 2 to 6, and known when the
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
        dtypes: Those that it is run in, but for what `lacks` leaves out.
        eps: How far off a value may be, in units of the dtype's rounding.
        also: Other ops that it is there for.
        lacks: The ONNX op that it becomes and that ONNX Runtime has no float64 kernel for: it is run in float32 alone.
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
    lacks: str = ""

    def __str__(self) -> str:
        return f"{self.op}-{self.name}" if self.name else self.op

    @property
    def compared(self) -> tuple[str, ...]:
        """The dtypes that it is run in."""
        return tuple(dtype for dtype in self.dtypes if dtype != "float64" or not self.lacks)


def compare(cases: Sequence[Case], dtype: str) -> None:
    """Converts cases, all to one graph as most of the time goes with any graph, and compares at two batch sizes.

    Raises:
        AssertionError: Values differ, or a case has not the ops that it is there for.
    """
    drawn = [_Drawn(case, dtype, f"case{place}") for place, case in enumerate(cases)]
    added: dict[str, set[str]] = {}

    def function(**values: tf.Tensor) -> dict[str, tf.Tensor]:
        graph, found = tf.compat.v1.get_default_graph(), {}
        for each in drawn:
            before = len(graph.get_operations())
            found |= each.outputs([values[spec.name] for spec in each.specs])
            added[each.prefix] = ops_of(graph, (node.node_def for node in graph.get_operations()[before:]))
        return found

    inputs = tuple(spec for each in drawn for spec in each.specs)
    outputs = tuple(spec for each in drawn for spec in each.results)
    model = onnx.convert(Signature("test", function, inputs, outputs))
    onnx.check(model, "test")
    session = open_session(model.SerializeToString(), "test")
    made = {node.op_type for graph in graphs_of(model.graph) for node in graph.node}
    wrong = []
    for each in drawn:
        missing = {each.case.op, *each.case.also} - added[each.prefix]
        if missing:
            wrong.append(f"{each.case}: {missing} not among {sorted(added[each.prefix])}")
        if each.case.lacks and each.case.lacks not in made:
            wrong.append(f"{each.case}: no ONNX op {each.case.lacks}")
    for batch in range(len(BATCHES)):
        values = {name: value for each in drawn for name, value in each.values[batch].items()}
        found = run_session(session, values, "test")
        for each in drawn:
            for name, expected in each.expected[batch].items():
                try:
                    assert_near(found[name], expected, each.case, dtype)
                except AssertionError as error:
                    wrong.append(f"{each.case}: {error}")
    assert not wrong, "\n".join(wrong)


class _Drawn:
    """What is drawn for a case, and what TensorFlow makes of it without a graph.

    Args:
        case: The case.
        dtype: That under test.
        prefix: Of the names of its inputs and outputs.
    """

    def __init__(self, case: Case, dtype: str, prefix: str):
        self.case, self.prefix = case, prefix
        generator = np.random.default_rng(zlib.crc32(f"{case}".encode()))
        names = dict.fromkeys(size for given in case.inputs for size in given.shape if isinstance(size, str))
        sizes = {name: int(generator.integers(2, 7)) for name in names if name != FREE}
        self.specs = [
            NamedTensor(
                f"{prefix}_x{place}", tuple(sizes.get(size, size) for size in given.shape), given.dtype or dtype
            )
            for place, given in enumerate(case.inputs)
        ]
        self.values = [
            {
                spec.name: given.draw(generator, {**sizes, FREE: batch}, spec.dtype)
                for spec, given in zip(self.specs, case.inputs, strict=True)
            }
            for batch in BATCHES
        ]
        self.expected = [
            {name: value.numpy() for name, value in self.outputs(list(map(tf.constant, values.values()))).items()}
            for values in self.values
        ]
        self.results = [
            NamedTensor(name, tuple(f"{name}_{axis}" for axis in range(value.ndim)), value.dtype.name)
            for name, value in self.expected[0].items()
        ]

    def outputs(self, values: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns what the case makes of tensors, by name."""
        made = self.case.function(*values)
        made = made if isinstance(made, list | tuple) else [made]
        return {f"{self.prefix}_y{place}": value for place, value in enumerate(made)}


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


def ops_of(graph: tf.Graph, nodes: Iterable[Any]) -> set[str]:
    """Returns the ops of nodes and of the functions that they call."""
    library = {each.signature.name: each.node_def for each in graph.as_graph_def().library.function}
    found, left = set(), list(nodes)
    while left:
        node = left.pop()
        found.add(node.op)
        for attribute in node.attr.values():
            for called in (attribute.func, *attribute.list.func):
                left += library.pop(called.name, [])
    return found


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
