"""Matrices: products, factors, equations and diagonals."""

import numpy as np
import tensorflow as tf

from op_cases.comparison import Case, Input, gradient


def _positive_definite(matrix: np.ndarray) -> np.ndarray:
    return matrix @ np.swapaxes(matrix, -1, -2) + 2 * np.eye(matrix.shape[-1])


def _dominant(matrix: np.ndarray) -> np.ndarray:
    return matrix + 5 * np.eye(matrix.shape[-1])


SQUARE, VECTOR = Input(("batch", "size", "size")), Input(("batch", "size"))
POSITIVE = Input(("batch", "other", "size", "size"), then=_positive_definite)
TRIANGLE, RIGHT = Input(("batch", "size", "size"), then=_dominant), Input(("batch", "size", "columns"))
LEFT = Input(("batch", 1, "rows", "inner"))

CASES = [
    Case("Cholesky", tf.linalg.cholesky, [POSITIVE], eps=32),
    Case("Cholesky", gradient(tf.linalg.cholesky), [POSITIVE], "gradient", eps=128),
    Case("Cholesky", gradient(tf.linalg.logdet), [POSITIVE], "gradient of logdet", eps=128),
    Case("Cholesky", tf.linalg.cholesky, [Input((1, 1), -2, -1)], "of no positive definite matrix"),
    *(
        Case(
            "MatrixTriangularSolve",
            lambda a, b, lower=lower, adjoint=adjoint: tf.linalg.triangular_solve(a, b, lower, adjoint),
            [TRIANGLE, RIGHT],
            f"lower {lower}, adjoint {adjoint}",
            eps=32,
        )
        for lower in (True, False)
        for adjoint in (True, False)
    ),
    Case(
        "MatrixTriangularSolve",
        tf.linalg.triangular_solve,
        [Input(("batch", 1, "size", "size"), then=_dominant), Input(("other", "size", 2))],
        "broadcast",
        eps=32,
    ),
    Case("MatrixTriangularSolve", gradient(tf.linalg.triangular_solve), [TRIANGLE, RIGHT], "gradient", eps=64),
    Case("MatrixDiagV3", tf.linalg.diag, [VECTOR]),
    Case("MatrixDiagV3", gradient(tf.linalg.diag), [VECTOR], "gradient"),
    Case("MatrixDiagPartV3", tf.linalg.diag_part, [SQUARE]),
    Case("MatrixDiagPartV3", gradient(tf.linalg.diag_part), [SQUARE], "gradient"),
    Case("MatrixSetDiagV3", tf.linalg.set_diag, [SQUARE, VECTOR]),
    Case("MatrixSetDiagV3", gradient(tf.linalg.set_diag), [SQUARE, VECTOR], "gradient"),
    Case("MatrixBandPart", lambda x: tf.linalg.band_part(x, -1, 0), [SQUARE]),
    Case("MatrixBandPart", lambda x: tf.linalg.band_part(tf.math.log(x - x), 0, 1), [SQUARE], "infinite beside it"),
    Case("MatrixBandPart", lambda x: tf.linalg.band_part(x > 0, 1, -1), [SQUARE], "bool"),
    Case("MatrixBandPart", gradient(lambda x: tf.linalg.band_part(x, 1, 1)), [SQUARE], "gradient"),
    Case("MatrixDeterminant", tf.linalg.det, [SQUARE], eps=64, lacks="Det"),
    Case("MatMul", gradient(tf.matmul), [Input(("batch", "inner")), Input(("inner", "columns"))], "gradient"),
    Case("BatchMatMulV2", gradient(tf.matmul), [LEFT, Input(("other", "inner", "columns"))], "gradient"),
    Case(
        "BatchMatMulV2",
        lambda x: tf.matmul(x, x, transpose_b=True),
        [Input(("batch", 4, 6), -9, 9)],
        "integers, transposed",
        dtypes=("int32", "int64"),
    ),
    Case(
        "BatchMatMul",
        lambda x, y: tf.raw_ops.BatchMatMul(x=x, y=y, adj_x=True, adj_y=True),
        [Input(("batch", "inner", "rows")), Input(("batch", "columns", "inner"))],
    ),
    Case(
        "BatchMatMulV2",
        gradient(lambda x, y: tf.matmul(x, y, transpose_b=True)),
        [LEFT, Input(("other", "columns", "inner"))],
        "gradient, transposed",
    ),
    Case("Einsum", lambda x: tf.einsum("bij,bkj->bik", x, x), [Input()]),
    Case(
        "Einsum",
        gradient(lambda x, y: tf.einsum("abc,cde->abde", x, y)),
        [Input(), Input(("columns", "other", "inner"))],
        "gradient",
    ),
]
