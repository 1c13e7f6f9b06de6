"""Handlers for TensorFlow ops that tf2onnx lacks.

A handler is a function `(graph, node) -> None` that replaces one TensorFlow node by ONNX nodes; `graph` and
`node` are tf2onnx's `Graph` and `Node`. Those here are used in every export. Users add their own with
`register`.
"""

from collections.abc import Callable
from typing import Any

from export.errors import ExportError
from export.ops.elementwise import expm1, log1p, mul_no_nan
from export.ops.linear_algebra import matrix_triangular_solve
from export.ops.random import stateless_random_uniform_full_int
from export.ops.shapes import broadcast_args, shape_n

Handler = Callable[[Any, Any], None]

_HANDLERS: dict[str, Handler] = {
    "BroadcastArgs": broadcast_args,
    "Expm1": expm1,
    "Log1p": log1p,
    "MatrixTriangularSolve": matrix_triangular_solve,
    "MulNoNan": mul_no_nan,
    "ShapeN": shape_n,
    "StatelessRandomUniformFullIntV2": stateless_random_uniform_full_int,
}


def handlers() -> dict[str, Handler]:
    """Returns the handlers in use, by TensorFlow op."""
    return dict(_HANDLERS)


def register(op: str, handler: Handler) -> None:
    """Adds a handler for a TensorFlow op, for every export from now on.

    Args:
        op: The op's type, for example "Erfc".
        handler: Replaces a node of that type in a tf2onnx graph.

    Raises:
        ExportError: There is one for this op already.
    """
    if op in _HANDLERS:
        raise ExportError(f"there is a handler for {op} already.")
    _HANDLERS[op] = handler
