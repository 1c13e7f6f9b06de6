"""Graphs become lean, whatever tf2onnx's passes do."""

import keras
import numpy as np
import onnx as onnx_package
import pytest
import tensorflow as tf

import export
from export import onnx, passes
from export.obstacles import NotExportable
from export.session import open_session
from zoo.signature import NamedTensor, Signature

IMAGE, PIXELS = NamedTensor("image", ("batch", 8, 6, 1)), NamedTensor("pixels", ("batch", 8, 6, 3))


def shifted() -> Signature:
    """A chain of convolutions with single numbers added in between, where tf2onnx looks for biases."""
    first, last = (keras.layers.Conv2D(3, 3, padding="same", use_bias=False) for _ in range(2))
    return Signature(
        "shifted", lambda image: {"pixels": last(tf.nn.relu(first(image) + 0.5)) - 0.25}, (IMAGE,), (PIXELS,)
    )


def checked(signature: Signature) -> list[str]:
    """Compares with TensorFlow, and returns the ops of the graph."""
    image = np.random.default_rng(0).random((5, 8, 6, 1), np.float32)
    expected = signature.function(tf.constant(image))["pixels"]
    model = onnx.convert(signature)
    onnx.check(model, "shifted")
    found = open_session(model.SerializeToString(), "shifted").run(None, {"image": image})[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    return [node.op_type for node in model.graph.node]


def test_numbers_added_to_convolutions_leave_no_transposes_between_them():
    ops = checked(shifted())
    assert ops.count("Conv") == 2
    assert ops.count("Transpose") + ops.count("Reshape") <= 2


def test_steps_of_slices_stay_where_axes_have_the_same_numbers():
    """Axes 1 and 2 in steps of 1 and 2: one constant, of which only axes are to change."""
    first, last = (keras.layers.Conv2D(3, 3, padding="same") for _ in range(2))
    part = NamedTensor("pixels", ("batch", 7, 3, 3))
    checked(Signature("part", lambda image: {"pixels": last(first(image)[:, 1:, ::2])}, (IMAGE,), (part,)))


def test_a_pass_that_fails_is_left_out(monkeypatch):
    class Failing(passes.ReshapeOptimizer):
        def _optimize(self, graph):
            for node in list(graph.get_nodes()):
                graph.remove_node(node.name)
            raise LookupError("no such node")

    monkeypatch.setitem(passes._PASSES, "reshape_optimizer", Failing)
    with pytest.warns(UserWarning, match="A pass failed.*no such node"):
        assert checked(shifted()).count("Conv") == 2


def wrong(op: str) -> type:
    """A pass that makes another op of a hyperbolic tangent."""

    class Wrong(passes.GraphOptimizerBase):
        def _optimize(self, graph):
            for node in graph.get_nodes():
                node.type = op if node.type == "Tanh" else node.type
            return graph

    return Wrong


def model() -> keras.Model:
    images = keras.Input((8, 6, 1))
    return keras.Model(images, keras.layers.Conv2D(64, 3, activation="tanh")(images))


@pytest.mark.parametrize("op, why", [("Frobnicate", "not an ONNX op"), ("Relu", "differ")], ids=["checker", "parity"])
@pytest.mark.parametrize("external", [False, True])
def test_a_lean_graph_that_is_refused_is_left_as_tf2onnx_makes_it(tmp_path, monkeypatch, op, why, external):
    if external:
        monkeypatch.setattr(onnx, "EXTERNAL_ABOVE", 100)
    monkeypatch.setitem(passes._LAST_PASSES, "wrong", wrong(op))
    with pytest.warns(UserWarning, match=f"The ONNX file of 'call' is as tf2onnx leaves it.* refused: .*'call'.*{why}"):
        export.save(model(), tmp_path / "bundle")
    assert "Tanh" in [node.op_type for node in onnx_package.load(tmp_path / "bundle/onnx/call.onnx").graph.node]
    export.verify(tmp_path / "bundle")
    sizes = [file.stat().st_size for file in (tmp_path / "bundle/onnx").glob("*.data")]
    assert sizes == ([4 * 9 * 64] if external else [])


@pytest.mark.parametrize("refused", [False, True])
def test_the_check_runs_passes_where_a_graph_is_refused_without_alone(refused, monkeypatch):
    graphs, check = [], onnx.check

    def refuse_first(graph, *names):
        graphs.append(graph)
        if refused and len(graphs) == 1:
            raise NotExportable([])
        check(graph, *names)

    monkeypatch.setattr(onnx, "check", refuse_first)
    assert export.check_exportable(model()) == []
    transposes = [sum(node.op_type == "Transpose" for node in graph.graph.node) for graph in graphs]
    assert transposes == ([2, 1] if refused else [2])


def test_what_is_refused_either_way_is_refused_as_it_was_first(tmp_path, monkeypatch):
    monkeypatch.setitem(passes._LAST_PASSES, "wrong", wrong("Relu"))
    monkeypatch.setitem(passes._PASSES, "wrong", wrong("Sigmoid"))
    with pytest.raises(export.ExportError, match=r"'call'.*differ"):
        export.save(model(), tmp_path / "bundle", "onnx")
    assert not any(tmp_path.iterdir())


def test_squares_of_transposed_images_keep_their_shape():
    """The gradient of a square reads the shape of what was squared."""
    generator = np.random.default_rng(0)
    kernel = tf.constant(generator.normal(size=(3, 3, 4, 1)), tf.float32)

    def function(image: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            made = tf.square(tf.transpose(tf.nn.conv2d(image, kernel, 1, "SAME"), (0, 2, 3, 1)))
            value = tf.reduce_sum(made**2)
        return {"pixels": tape.gradient(value, image)}

    signature = Signature(
        "squares", function, (NamedTensor("image", ("batch", 3, 2, 4)),), (NamedTensor("pixels", ("batch", 3, 2, 4)),)
    )
    image = generator.random((5, 3, 2, 4), np.float32)
    expected = function(tf.constant(image))["pixels"]
    model = onnx.convert(signature)
    onnx.check(model, "squares")
    (found,) = open_session(model.SerializeToString(), "squares").run(None, {"image": image})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
