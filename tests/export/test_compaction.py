"""Files of graphs hold each constant once, and short names."""

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from export import onnx as writing
from export.bodies import graphs_of
from export.compaction import compact, lift, untie
from export.session import open_session
from zoo.signature import NamedTensor, Signature


def looped() -> onnx.ModelProto:
    """Adds a constant three times in a loop, whose body has the constant of the main graph once more."""
    two = np.full((2, 2), 2.0, np.float32)
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "a/long/name/of/two"], ["next"], name="a/long/name/of/a/node"),
            helper.make_node("Identity", ["going"], ["still"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [2, 2]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [2, 2]),
        ],
        [numpy_helper.from_array(two, "a/long/name/of/two")],
    )
    nodes = [
        helper.make_node("Mul", ["x", "another/two"], ["start"], name="weighted"),
        helper.make_node("MatMul", ["start", "another/two"], ["product"], name="layer/MatMul"),
        helper.make_node("Loop", ["turns", "", "product"], ["t0"], body=body),
        helper.make_node("Add", ["t0", "scale"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in ("x", "scale")],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2])],
        [
            numpy_helper.from_array(two, "another/two"),
            numpy_helper.from_array(np.array(3), "turns"),
            numpy_helper.from_array(two, "scale"),  # what an input is when it is left out
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_constants_are_once_in_the_main_graph_and_give_the_same():
    model, x = looped(), np.arange(4, dtype=np.float32).reshape(2, 2)
    expected = open_session(model.SerializeToString(), "y").run(None, {"x": x})[0]
    compact(model)
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_array_equal(open_session(model.SerializeToString(), "y").run(None, {"x": x})[0], expected)
    main, body = graphs_of(model.graph)
    assert not body.initializer
    assert sorted(numpy_helper.to_array(tensor).size for tensor in main.initializer) == [1, 4, 4]
    assert "scale" in {tensor.name for tensor in main.initializer}


def test_weights_of_loops_stay_in_them_beside_matrices_that_are_taken_both_ways():
    """As of energies that end in a dense layer: a step of their chains takes the gradient."""
    keras.utils.set_random_seed(0)
    images = keras.Input((6, 6, 1))
    hidden = keras.layers.Flatten()(keras.layers.Conv2D(8, 3, 2, activation="swish")(images))
    energy = keras.Model(images, keras.layers.Dense(1)(keras.layers.Dense(32, activation="swish")(hidden)))

    def step(i, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = energy(x)
        return i + 1, x - 0.1 * tape.gradient(value, x)

    function = lambda x: {"y": tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]}  # noqa: E731
    spec = NamedTensor("x", ("batch", 6, 6, 1))
    signature = Signature("chain", function, (spec,), (NamedTensor("y", spec.shape),))
    model = writing.convert(signature)
    writing.check(model, "chain")
    x = np.random.default_rng(1).random((2, 6, 6, 1), np.float32)
    found = open_session(model.SerializeToString(), "chain").run(None, {"x": x})[0]
    np.testing.assert_allclose(found, function(tf.constant(x))["y"], atol=1e-5)
    assert "Transpose" in {node.op_type for node in model.graph.node}  # of the matrix that is there once
    body = list(graphs_of(model.graph))[-1]
    assert [tuple(tensor.dims) for tensor in body.initializer if len(tensor.dims) == 4]


def test_untied_constants_are_transposed_as_their_node_says():
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    node = helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 1])
    output = helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [2, 4, 3])
    model = helper.make_model(helper.make_graph([node], "g", [], [output], [numpy_helper.from_array(values, "a")]))
    untie(model)
    assert not model.graph.node
    np.testing.assert_array_equal(numpy_helper.to_array(model.graph.initializer[-1]), values.transpose(0, 2, 1))


def test_a_table_that_is_looked_up_too_is_not_there_twice():
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("Transpose", ["table"], ["across"], perm=[1, 0]),
        helper.make_node("MatMul", ["rows", "across"], ["y"]),
    ]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])
    table = numpy_helper.from_array(np.ones((3, 4), np.float32), "table")
    model = helper.make_model(helper.make_graph(nodes, "g", [ids], [y], [table]))
    untie(model)
    assert [node.op_type for node in model.graph.node] == ["Gather", "Transpose", "MatMul"]


def test_names_are_short_but_for_inputs_outputs_and_layers():
    model = looped()
    compact(model)
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["x", "scale", "y"]
    names = {name for graph in graphs_of(model.graph) for node in graph.node for name in (*node.input, *node.output)}
    assert max(map(len, names - {"scale"})) <= 3
    assert [node.name for node in model.graph.node] == ["", "layer/MatMul", "", ""]


@pytest.mark.parametrize("outside", [False, True])
def test_weights_of_convolutions_are_in_the_loop_that_alone_takes_them(outside, monkeypatch, tmp_path):
    kernel = tf.constant(np.random.default_rng(0).normal(size=(3, 3, 2, 2)), tf.float32)

    def function(x):
        step = lambda i, x: (i + 1, tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME")))  # noqa: E731
        x = tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]
        return {"y": tf.nn.conv2d(x, kernel, 1, "SAME") if outside else x}

    spec = NamedTensor("x", ("batch", 5, 4, 2))
    signature = Signature("chain", function, (spec,), (NamedTensor("y", spec.shape),))
    monkeypatch.setattr(writing, "EXTERNAL_ABOVE", 0)  # files beside are found from loops too
    writing.write(signature, tmp_path / "chain.onnx")
    model = onnx.load(tmp_path / "chain.onnx")
    held = [any(tuple(tensor.dims) == (2, 2, 3, 3) for tensor in graph.initializer) for graph in graphs_of(model.graph)]
    assert held == ([True, False] if outside else [False, True])
    x = np.random.default_rng(1).random((2, 5, 4, 2), np.float32)
    expected = function(tf.constant(x))["y"]
    lifted = onnx.ModelProto.FromString(model.SerializeToString())
    lift(lifted)
    assert not any(graph.initializer for graph in list(graphs_of(lifted.graph))[1:])
    for each in (tmp_path / "chain.onnx", model.SerializeToString(), lifted.SerializeToString()):
        np.testing.assert_allclose(open_session(each, "chain").run(None, {"x": x})[0], expected, atol=1e-4)
