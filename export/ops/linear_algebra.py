"""Linear equations, factors and diagonals, which Normal distributions with full covariances ask for."""

from typing import Any

import numpy as np
from onnx import TensorProto
from tf2onnx.onnx_opset.math import MatMul

from export.errors import ExportError
from export.ops.build import Builder

_LARGEST = 64  # as each row is some nodes of its own


def product(graph: Any, node: Any) -> None:
    """MatMul, BatchMatMul, BatchMatMulV2: as tf2onnx, which leaves transposes out where it does not know the rank, and
    fails at those of integers.

    Raises:
        ExportError: A factor that is to be transposed has an unknown number of axes.
    """
    for place, names in enumerate((("transpose_a", "adj_x"), ("transpose_b", "adj_y"))):
        transposed = any(node.get_attr_value(name, 0) for name in names)
        if transposed and graph.get_shape(node.input[place]) is None:
            if node.type != "MatMul":
                raise ExportError(f"{node.name}: a factor is transposed, and how many axes it has is not known.")
            graph.set_shape(node.input[place], [-1, -1])
        if transposed and node.type != "MatMul":  # by the name of which tf2onnx knows it for integers too
            del node.attr[names[1]]
            node.set_attr(names[0], 1)
    MatMul.version_10(graph, node)


def matrix_triangular_solve(graph: Any, node: Any) -> None:
    """MatrixTriangularSolve: X with A X = B for a triangular A [..., size, size], row by row.

    Raises:
        ExportError: The size of A is not known when the graph is made, or more than 64.
    """
    shape = _known_shape(graph, node, "a triangular system")
    lower, adjoint = bool(node.get_attr_value("lower", 1)), bool(node.get_attr_value("adjoint", 0))
    solver = _Substitution(graph, node)
    matrix, right = solver.inputs
    if adjoint:
        axes = list(range(len(shape)))
        matrix = solver.op("Transpose", matrix, perm=[*axes[:-2], axes[-1], axes[-2]])
    solver.replace(solver.solve(matrix, right, shape[-1], lower != adjoint))


def cholesky(graph: Any, node: Any) -> None:
    """Cholesky: L with L L^T = A, column by column; NaN where A is not positive definite.

    Raises:
        ExportError: The size of A is not known when the graph is made, or more than 64.
    """
    shape = _known_shape(graph, node, "a Cholesky factor")
    build, size, factor = _Substitution(graph, node), shape[-1], ""
    swapped = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    for column in range(size):
        below = build.part(build.part(build.inputs[0], -1, column, column + 1), -2, column, size)
        if factor:
            known = build.part(factor, -2, column, size)
            row = build.op("Transpose", build.part(known, -2, 0, 1), perm=swapped)
            below = build.op("Sub", below, build.op("MatMul", known, row))
        below = build.op("Div", below, build.op("Sqrt", build.part(below, -2, 0, 1)))
        below = build.op("Pad", below, build.vector(column, 0), "", build.vector(-2))
        factor = build.op("Concat", factor, below, axis=-1) if factor else below
    build.replace(factor)


def matrix_diag(graph: Any, node: Any) -> None:
    """MatrixDiagV3 (diagonal, ...): square matrices with zeros beside the main diagonal."""
    build = _Diagonal(graph, node, 1, node.output[0])
    diagonal = build.inputs[0]
    eye = build.eye(diagonal)
    build.replace(build.op("Where", eye, build.op("Unsqueeze", diagonal, build.vector(-2)), build.inputs[4]))


def matrix_band_part(graph: Any, node: Any) -> None:
    """MatrixBandPart (matrix, lower, upper): zero beside so many diagonals, even where infinite; all, if negative."""
    build = Builder(graph, node)
    matrix, *limits = build.inputs
    zero, one = build.constant(0, np.int64), build.constant(1, np.int64)
    sizes = build.op("Shape", matrix)
    rows, columns = (
        build.op("Range", zero, build.op("Gather", sizes, build.constant(axis, np.int64)), one) for axis in (-2, -1)
    )
    below = build.op("Sub", build.op("Unsqueeze", rows, build.vector(1)), columns)
    inside = []
    for distance, limit in zip((below, build.op("Neg", below)), limits, strict=True):
        limit = build.cast(limit, TensorProto.INT64)
        every = build.op("Less", limit, zero)
        inside.append(build.op("Or", every, build.op("LessOrEqual", distance, limit)))
    band = build.op("And", *inside)
    if build.dtype == np.bool_:
        build.replace(build.op("And", matrix, band))
    else:
        build.replace(build.op("Where", band, matrix, build.number(0)))


def matrix_diag_part(graph: Any, node: Any) -> None:
    """MatrixDiagPartV3 (matrix, ...): the main diagonal of square matrices."""
    build = _Diagonal(graph, node, 1, node.input[0])
    (matrix, *_), zero = build.inputs, build.number(0)
    beside = build.op("Where", build.eye(matrix), matrix, zero)
    build.replace(build.op("ReduceSum", beside, build.vector(-1), keepdims=0))


def matrix_set_diag(graph: Any, node: Any) -> None:
    """MatrixSetDiagV3 (matrix, diagonal, ...): square matrices with another main diagonal."""
    build = _Diagonal(graph, node, 2, node.input[0])
    matrix, diagonal, _ = build.inputs
    build.replace(build.op("Where", build.eye(matrix), build.op("Unsqueeze", diagonal, build.vector(-2)), matrix))


def _known_shape(graph: Any, node: Any, what: str) -> list[int]:
    """Returns the shape of the first input, square matrices.

    Raises:
        ExportError: Their size is not known, or more than `_LARGEST`.
    """
    shape = graph.get_shape(node.input[0])
    if not shape or not 1 <= shape[-1] <= _LARGEST:
        raise ExportError(
            f"{node.name}: {what} is exported of matrices of known size up to {_LARGEST}, as each row becomes ops of "
            f"its own, not of {shape}."
        )
    return shape


class _Diagonal(Builder):
    """Builds what main diagonals have in common.

    Args:
        graph: tf2onnx's graph.
        node: The node to replace.
        offset: The input that says which diagonal.
        matrices: The tensor whose last two axes have to be of one size.

    Raises:
        ExportError: Another diagonal is meant, or matrices that are not square, or of unknown size.
    """

    def __init__(self, graph: Any, node: Any, offset: int, matrices: str):
        super().__init__(graph, node)
        place = node.inputs[offset]
        if not place.is_const() or (place.get_tensor_value(as_list=False) != 0).any():
            raise ExportError(f"{node.name}: only main diagonals are exported.")
        shape = graph.get_shape(matrices)
        if not shape or shape[-1] < 0 or shape[-1] != shape[-2]:
            raise ExportError(f"{node.name}: diagonals are exported of square matrices of known size, not {shape}.")

    def eye(self, value: str) -> str:
        """Returns where the diagonal is, bool [size, size], `size` being that of a value's last axis."""
        size = self.op("Reshape", self.sizes_of(value, -1), self.vector())
        place = self.op("Range", self.constant(0, np.int64), size, self.constant(1, np.int64))
        return self.op("Equal", self.op("Unsqueeze", place, self.vector(1)), place)


class _Substitution(Builder):
    """Forward substitution for a lower triangle, and from the last row on, backward, for an upper one."""

    def solve(self, matrix: str, right: str, size: int, lower: bool) -> str:
        """Returns the name of X [..., size, columns]."""
        order = range(size) if lower else range(size - 1, -1, -1)
        solved = ""
        for row in order:
            rest = self.part(right, -2, row, row + 1)
            line = self.part(matrix, -2, row, row + 1)
            if solved:
                known = self.part(line, -1, 0, row) if lower else self.part(line, -1, row + 1, size)
                rest = self.op("Sub", rest, self.op("MatMul", known, solved))
            found = self.op("Div", rest, self.part(line, -1, row, row + 1))
            together = [solved, found] if lower else [found, solved]
            solved = self.op("Concat", *together, axis=-2) if solved else found
        return solved

    def part(self, value: str, axis: int, start: int, end: int) -> str:
        """Returns a range of an axis."""
        bounds = [self.constant([bound], np.int64) for bound in (start, end, axis)]
        return self.op("Slice", value, *bounds)
