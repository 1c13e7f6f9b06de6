"""Random bits: TensorFlow's own Philox numbers, from plain integer ops."""

from typing import Any

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.ops.build import Builder

# Philox4x32-10: Salmon et al. (2011), section 4.3.
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS, _WORDS = 10, 4


def stateless_random_uniform_full_int(graph: Any, node: Any) -> None:
    """StatelessRandomUniformFullIntV2 (shape, key, counter, algorithm) for 32-bit integers.

    Word i is word i % 4 of the Philox block of `counter + i // 4`, as in TensorFlow's kernel. The algorithm is
    taken to be Philox, which is what TensorFlow draws with on CPU and GPU.

    Raises:
        ExportError: The dtype is not int32 or uint32.
    """
    dtype = node.output_dtypes[0]
    if dtype not in (TensorProto.UINT32, TensorProto.INT32):
        raise ExportError(f"{node.name}: random integers are exported as int32 or uint32 only.")
    philox = _Philox(graph, node)
    shape, key, counter, _ = philox.inputs
    shape = philox.cast(shape, TensorProto.INT64)
    words = philox.words(philox.op("ReduceProd", shape, keepdims=0), key, counter)
    philox.replace(philox.cast(philox.op("Reshape", words, shape), dtype))


class _Philox(Builder):
    """Philox4x32-10 on vectors.

    A word is kept in the low half of an int64, because ONNX Runtime multiplies no unsigned integers. The upper
    half of a product, whose bits are right though it may have wrapped to a negative number, is then reached by
    a shift as uint64.
    """

    def words(self, count: str, key: str, counter: str) -> str:
        """Returns the first `count` words of the stream, int64 [count] in [0, 2**32)."""
        upper, lower = self._halves(key)
        block = self._blocks(count, [(lower, _KEY_STEPS[0]), (upper, _KEY_STEPS[1])], counter)
        columns = [self.op("Unsqueeze", word, self._vector(1)) for word in block]
        joined = self.op("Reshape", self.op("Concat", *columns, axis=1), self._vector(-1))
        return self.op("Slice", joined, self._vector(0), self.op("Reshape", count, self._vector(-1)), self._vector(0))

    def _blocks(self, count: str, key: list[tuple[str, int]], counter: str) -> list[str]:
        counter = self.cast(counter, TensorProto.INT64)
        first = self.op("Slice", counter, self._vector(0), self._vector(1), self._vector(0))
        stream = self.op("Slice", counter, self._vector(1), self._vector(2), self._vector(0))
        blocks = self.op("Div", self.op("Add", count, self._int(_WORDS - 1)), self._int(_WORDS))
        index = self.op("Range", self._int(0), blocks, self._int(1))
        words = [*reversed(self._halves(self.op("Add", index, first))), *reversed(self._halves(stream))]
        for round_number in range(_ROUNDS):
            words = self._round(words, [self._raised(half, round_number, step) for half, step in key])
        return words

    def _raised(self, half: str, round_number: int, step: int) -> str:
        return self._low(self.op("Add", half, self._int(round_number * step)))

    def _round(self, words: list[str], key: list[str]) -> list[str]:
        high_0, low_0 = self._multiply(words[0], _MULTIPLIERS[0])
        high_1, low_1 = self._multiply(words[2], _MULTIPLIERS[1])
        return [self._xor(high_1, words[1], key[0]), low_1, self._xor(high_0, words[3], key[1]), low_0]

    def _multiply(self, word: str, factor: int) -> tuple[str, str]:
        return self._halves(self.op("Mul", word, self._int(factor)))

    def _halves(self, value: str) -> tuple[str, str]:
        """Splits 64 bits into the upper and the lower word."""
        upper = self.op(
            "BitShift", self.cast(value, TensorProto.UINT64), self.constant(32, np.uint64), direction="RIGHT"
        )
        return self.cast(upper, TensorProto.INT64), self._low(self.cast(value, TensorProto.INT64))

    def _xor(self, first: str, second: str, third: str) -> str:
        return self.op("BitwiseXor", self.op("BitwiseXor", first, second), third)

    def _low(self, value: str) -> str:
        return self.op("BitwiseAnd", value, self._int(0xFFFFFFFF))

    def _int(self, value: int) -> str:
        return self.constant(value, np.int64)

    def _vector(self, value: int) -> str:
        return self.constant([value], np.int64)
