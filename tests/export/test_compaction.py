"""Files of graphs hold each constant once, and short names."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.bodies import graphs_of
from export.compaction import compact
from export.session import open_session


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


def test_names_are_short_but_for_inputs_outputs_and_layers():
    model = looped()
    compact(model)
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["x", "scale", "y"]
    names = {name for graph in graphs_of(model.graph) for node in graph.node for name in (*node.input, *node.output)}
    assert max(map(len, names - {"scale"})) <= 3
    assert [node.name for node in model.graph.node] == ["", "layer/MatMul", "", ""]
