"""Linear equations, which Normal distributions with full covariances ask for."""

from typing import Any

import numpy as np

from export.errors import ExportError
from export.ops.build import Builder


def matrix_triangular_solve(graph: Any, node: Any) -> None:
    """MatrixTriangularSolve: X with A X = B for a triangular A [..., size, size], row by row.

    Raises:
        ExportError: The size of A is not known when the graph is made.
    """
    shape = graph.get_shape(node.input[0])
    if not shape or shape[-1] < 1:
        raise ExportError(f"{node.name}: a triangular system is exported where its size is known only, not {shape}.")
    lower, adjoint = bool(node.get_attr_value("lower", 1)), bool(node.get_attr_value("adjoint", 0))
    solver = _Substitution(graph, node)
    matrix, right = solver.inputs
    if adjoint:
        axes = list(range(len(shape)))
        matrix = solver.op("Transpose", matrix, perm=[*axes[:-2], axes[-1], axes[-2]])
    solver.replace(solver.solve(matrix, right, shape[-1], lower != adjoint))


class _Substitution(Builder):
    """Forward substitution for a lower triangle, and from the last row on, backward, for an upper one."""

    def solve(self, matrix: str, right: str, size: int, lower: bool) -> str:
        """Returns the name of X [..., size, columns]."""
        order = range(size) if lower else range(size - 1, -1, -1)
        solved = ""
        for row in order:
            rest = self._part(right, -2, row, row + 1)
            line = self._part(matrix, -2, row, row + 1)
            if solved:
                known = self._part(line, -1, 0, row) if lower else self._part(line, -1, row + 1, size)
                rest = self.op("Sub", rest, self.op("MatMul", known, solved))
            found = self.op("Div", rest, self._part(line, -1, row, row + 1))
            together = [solved, found] if lower else [found, solved]
            solved = self.op("Concat", *together, axis=-2) if solved else found
        return solved

    def _part(self, value: str, axis: int, start: int, end: int) -> str:
        bounds = [self.constant([bound], np.int64) for bound in (start, end, axis)]
        return self.op("Slice", value, *bounds)
