"""Shapes of what goes into branches and nested loops.

tf2onnx counts what goes into a branch from the condition on, and so gives shapes to the wrong tensors. It goes through
functions in an order of chance, and those of a loop inside of one that it has not been through have no shapes, without
which it leaves the transposes of products out.
"""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

_BRANCHES = {"If": ("then_branch", "else_branch"), "StatelessIf": ("then_branch", "else_branch")}
_LOOPS = {"While": ("cond", "body"), "StatelessWhile": ("cond", "body")}
_SHAPE = "_output_shapes"  # of an argument, which counts more than the shape that the caller's has


def give_shapes(frozen: Any, graph: tf.Graph) -> bool:
    """Says of which shapes the arguments of branches are, and of loops that have others in them.

    Args:
        frozen: TensorFlow's GraphDef, whose functions are changed.
        graph: The same, with shapes.

    Returns:
        Whether there are any.
    """
    functions = {function.signature.name: function for function in frozen.library.function}
    inner = (node for function in functions.values() for node in function.node_def)
    branches = any(node.op in _BRANCHES for node in frozen.node)
    if not branches and not any(node.op in {**_BRANCHES, **_LOOPS} for node in inner):
        return False
    with graph.as_default():
        _visit(graph.get_operations(), functions, {})
    return True


def _visit(operations: Iterable[tf.Operation], functions: dict[str, Any], known: dict[Any, tf.TensorShape]) -> None:
    """Gives shapes to what operations call; `known` are those of arguments of functions that are called already."""
    for operation in operations:
        # What a loop hands on keeps to the shapes that it gives in the end.
        values: Any = operation.inputs[1:] if operation.type in _BRANCHES else operation.outputs
        for attribute in {**_BRANCHES, **_LOOPS}.get(operation.type, ()):
            function = functions[operation.get_attr(attribute).name]
            for place, value in enumerate(values):
                argument, shape = (function.signature.name, place), value.shape
                known[argument] = shape.most_specific_compatible_shape(known.get(argument, shape))
                shapes = function.arg_attr[place].attr[_SHAPE].list.shape
                del shapes[:]
                shapes.append(known[argument].as_proto())
            _visit(function_def_to_graph(function).get_operations(), functions, known)
