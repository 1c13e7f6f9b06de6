"""Every handler against TensorFlow, on random shapes and values with a free batch axis."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import export
from export import onnx
from export.ops import handlers
from export.session import open_session
from zoo.signature import NamedTensor, Signature

WIDE = np.concatenate([[0, -0.0, 1e-30, 1e-8, -1e-8, 1e-4, 0.7, -0.7], np.linspace(-0.99, 80, 57)])
ELEMENTWISE = {
    "Log1p": (lambda x: tf.math.log1p(x), WIDE),
    "Expm1": (lambda x: tf.math.expm1(x), np.concatenate([WIDE, [-50, -3, -1.01, -1.0, 1.0, 1.01]])),
    "MulNoNan": (lambda x: tf.math.multiply_no_nan(1 / x, x), np.array([0.0, 0.5, 2.0])),
}


def run(function, inputs: dict[str, np.ndarray], specs, output: NamedTensor) -> np.ndarray:
    """Converts a function and runs it in ONNX Runtime."""
    signature = Signature("test", function, specs, (output,))
    model = onnx.convert(signature)
    onnx.check(model, "test")
    return open_session(model.SerializeToString(), "test").run(None, inputs)[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", ELEMENTWISE)
def test_elementwise(op, dtype):
    function, values = ELEMENTWISE[op]
    values = values.astype(dtype)
    spec = NamedTensor("x", ("batch",), dtype)
    got = run(lambda x: {"y": function(x)}, {"x": values}, (spec,), NamedTensor("y", ("batch",), dtype))
    expected = function(tf.constant(values)).numpy()
    np.testing.assert_allclose(got, expected, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("shapes", [((3, 1), (4,)), ((1,), (2, 5)), ((2, 3), (2, 3))])
def test_shapes(shapes):
    def function(x, y):
        first, second = tf.raw_ops.ShapeN(input=[x, y])
        shape = tf.raw_ops.BroadcastArgs(s0=first, s1=second)
        return {"z": tf.broadcast_to(x, shape) + y}

    specs = tuple(
        NamedTensor(name, tuple(f"{name}{axis}" for axis in range(len(shape))))
        for name, shape in zip("xy", shapes, strict=True)
    )
    values = {
        name: np.random.default_rng(0).random(shape, np.float32) for name, shape in zip("xy", shapes, strict=True)
    }
    rank = max(map(len, shapes))
    got = run(function, values, specs, NamedTensor("z", tuple(f"z{axis}" for axis in range(rank))))
    np.testing.assert_allclose(got, values["x"] + values["y"])


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
@pytest.mark.parametrize("batch", [((), ()), ((5,), (5,)), ((4, 1), (3,))])
def test_triangular_systems(lower, adjoint, batch):
    generator, size = np.random.default_rng(0), 6
    shapes = {"a": (*batch[0], size, size), "b": (*batch[1], size, 2)}
    values = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    values["a"] += 3 * np.eye(size, dtype=np.float32)

    def function(a, b):
        return {"x": tf.raw_ops.MatrixTriangularSolve(matrix=a, rhs=b, lower=lower, adjoint=adjoint)}

    specs = tuple(
        NamedTensor(name, (*(f"{name}{axis}" for axis in range(len(shape) - 2)), *shape[-2:]))
        for name, shape in shapes.items()
    )
    rank = max(map(len, batch))
    got = run(function, values, specs, NamedTensor("x", (*(f"x{axis}" for axis in range(rank)), size, 2)))
    triangle = np.tril(values["a"]) if lower else np.triu(values["a"])
    triangle = np.swapaxes(triangle, -1, -2) if adjoint else triangle
    np.testing.assert_allclose(triangle @ got, np.broadcast_to(values["b"], got.shape), atol=1e-5)


def test_a_triangular_system_of_unknown_size_is_refused():
    specs = (NamedTensor("a", ("size", "size")), NamedTensor("b", ("size", "columns")))
    with pytest.raises(export.ExportError, match="MatrixTriangularSolve"):
        run(lambda a, b: {"x": tf.linalg.triangular_solve(a, b)}, {}, specs, NamedTensor("x", ("size", "columns")))


@pytest.mark.parametrize("dtype", ["uint32", "int32"])
def test_random_bits_are_those_of_tensorflow(dtype):
    def function(key, counter, n):
        shape = tf.stack([tf.cast(n, tf.int32), 3])
        return {
            "words": tf.raw_ops.StatelessRandomUniformFullIntV2(
                shape=shape,
                key=tf.cast(tf.reshape(key, [1]), tf.uint64),
                counter=tf.cast(counter, tf.uint64),
                alg=1,
                dtype=dtype,
            )
        }

    specs = (NamedTensor("key", (), "int64"), NamedTensor("counter", (2,), "int64"), NamedTensor("n", (), "int64"))
    signature = Signature("bits", function, specs, (NamedTensor("words", ("n", 3), dtype),))
    session = open_session(onnx.convert(signature).SerializeToString(), "bits")
    generator = np.random.default_rng(0)
    for n in (1, 2, 3, 5, 1001):
        key = np.array(generator.integers(-(2**63), 2**63 - 1), np.int64)
        counter = generator.integers(0, 2**62, 2)
        inputs = {"key": key, "counter": counter, "n": np.array(n, np.int64)}
        expected = function(**{name: tf.constant(value) for name, value in inputs.items()})["words"].numpy()
        np.testing.assert_array_equal(session.run(None, inputs)[0], expected)


def test_every_handler_is_tested():
    tested = {*ELEMENTWISE, "MatrixTriangularSolve", "ShapeN", "BroadcastArgs", "StatelessRandomUniformFullIntV2"}
    text = (Path(__file__).parent / "test_gradients.py").read_text(encoding="utf-8")
    pooling = {"AvgPoolGrad", "MaxPoolGrad"}  # whose names are made there
    assert set(handlers()) == tested | pooling | {op for op in handlers() if f'"{op}"' in text}


def test_users_register_their_own_handler(monkeypatch):
    monkeypatch.setattr("export.ops._HANDLERS", dict(handlers()))
    spec, output = NamedTensor("x", ("batch",)), NamedTensor("y", ("batch",))

    def function(x):
        return {"y": tf.math.bessel_i0e(x)}

    with pytest.raises(export.ExportError, match="BesselI0e"):
        run(function, {"x": np.ones(2, np.float32)}, (spec,), output)

    def pretend(graph, node):
        """Stands for a real one: i0e(0) = 1."""
        from export.ops.build import Builder

        build = Builder(graph, node)
        build.replace(build.op("Exp", build.inputs[0]))

    export.register_op("BesselI0e", pretend)
    np.testing.assert_allclose(run(function, {"x": np.zeros(2, np.float32)}, (spec,), output), 1)
    with pytest.raises(export.ExportError, match="already"):
        export.register_op("BesselI0e", pretend)
