"""TensorFlow's own Philox numbers, from plain integer ops."""

import numpy as np
from onnx import TensorProto

from export.ops.build import Builder

# Philox4x32-10: Salmon et al. (2011), section 4.3.
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS, WORDS = 10, 4
_SEED_KEY = 0x02461E293EC8F720  # with which TensorFlow mixes seeds


class Philox(Builder):
    """Philox4x32-10 on tensors.

    A word is kept in the low half of an int64, because ONNX Runtime multiplies no unsigned integers. The upper
    half of a product, whose bits are right though it may have wrapped to a negative number, is then reached by
    a shift as uint64.
    """

    def from_seed(self, seed: str) -> tuple[str, str]:
        """Returns key [1] and counter [2], int64, as TensorFlow mixes them of a seed [2]: the block that it counts."""
        mixed = self.blocks(self.vector(0), self.constant([_SEED_KEY], np.int64), seed)
        key, stream = (self.joined(*mixed[start : start + 2]) for start in (0, 2))
        return key, self.op("Concat", self.vector(0), stream, axis=0)

    def blocks(self, index: str, key: str, counter: str) -> list[str]:
        """Returns the four words of the blocks `counter + index`, int64 in [0, 2**32), each of the shape of `index`."""
        upper, lower = self._halves(key)
        keys = [(lower, _KEY_STEPS[0]), (upper, _KEY_STEPS[1])]
        counter = self.cast(counter, TensorProto.INT64)
        first, stream = (self.part(counter, place) for place in (0, 1))
        words = [*reversed(self._halves(self.op("Add", index, first))), *reversed(self._halves(stream))]
        for round_number in range(_ROUNDS):
            words = self._round(words, [self._raised(half, round_number, step) for half, step in keys])
        return words

    def stacked(self, words: list[str]) -> str:
        """Returns words one after another, a vector."""
        columns = [self.op("Unsqueeze", word, self.vector(-1)) for word in words]
        return self.op("Reshape", self.op("Concat", *columns, axis=-1), self.vector(-1))

    def joined(self, low: str, high: str) -> str:
        """Returns 64 bits of two words, as int64."""
        high = self.op("BitShift", self.cast(high, TensorProto.UINT64), self.constant(32, np.uint64), direction="LEFT")
        return self.op("BitwiseOr", self.cast(high, TensorProto.INT64), low)

    def pairs(self, words: str) -> tuple[str, str]:
        """Returns the first and the second of every two values of a vector."""
        rows = self.op("Reshape", words, self.vector(-1, 2))
        columns = (self.op("Slice", rows, self.vector(at), self.vector(at + 1), self.vector(1)) for at in (0, 1))
        first, second = (self.op("Reshape", column, self.vector(-1)) for column in columns)
        return first, second

    def part(self, value: str, place: int) -> str:
        """Returns one value of a vector, as a vector."""
        return self.op("Slice", value, self.vector(place), self.vector(place + 1), self.vector(0))

    def integer(self, value: int) -> str:
        """Returns the name of a constant int64."""
        return self.constant(value, np.int64)

    def _raised(self, half: str, round_number: int, step: int) -> str:
        return self._low(self.op("Add", half, self.integer(round_number * step)))

    def _round(self, words: list[str], key: list[str]) -> list[str]:
        high_0, low_0 = self._halves(self.op("Mul", words[0], self.integer(_MULTIPLIERS[0])))
        high_1, low_1 = self._halves(self.op("Mul", words[2], self.integer(_MULTIPLIERS[1])))
        return [self._xor(high_1, words[1], key[0]), low_1, self._xor(high_0, words[3], key[1]), low_0]

    def _halves(self, value: str) -> tuple[str, str]:
        """Splits 64 bits into the upper and the lower word."""
        upper = self.op(
            "BitShift", self.cast(value, TensorProto.UINT64), self.constant(32, np.uint64), direction="RIGHT"
        )
        return self.cast(upper, TensorProto.INT64), self._low(self.cast(value, TensorProto.INT64))

    def _xor(self, first: str, second: str, third: str) -> str:
        return self.op("BitwiseXor", self.op("BitwiseXor", first, second), third)

    def _low(self, value: str) -> str:
        return self.op("BitwiseAnd", value, self.integer(0xFFFFFFFF))
