"""Graphs become lean, whatever tf2onnx's passes do."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from export import onnx, passes
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


def test_a_pass_that_fails_is_left_out(monkeypatch):
    class Failing(passes.ReshapeOptimizer):
        def _optimize(self, graph):
            for node in list(graph.get_nodes()):
                graph.remove_node(node.name)
            raise LookupError("no such node")

    monkeypatch.setitem(passes._PASSES, "reshape_optimizer", Failing)
    with pytest.warns(UserWarning, match="A pass failed.*no such node"):
        assert checked(shifted()).count("Conv") == 2
