"""Random draws of a seed: TensorFlow's own, of its Philox numbers.

What TensorFlow's kernels for CPU draw, to rounding. The algorithm is taken to be Philox, which is what they draw with.
Ops of the second version take a key and a counter, those of the first a seed.
"""

import math
from typing import Any

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.ops.philox import WORDS, Philox

_PHILOX = 1  # its number among TensorFlow's algorithms
_SMALLEST = 1e-7  # of the uniform draws that TensorFlow takes the logarithm of
_CUT = 2.0  # standard deviations at which Normal draws are rejected
_RESERVED = 256  # words that TensorFlow keeps for each truncated Normal draw
_TRIED = 20  # of which so few are accepted only once in 1e19 draws that more are needed
_INTEGERS = (TensorProto.INT32, TensorProto.UINT32, TensorProto.INT64, TensorProto.UINT64)


def get_key_counter(graph: Any, node: Any) -> None:
    """StatelessRandomGetKeyCounter (seed [2]): a key and a counter, the words of the Philox block of the seed."""
    philox = Philox(graph, node)
    values = philox.from_seed(philox.inputs[0])
    philox.replace(*(philox.cast(value, TensorProto.UINT64) for value in values))


def get_algorithm(graph: Any, node: Any) -> None:
    """StatelessRandomGetAlg: 1, which is Philox."""
    philox = Philox(graph, node)
    philox.replace(philox.constant(_PHILOX, np.int32))


def get_key_counter_algorithm(graph: Any, node: Any) -> None:
    """StatelessRandomGetKeyCounterAlg (seed [2]): a key, a counter, and 1, which is Philox."""
    philox = Philox(graph, node)
    values = [philox.cast(value, TensorProto.UINT64) for value in philox.from_seed(philox.inputs[0])]
    philox.replace(*values, philox.constant(_PHILOX, np.int32))


def uniform_full_int(graph: Any, node: Any) -> None:
    """StatelessRandomUniformFullInt: integers of all bits; one word for 32 of them, two for 64, the lower first."""
    draw = _Draw(graph, node, _INTEGERS)
    draw.finish(draw.integers())


def uniform_int(graph: Any, node: Any) -> None:
    """StatelessRandomUniformInt (..., low, high): low + bits modulo (high - low)."""
    draw = _Draw(graph, node, _INTEGERS)
    low, high = (draw.cast(value, TensorProto.INT64) for value in draw.inputs[-2:])
    span, bits = draw.op("Sub", high, low), draw.integers()
    if draw.long:
        span, bits = (draw.cast(value, TensorProto.UINT64) for value in (span, bits))
    rest = draw.cast(draw.op("Mod", bits, span), TensorProto.INT64)
    draw.finish(draw.op("Add", rest, low))


def uniform(graph: Any, node: Any) -> None:
    """StatelessRandomUniform: a word's last 23 bits divided by 2^23, or two words' last 52 by 2^52; in [0, 1)."""
    draw = _Draw(graph, node)
    draw.finish(draw.uniform(draw.words()))


def normal(graph: Any, node: Any) -> None:
    """StatelessRandomNormal: two draws of every two uniform ones, by Box and Muller (1958)."""
    draw = _Draw(graph, node)
    draw.finish(draw.normal(draw.words()))


def truncated_normal(graph: Any, node: Any) -> None:
    """StatelessTruncatedNormal: the first Normal draws within two standard deviations, of words kept for each block."""
    draw = _Draw(graph, node)
    size = WORDS // (2 if draw.long else 1)
    groups = draw.op("Range", draw.integer(0), draw.rounded_up(draw.count, size), draw.integer(1))
    start = draw.op("Mul", groups, draw.integer(size * _RESERVED // WORDS))
    index = draw.op("Add", draw.op("Unsqueeze", start, draw.vector(1)), draw.vector(*range(_TRIED // size)))
    words = draw.stacked(draw.blocks(index, draw.key, draw.counter))
    tried = draw.op("Reshape", draw.normal(words), draw.vector(-1, _TRIED))
    accepted = draw.op("Less", draw.op("Abs", tried), draw.number(_CUT))
    place = draw.op("CumSum", draw.cast(accepted, TensorProto.INT32), draw.integer(1))
    # Where the count of accepted draws reaches 1, 2, ... for the first time.
    reached = draw.op(
        "Equal", draw.op("Unsqueeze", place, draw.vector(2)), draw.constant(np.arange(size) + 1, np.int32)
    )
    first = draw.op("ArgMax", draw.cast(reached, TensorProto.INT32), axis=1, keepdims=0)
    draw.finish(draw.op("Reshape", draw.op("GatherElements", tried, first, axis=1), draw.vector(-1)))


def categorical(graph: Any, node: Any) -> None:
    """StatelessMultinomial (logits [batch, classes], count, seed): how many cumulative probabilities a draw reaches.

    TensorFlow draws large batches in parts, one a thread, each from where it guesses that it begins. Only one that
    fits a single part, or a machine of one thread, gives these numbers there.
    """
    draw = Philox(graph, node)
    logits, count, seed = draw.inputs
    key, counter = draw.from_seed(seed)
    logits = draw.cast(logits, TensorProto.DOUBLE)
    nothing = draw.op("Or", draw.op("IsInf", logits), draw.op("IsNaN", logits))
    lowest = draw.constant(np.finfo(np.float64).min, np.float64)
    largest = draw.op("ReduceMax", draw.op("Where", nothing, lowest, logits), draw.vector(-1))
    weights = draw.op("Exp", draw.op("Sub", logits, largest))
    weights = draw.op("Where", nothing, draw.constant(0, np.float64), weights)
    cumulative = draw.op("CumSum", weights, draw.integer(1))
    batch = draw.part(draw.op("Shape", logits), 0)
    count = draw.op("Reshape", draw.cast(count, TensorProto.INT64), draw.vector(1))
    total = draw.op("Reshape", draw.op("Mul", batch, count), draw.vector())
    blocks = draw.op("Div", draw.op("Add", total, draw.integer(1)), draw.integer(2))
    index = draw.op("Range", draw.integer(0), blocks, draw.integer(1))
    uniform = _double(draw, draw.stacked(draw.blocks(index, key, counter)))
    uniform = draw.op("Slice", uniform, draw.vector(0), draw.op("Reshape", total, draw.vector(1)), draw.vector(0))
    uniform = draw.op("Reshape", uniform, draw.op("Concat", batch, count, draw.vector(1), axis=0))
    sums = draw.op("Reshape", draw.op("ReduceSum", weights, draw.vector(-1)), draw.vector(-1, 1, 1))
    reached = draw.op("LessOrEqual", draw.op("Unsqueeze", cumulative, draw.vector(1)), draw.op("Mul", uniform, sums))
    draw.replace(
        draw.cast(
            draw.op("ReduceSum", draw.cast(reached, TensorProto.INT64), draw.vector(-1), keepdims=0),
            node.output_dtypes[0],
        )
    )


class _Draw(Philox):
    """Builds what draws of one distribution have in common.

    Raises:
        ExportError: The dtype is none of those that TensorFlow's draws are rebuilt in.
    """

    def __init__(self, graph: Any, node: Any, dtypes: tuple[int, ...] = (TensorProto.FLOAT, TensorProto.DOUBLE)):
        super().__init__(graph, node)
        if node.output_dtypes[0] not in dtypes:
            names = " or ".join(TensorProto.DataType.Name(dtype).lower() for dtype in dtypes)
            raise ExportError(f"{node.name}: random numbers of {node.type} are exported as {names} only.")
        self.long = self.dtype.itemsize == 8
        self.shape = self.cast(self.inputs[0], TensorProto.INT64)
        self.count = self.op("ReduceProd", self.shape, keepdims=0)
        if node.type.endswith("V2"):
            self.key, self.counter = self.inputs[1:3]
        else:
            self.key, self.counter = self.from_seed(self.inputs[1])

    def rounded_up(self, count: str, size: int) -> str:
        """Returns how many groups of a size hold a count."""
        return self.op("Div", self.op("Add", count, self.integer(size - 1)), self.integer(size))

    def words(self) -> str:
        """Returns words enough for the draws, int64 in [0, 2**32)."""
        blocks = self.rounded_up(self.count, WORDS // (2 if self.long else 1))
        index = self.op("Range", self.integer(0), blocks, self.integer(1))
        return self.stacked(self.blocks(index, self.key, self.counter))

    def integers(self) -> str:
        """Returns words, or pairs of them as 64 bits."""
        words = self.words()
        return self.joined(*self.pairs(words)) if self.long else words

    def uniform(self, words: str) -> str:
        """Returns draws in [0, 1)."""
        if self.long:
            return _double(self, words)
        bits = self.op("BitwiseAnd", words, self.integer(0x7FFFFF))
        return self.op("Mul", self.cast(bits, TensorProto.FLOAT), self.number(2.0**-23))

    def normal(self, words: str) -> str:
        """Returns draws of the standard Normal distribution."""
        first, second = self.pairs(self.uniform(words))
        # TensorFlow multiplies in float64.
        angle = self.cast(second, TensorProto.DOUBLE)
        angle = self.op("Mul", angle, self.constant(2 * math.pi, np.float64))
        angle = self.cast(angle, self.node.output_dtypes[0])
        size = self.op("Log", self.op("Max", first, self.number(_SMALLEST)))
        size = self.op("Sqrt", self.op("Mul", self.number(-2), size))
        return self.stacked([self.op("Mul", self.op(function, angle), size) for function in ("Sin", "Cos")])

    def finish(self, values: str) -> None:
        """Puts the first of a vector's values, in the shape asked for, in the place of the node."""
        count = self.op("Reshape", self.count, self.vector(1))
        values = self.op("Slice", values, self.vector(0), count, self.vector(0))
        self.replace(self.cast(self.op("Reshape", values, self.shape), self.node.output_dtypes[0]))


def _double(philox: Philox, words: str) -> str:
    """Returns float64 draws in [0, 1) of every two words."""
    first, second = philox.pairs(words)
    high = philox.op("BitwiseAnd", first, philox.integer(0xFFFFF))
    bits = philox.op("Add", philox.op("Mul", high, philox.integer(2**32)), second)
    return philox.op("Mul", philox.cast(bits, TensorProto.DOUBLE), philox.constant(2.0**-52, np.float64))
