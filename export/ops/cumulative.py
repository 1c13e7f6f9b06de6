"""Products and sums of all that came before, for axes short enough that every pair of places may be looked at."""

from typing import Any

import numpy as np

from export.errors import ExportError
from export.ops.build import Builder


def cumprod(graph: Any, node: Any) -> None:
    """Cumprod: at each place the product of what comes up to it, exclusive or in reverse if asked."""
    build = _Prefixes(graph, node)
    # Of nothing, ONNX Runtime's ReduceProd keeps the axis whatever it is told.
    products = build.op("ReduceProd", build.prefixes(1), build.vector(-1), keepdims=1)
    build.finish(build.op("Squeeze", products, build.vector(-1)))


def cumulative_logsumexp(graph: Any, node: Any) -> None:
    """CumulativeLogsumexp: at each place log(sum(exp(x))) of what comes up to it, less and plus its own maximum."""
    build = _Prefixes(graph, node)
    before, end = build.prefixes(-np.inf), float(np.finfo(build.dtype).max)
    largest = build.op("ReduceMax", before, build.vector(-1), keepdims=1)
    # An infinite one would leave NaN.
    largest = build.op("Min", build.op("Max", largest, build.number(-end)), build.number(end))
    exponents = build.op("Exp", build.op("Sub", before, largest))
    total = build.op("Log", build.op("ReduceSum", exponents, build.vector(-1), keepdims=0))
    build.finish(build.op("Add", total, build.op("Squeeze", largest, build.vector(-1))))


class _Prefixes(Builder):
    """Builds what those here have in common.

    Raises:
        ExportError: The axis or the number of axes is not known when the graph is made.
    """

    def __init__(self, graph: Any, node: Any):
        super().__init__(graph, node)
        shape = graph.get_shape(node.input[0])
        if shape is None or not node.inputs[1].is_const():
            raise ExportError(f"{node.name}: {node.type} is exported for a known axis and a known number of axes only.")
        rank = len(shape)
        axis = int(node.inputs[1].get_tensor_value()) % rank
        self.order = [*(each for each in range(rank) if each != axis), axis]

    def prefixes(self, blank: float) -> str:
        """Returns, for each place, all values along the axis, `blank` where they are not among those before it."""
        exclusive, reverse = (bool(self.node.get_attr_value(name, 0)) for name in ("exclusive", "reverse"))
        x = self.transposed(self.inputs[0], self.order)
        size = self.op("Reshape", self.sizes_of(x, -1), self.vector())
        place = self.op("Range", self.constant(0, np.int64), size, self.constant(1, np.int64))
        here = self.op("Unsqueeze", place, self.vector(1))
        comparison = ("Less" if reverse else "Greater") + ("" if exclusive else "OrEqual")
        counted = self.op(comparison, here, place)
        return self.op("Where", counted, self.op("Unsqueeze", x, self.vector(-2)), self.number(blank))

    def finish(self, value: str) -> None:
        """Puts the axis back to its place."""
        self.replace(self.transposed(value, np.argsort(self.order).tolist()))
