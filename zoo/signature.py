"""A signature: one named inference function of a model, declared once.

SavedModel, ONNX, parity checks, the manifest and the card all read the same declaration, so that a model's
inputs are listed in one place. This module imports nothing heavy, so that the export layer can rely on it.
"""

import keyword
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.validation import as_array, check_labels, span

FORMATS = ("saved_model", "onnx")
DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)  # of what NumPy, TensorFlow and ONNX all have
NOISE_ROWS = 4  # that `first` counts in: the generator of `zoo.random` makes four words at once

_ROLES = ("n", "seed", "first")

_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")
_NAMES = "use a letter, then letters, digits and underscores, and no word of Python's own."


def is_name(name: str) -> bool:
    """Returns whether all formats, and arguments of Python functions, can have a name."""
    return bool(_NAME.fullmatch(name)) and not keyword.iskeyword(name) and name != "self"


def _is_size(size: Any) -> bool:
    return isinstance(size, int | np.integer) and not isinstance(size, bool) and int(size) >= 1


def _is_of(value: Any, dtype: np.dtype) -> bool:
    """Returns whether a dtype has a number, and it is finite."""
    if not isinstance(value, int | float):
        return False
    if dtype.kind == "b":
        return value in (0, 1)
    if dtype.kind == "f":
        return abs(value) <= float(np.finfo(dtype).max)
    return np.iinfo(dtype).min <= value <= np.iinfo(dtype).max and value == int(value)


def _plain(value: Any) -> Any:
    """Returns a number of NumPy's as one of Python's, which manifests can hold."""
    return value.item() if isinstance(value, np.generic) else value


def _end(value: Any, dtype: str) -> Any:
    """Returns an end of a range, of integers that have none the last one that there is."""
    if np.dtype(dtype).kind in "iu" and np.isinf(value):
        return int(np.iinfo(dtype).max if value > 0 else np.iinfo(dtype).min)
    return _plain(value)


@dataclass(frozen=True)
class NamedTensor:
    """One input or output of a signature.

    Args:
        name: What it is called in every format.
        shape: One entry an axis: an int for a fixed size, a str for a free axis with that name
            ("batch"). `()` is a scalar. Three scalar integers have a meaning: "n" counts what is drawn, the rows of an
            axis "n"; "seed" decides random numbers; "first" beside it is the number of the first row, so that rows can
            be drawn a part at a time, and a multiple of 4.
        dtype: "float32", "int64", ...
        range: The smallest and the largest allowed value, or None where any is.
        description: A few words for cards, with the unit.
        examples: The smallest and the largest value to check a bundle with, by default those of `range`. Without
            either, checks draw from the standard Normal, or 0 and 1 for integers.
        default: The value of a scalar input that may be left out, or None where it may not.

    Raises:
        ValueError: The name is not one that all formats have, there is no such dtype, a size is below 1, ends are in
            the wrong order, examples are beyond the range, or the default is not of the dtype or not in the range.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str = "float32"
    range: tuple[float, float] | None = None
    description: str = ""
    examples: tuple[float, float] | None = None
    default: float | None = None

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(f"'{self.name}' cannot name a tensor of a signature: {_NAMES}")
        if self.dtype not in DTYPES:
            raise ValueError(f"'{self.name}' has dtype {self.dtype!r}, expected one of {', '.join(DTYPES)}.")
        if self.default is not None and self.shape:
            raise ValueError(f"'{self.name}' has the shape {self.shape}: only scalars may have a default.")
        if not all(isinstance(size, str) or _is_size(size) for size in self.shape):
            raise ValueError(f"'{self.name}' has the shape {self.shape}, expected sizes of at least 1 and names.")
        object.__setattr__(self, "shape", tuple(s if isinstance(s, str) else operator.index(s) for s in self.shape))
        for name in ("range", "examples"):
            ends = getattr(self, name)
            object.__setattr__(self, name, None if ends is None else tuple(_end(end, self.dtype) for end in ends))
        object.__setattr__(self, "default", _plain(self.default))
        for name, ends in (("range", self.range), ("examples", self.examples)):
            if ends is not None and not ends[0] <= ends[1]:
                raise ValueError(f"'{self.name}' has the {name} {ends}, expected (smallest, largest).")
        if self.range and self.examples and not self.range[0] <= self.examples[0] <= self.examples[1] <= self.range[1]:
            raise ValueError(f"'{self.name}' has the examples {self.examples}, beyond its range {self.range}.")
        if self.default is not None:
            if not _is_of(self.default, np.dtype(self.dtype)):
                raise ValueError(f"'{self.name}' has the default {self.default!r}, which is no finite {self.dtype}.")
            if self.range and not self.range[0] <= self.default <= self.range[1]:
                raise ValueError(f"'{self.name}' has the default {self.default}, beyond its range {self.range}.")

    def checked(self, value: Any, signature: str) -> np.ndarray:
        """Returns a value of an input of a signature as an array, after checking it.

        Raises:
            ZooError: Its dtype, shape or range is another, it is empty, or holds NaN.
        """
        label = f"input '{self.name}' of '{signature}'"
        try:
            array, dtype = np.asarray(value), np.dtype(self.dtype)
        except ValueError:  # what NumPy says of ragged sequences
            raise ZooError(f"{label} is no array: its parts have different shapes.") from None
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if not array.ndim and dtype.kind == "f" and array.dtype.kind in "iu":
            array = array.astype(dtype)  # 1 for 1.0
        if array.dtype.kind not in {"i": "iu", "u": "iu", "f": "f", "b": "b"}[dtype.kind]:
            raise ZooError(f"{label} has dtype {array.dtype}, expected {self.dtype}.")
        if array.ndim != len(self.shape) or not all(
            isinstance(size, str) or size == given for size, given in zip(self.shape, array.shape, strict=True)
        ):
            raise ZooError(f"{label} has shape {list(array.shape)}, expected {list(self.shape)}.")
        if array.size == 0:
            raise ZooError(f"{label} is empty. Pass at least one.")
        if dtype.kind == "f" and np.isnan(array).any():
            raise ZooError(f"{label} holds NaN.")
        if self.range is not None and not (self.range[0] <= array.min() and array.max() <= self.range[1]):
            found = f": its values {span(array)}" if self.shape else f" is {array}"
            low, high = (int(end) if dtype.kind in "iu" and np.isfinite(end) else f"{end:.6g}" for end in self.range)
            raise ZooError(f"{label}{found}, expected {low} to {high}.")
        if dtype.kind in "iu" and not (np.iinfo(dtype).min <= array.min() and array.max() <= np.iinfo(dtype).max):
            raise ZooError(f"{label} has dtype {self.dtype}, and its values are beyond it: they {span(array)}.")
        if dtype.kind == "f" and (np.abs(array[np.isfinite(array)], dtype=array.dtype) > np.finfo(dtype).max).any():
            raise ZooError(f"{label} has dtype {self.dtype}, and its values are beyond it: they {span(array)}.")
        return array.astype(dtype)

    @property
    def role(self) -> str | None:
        """The name of a scalar integer that has a meaning: "n", "seed" or "first"; of others None."""
        return self.name if self.name in _ROLES and not self.shape and np.dtype(self.dtype).kind in "iu" else None

    @property
    def free_shape(self) -> tuple[int | None, ...]:
        """The shape with None for free axes, as TensorFlow writes it."""
        return tuple(None if isinstance(size, str) else size for size in self.shape)


@dataclass(frozen=True)
class Signature:
    """One inference function of a model.

    Args:
        name: "encode", "decode", "sample", ...
        function: Takes the inputs by name, as tensors, and returns a mapping from output name to tensor.
            It must be traceable by `tf.function` and hold no state besides the model's weights.
        inputs: The inputs, in order.
        outputs: The outputs, in order.
        tolerance: The largest difference allowed between two formats, |a - b| <= tolerance * (s + |b|), of floats, s
            being the largest |b| of an output, from 0.02 to 1; integers and booleans have to be equal.
        formats: The formats to export to, of "saved_model" and "onnx".
        description: A sentence for cards.
        independent_rows: Whether a row of what comes out depends on its own row of what comes in alone, so that many
            can be worked out a part at a time. An export finds that out, whatever is said here.
    """

    name: str
    function: Callable[..., Mapping[str, Any]] = field(repr=False)
    inputs: tuple[NamedTensor, ...]
    outputs: tuple[NamedTensor, ...]
    tolerance: float = 1e-4
    formats: tuple[str, ...] = FORMATS
    description: str = ""
    independent_rows: bool = False

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(f"'{self.name}' cannot name a signature: {_NAMES}")
        if not self.outputs:
            raise ValueError(f"signature '{self.name}' has no outputs. Give it one at least.")
        if not 0 <= self.tolerance < math.inf:
            raise ValueError(
                f"signature '{self.name}': tolerance is {self.tolerance}, expected a number of at least 0."
            )
        if not self.formats or not set(self.formats) <= set(FORMATS):
            raise ValueError(f"signature '{self.name}': formats are {self.formats}, expected some of {FORMATS}.")
        names = [tensor.name for tensor in (*self.inputs, *self.outputs)]
        if len(set(names)) < len(names):
            # ONNX has one space of names for both.
            raise ValueError(f"signature '{self.name}': names of inputs and outputs must differ, got {names}.")
        if len({spec.name.lower() for spec in self.inputs}) < len(self.inputs):
            # TensorFlow writes them small.
            raise ValueError(f"signature '{self.name}': names of inputs differ in capitals alone, got {names}.")

    @property
    def defaults(self) -> dict[str, float]:
        """The values of the inputs that may be left out."""
        return {spec.name: spec.default for spec in self.inputs if spec.default is not None}

    def checked(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns inputs as arrays, those with a default filled in, after checking them.

        Raises:
            ZooError: One is missing, unknown or not as declared, two that share a free axis differ in its size, `n`
                is not the size of an axis "n", or rows are counted from a number that noise does not begin at.
        """
        given, inputs = sorted(inputs), {**self.defaults, **inputs}
        if inputs.keys() != {spec.name for spec in self.inputs}:
            needed = sorted(spec.name for spec in self.inputs if spec.default is None)
            optional = f", and may have {sorted(self.defaults)}" if self.defaults else ""
            raise ZooError(f"'{self.name}' takes the inputs {needed}{optional}, got {given}.")
        values = {spec.name: spec.checked(inputs[spec.name], self.name) for spec in self.inputs}
        if self.numbers_rows and int(values["first"]) % NOISE_ROWS:
            raise ZooError(
                f"input 'first' of '{self.name}' is {values['first']}, expected a multiple of {NOISE_ROWS}: noise is "
                f"drawn for {NOISE_ROWS} rows at once. Begin at {int(values['first']) // NOISE_ROWS * NOISE_ROWS}, and "
                "leave out the rows before."
            )
        found: dict[int | str, tuple[str, int]] = {}
        for spec in self.inputs:
            for axis, size in zip(spec.shape, values[spec.name].shape, strict=True):
                first, known = found.setdefault(axis, (spec.name, size))
                if size != known:
                    raise ZooError(
                        f"'{self.name}' is given {known} of '{first}' and {size} of '{spec.name}', expected as many of "
                        f"both along '{axis}'."
                    )
        if self.counts_rows and "n" in found and found["n"][1] != int(values["n"]):
            name, size = found["n"]
            raise ZooError(f"'{self.name}' is given {size} of '{name}', and n is {values['n']}: expected as many.")
        return values

    @property
    def counts_rows(self) -> bool:
        """Whether a scalar integer named "n" says how many rows an axis "n" has."""
        return self._has("n")

    @property
    def stochastic(self) -> bool:
        """Whether the function draws random numbers, which is to say, takes a scalar integer named "seed"."""
        return self._has("seed")

    @property
    def numbers_rows(self) -> bool:
        """Whether noise is that of rows counted from a scalar integer named "first", a multiple of `NOISE_ROWS`."""
        return self.stochastic and self._has("first")

    def _has(self, role: str) -> bool:
        return any(spec.role == role for spec in self.inputs)


SEED = NamedTensor("seed", (), "int64", (0, 2**63 - 1), "equal seeds give equal draws")
# Of any use between these ends, between which no draw leaves float32.
TEMPERATURE = NamedTensor(
    "temperature", (), "float32", (1e-6, 1e6), "spread of the latents", examples=(0.3, 1.0), default=1.0
)
# So that many can be drawn a batch at a time, and be those that would be drawn at once.
FIRST = NamedTensor(
    "first", (), "int64", (0, 2**40), "number of the first row, a multiple of 4", examples=(0, 0), default=0
)
COUNT = NamedTensor("n", (), "int64", (1, 2**31 - 1), "number of draws")


def image_tensor(name: str, image_shape: tuple[int, ...], batch: str = "batch") -> NamedTensor:
    """Returns the declaration of a batch of images: float32, channels last, pixels in [0, 1]."""
    return NamedTensor(name, (batch, *image_shape), "float32", (0.0, 1.0), "pixels in [0, 1]")


def label_tensor(num_classes: int, axis: str = "batch") -> NamedTensor:
    """Returns the declaration of the labels of a conditional model: int64 from 0 to num_classes - 1."""
    return NamedTensor("label", (axis,), "int64", (0, num_classes - 1), "class, one an image")


def labels_to_draw(n: int, label: Any, num_classes: int, first: int = 0) -> np.ndarray:
    """Returns the labels int64 [n] of images to draw: one for all, one for each, or None for all classes in turn.

    In turn, images `first` and on of those of a seed have the classes that they have among all.

    Raises:
        ZooError: They are no labels of the model, or not `n`.
    """
    if label is None:
        return np.arange(first, first + n) % num_classes
    labels = as_array(label, "labels")
    return check_labels(labels if labels.ndim else np.full(n, labels), num_classes, n)
