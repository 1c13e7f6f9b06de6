"""What handlers refuse, what random draws are made of, and handlers of users."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from op_cases.comparison import Case, Input, compare

import export
from export import onnx
from export.ops import handlers
from export.ops.build import Builder
from export.session import open_session
from zoo.signature import NamedTensor, Signature

DOCS = Path(__file__).parents[3] / "docs"
IMAGES = NamedTensor("x", ("batch", "rows", "columns", 3))
SQUARE = NamedTensor("x", ("size", "size"))
SQUARE_OUT = NamedTensor("y", ("size", "size"))


def converted(function, inputs: list[NamedTensor], output: NamedTensor):
    """A session of a function."""
    model = onnx.convert(
        Signature("test", lambda **given: {output.name: function(*given.values())}, tuple(inputs), (output,))
    )
    return open_session(model.SerializeToString(), "test")


def slope(x, function):
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.square(function(x)))
    return tape.gradient(total, x)


@pytest.mark.parametrize(
    ("opset", "function"),
    [
        (13, lambda x: tf.scatter_nd([[0], [0]], x[0, :2], [3])),
        (15, lambda x: tf.math.unsorted_segment_max(x[0], [0, 1, 0], 3)),
    ],
)
def test_what_an_opset_lacks_is_refused(opset, function):
    """tf2onnx leaves attributes out that an opset does not have, and sums at one place were the last of them."""
    output = NamedTensor("y", (3,))
    signature = Signature("test", lambda x: {"y": function(x)}, (NamedTensor("x", ("batch", 3)),), (output,))
    with pytest.raises(export.ExportError, match="ScatterND has no reduction at this opset; opset 16 does"):
        onnx.convert(signature, opset=opset)


@pytest.mark.parametrize("opset", [13, 15, 18])
def test_diagonals_at_any_opset(opset):
    function = lambda x: {"y": tf.linalg.diag_part(x)}  # noqa: E731
    inputs, outputs = (NamedTensor("x", ("batch", 3, 3)),), (NamedTensor("y", ("batch", 3)),)
    session = open_session(
        onnx.convert(Signature("test", function, inputs, outputs), opset=opset).SerializeToString(), "test"
    )
    x = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], [[0, 4, 8], [9, 13, 17]])


@pytest.mark.parametrize(
    ("function", "kept"),
    [
        (tf.nn.silu, True),
        (lambda x: slope(x, tf.nn.silu), True),
        (lambda x: x * tf.sigmoid(1.702 * x), True),
        (lambda x: tf.math.log(tf.sigmoid(x)), False),
        (tf.sigmoid, False),
        (lambda x: tf.exp(x) * tf.sigmoid(x), False),
        (lambda x: (lambda share: tf.math.log(share) + x * share)(tf.sigmoid(x)), False),
    ],
)
def test_swish_keeps_the_sigmoid_of_onnx_and_logarithms_do_not(function, kept):
    model = onnx.convert(Signature("test", lambda x: {"y": function(x)}, (SQUARE,), (SQUARE_OUT,)))
    ops = {node.op_type for node in model.graph.node}
    assert ("Sigmoid" in ops, "Exp" in ops) == (kept, not kept)


@pytest.mark.parametrize(
    ("op", "function", "given"),
    [
        ("AvgPoolGrad", lambda x: slope(x, lambda x: tf.nn.avg_pool2d(x, 2, 2, "SAME")), IMAGES),
        ("MaxPoolGrad", lambda x: slope(x, lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME")), IMAGES),
        ("ResizeBilinearGrad", lambda x: slope(x, lambda x: tf.image.resize(x, [4, 4])), IMAGES),
        ("ResizeNearestNeighborGrad", lambda x: slope(x, lambda x: tf.image.resize(x, [4, 4], "nearest")), IMAGES),
        ("ResizeBicubic", lambda x: tf.image.resize(x, [4, 4], "bicubic"), IMAGES),
        ("ResizeArea", lambda x: tf.image.resize(x, [4, 4], "area"), IMAGES),
        ("MatrixTriangularSolve", lambda x: tf.linalg.triangular_solve(x, x), SQUARE),
        ("Cholesky", tf.linalg.cholesky, SQUARE),
        ("diag_part", lambda x: tf.linalg.diag(tf.linalg.diag_part(x)), NamedTensor("x", ("rows", "columns"))),
        ("MirrorPadGrad", lambda x: slope(x, lambda x: tf.pad(x, [[1, 1], [0, 0]], "REFLECT")), SQUARE),
        ("ExtractImagePatches", lambda x: tf.image.extract_patches(x, *[[1, 2, 2, 1]] * 3, "SAME"), IMAGES),
        ("Cumprod", lambda x: tf.math.cumprod(x, tf.cast(x[0, 0], tf.int32)), SQUARE),
    ],
)
def test_what_has_to_be_known_when_the_graph_is_made(op, function, given):
    output = NamedTensor("y", tuple(f"y{axis}" for axis in range(len(given.shape))))
    with pytest.raises(export.ExportError, match=op):
        converted(function, [given], output)


@pytest.mark.parametrize(
    ("op", "function"),
    [
        ("Cholesky", tf.linalg.cholesky),
        ("MatrixTriangularSolve", lambda x: tf.linalg.triangular_solve(x, x)),
    ],
)
def test_matrices_of_which_each_row_would_be_ops_of_its_own_are_refused(op, function):
    large = NamedTensor("x", ("batch", 65, 65))
    with pytest.raises(export.ExportError, match=rf"{op} is not converted here .*up to 64, .*not of \[-1, 65, 65\]"):
        converted(function, [large], NamedTensor("y", large.shape))


def test_random_numbers_of_half_precision_are_refused():
    def function(seed):
        return tf.random.stateless_uniform([3], seed, dtype=tf.float16)

    with pytest.raises(export.ExportError, match="StatelessRandomUniformV2"):
        converted(function, [NamedTensor("seed", (2,), "int64")], NamedTensor("y", (3,), "float16"))


@pytest.mark.parametrize("draw", ["normal", "truncated_normal"])
def test_many_draws_are_those_of_tensorflow(draw):
    function = getattr(tf.random, f"stateless_{draw}")
    seed = NamedTensor("seed", (2,), "int64"), NamedTensor("n", (), "int32")
    session = converted(lambda seed, n: function([n], seed), list(seed), NamedTensor("y", ("n",)))
    for n in (0, 1, 5, 20_001):
        given = {"seed": np.array([-(2**40), n], np.int64), "n": np.array(n, np.int32)}
        expected = function([n], given["seed"]).numpy()
        np.testing.assert_allclose(session.run(None, given)[0], expected, rtol=1e-5, atol=2e-6)


def test_words_of_random_bits_are_those_of_tensorflow():
    def function(key, counter, n):
        key, counter = tf.cast(tf.reshape(key, [1]), tf.uint64), tf.cast(counter, tf.uint64)
        return tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=tf.stack([n, 3]), key=key, counter=counter, alg=1, dtype=tf.uint32
        )

    given = [NamedTensor("key", (), "int64"), NamedTensor("counter", (2,), "int64"), NamedTensor("n", (), "int32")]
    session = converted(function, given, NamedTensor("words", ("n", 3), "uint32"))
    generator = np.random.default_rng(0)
    for n in (1, 2, 3, 5, 1001):
        inputs = {
            "key": np.array(generator.integers(-(2**63), 2**63 - 1), np.int64),
            "counter": generator.integers(0, 2**62, 2),
            "n": np.array(n, np.int32),
        }
        expected = function(**{name: tf.constant(value) for name, value in inputs.items()}).numpy()
        np.testing.assert_array_equal(session.run(None, inputs)[0], expected)


@pytest.fixture
def own_handlers(monkeypatch):
    """Forgets what a test registers."""
    monkeypatch.setattr("export.ops._HANDLERS", handlers())


@pytest.mark.usefixtures("own_handlers")
def test_users_register_the_handler_of_the_page_of_ops():
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / "ops.md").read_text(encoding="utf-8"), re.DOTALL)
    case = Case("Cross", tf.linalg.cross, (Input(("batch", "rows", 3)), Input(("batch", "rows", 3))))
    with pytest.raises(export.ExportError, match=r"Cross has no counterpart.*export.register_op\('Cross', handler\)"):
        compare([case], "float32")
    exec(example, {})
    for dtype in case.compared:
        compare([case], dtype)


@pytest.mark.usefixtures("own_handlers")
def test_a_handler_of_the_user_may_replace_one_that_is_there():
    def pretend(graph, node):
        build = Builder(graph, node)
        build.replace(build.op("Neg", build.inputs[0]))

    with pytest.raises(export.ExportError, match=r"a handler for Erfc already.*replace=True"):
        export.register_op("Erfc", pretend)
    export.register_op("Erfc", pretend, replace=True)
    x, y = NamedTensor("x", ("batch",)), NamedTensor("y", ("batch",))
    (found,) = converted(tf.math.erfc, [x], y).run(None, {"x": np.ones(2, np.float32)})
    np.testing.assert_array_equal(found, [-1, -1])


@pytest.mark.usefixtures("own_handlers")
@pytest.mark.parametrize(
    ("op", "handler", "message"),
    [
        ("Besseli0e", handlers()["Erfc"], "TensorFlow has no op 'Besseli0e'"),
        (None, handlers()["Erfc"], "TensorFlow has no op None"),
        ("BesselI0e", "Exp", r"called as handler\(graph, node\), which 'Exp' does not take"),
        ("BesselI0e", abs, r"called as handler\(graph, node\)"),
    ],
)
def test_what_cannot_be_a_handler_is_refused(op, handler, message):
    with pytest.raises(export.ExportError, match=message):
        export.register_op(op, handler)
    assert op not in handlers()


@pytest.mark.usefixtures("own_handlers")
def test_a_handler_that_raises_or_leaves_its_node_fails_the_export():
    def refuse(_graph, node):
        raise export.ExportError(f"{node.name}: only on Sundays.")

    x, y = NamedTensor("x", ("batch",)), NamedTensor("y", ("batch",))
    export.register_op("BesselI0e", refuse)
    with pytest.raises(export.ExportError, match=r"BesselI0e is not converted here \(only on Sundays\)"):
        converted(tf.math.bessel_i0e, [x], y)
    export.register_op("BesselI0e", lambda *_: None, replace=True)
    with pytest.raises(export.ExportError, match="BesselI0e"):
        converted(tf.math.bessel_i0e, [x], y)


@pytest.mark.parametrize("how", ["", "half_pixel_centers", "align_corners"])
def test_nearest_pixels_of_images_of_any_size_are_those_that_tensorflow_takes(how):
    def resize(images, size):
        return tf.raw_ops.ResizeNearestNeighbor(images=images, size=size, **({how: True} if how else {}))

    inputs = [NamedTensor("x", (1, "rows", "columns", 1)), NamedTensor("size", (2,), "int32")]
    session = converted(resize, inputs, NamedTensor("y", (1, "a", "b", 1)))
    generator = np.random.default_rng(0)
    # Sizes at which ONNX's Resize takes other pixels, and many more.
    cases = [((1, 26), (1, 23)), ((56, 112), (4, 8)), *generator.integers(1, 120, (300, 2, 2)).tolist()]
    for of, to in cases:
        images = np.arange(np.prod(of), dtype=np.float32).reshape(1, *of, 1)
        (found,) = session.run(None, {"x": images, "size": np.array(to, np.int32)})
        np.testing.assert_array_equal(found, resize(images, to), err_msg=f"{of} to {to}")
