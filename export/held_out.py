"""Inputs of signatures from rows of real data, to measure with what a model is used on."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from export.batches import fixed_rows, in_batches, with_free_rows
from export.errors import ExportError
from export.inputs import draw_inputs, labels_in_turn
from export.reduction import MOST_ROWS, Reduction, Rows
from export.session import onnx_file, open_session, run_session
from zoo.signature import NamedTensor, Signature

Arrays = dict[str, np.ndarray]

_CALIBRATION_ROWS, _CALIBRATION_BATCH = 256, 64

_GIVEN = ("image", "label")  # what comes with data, and random values do not stand in for
_LIKE_IMAGES = {"noisy": "image"}
_CODES = ("latent", "code")
_OF_ENCODERS = (*_CODES, "loc")  # what an encoder may call what a decoder takes


class Runner:
    """An ONNX file of a signature, run as users run it: many rows in batches."""

    def __init__(self, file: bytes | Path, signature: Signature) -> None:
        self.signature, self.session = signature, open_session(file, signature.name)

    def __call__(self, inputs: Arrays) -> Arrays:
        """Returns its outputs by name."""
        size = fixed_rows(self.signature)
        if size is not None:
            count = len(next(iter(inputs.values())))
            parts = [
                self.at_once(**{name: array[start : start + size] for name, array in inputs.items()})
                for start in range(0, count, size)
            ]
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return in_batches(self.signature, inputs, lambda part: self.at_once(**part))

    def at_once(self, **inputs: np.ndarray) -> Arrays:
        """Returns the same, from one run."""
        return run_session(self.session, inputs, self.signature.name)


class Inputs:
    """What the signatures of a bundle are run with, to measure drift and to calibrate ranges.

    Args:
        folder: The bundle, with float32 files: latents are what its encoder makes of the rows.
        signatures: Those that have ONNX files, by name.
        reduction: With the rows.

    Raises:
        ExportError: Rows do not fit.
    """

    def __init__(self, folder: Path, signatures: Mapping[str, Signature], reduction: Reduction) -> None:
        signatures = {name: with_free_rows(each) for name, each in signatures.items()}
        encode = signatures.get("encode")
        encoder = None if encode is None else Runner(onnx_file(folder, "encode"), encode)
        held_out, calibration = reduction.held_out, reduction.calibration
        self.held_out = {} if held_out is None else _by_name(held_out, signatures, MOST_ROWS)
        self._calibration = {} if calibration is None else _by_name(calibration, signatures, _CALIBRATION_ROWS)
        self._held_out_codes, self._codes = (_codes(encoder, rows) for rows in (self.held_out, self._calibration))

    @property
    def count(self) -> int:
        """How many held-out rows there are."""
        return min(map(len, self.held_out.values()))

    def to_measure(self, signature: Signature) -> Arrays:
        """Returns what the drift of a signature is measured with."""
        return inputs_of(signature, self.held_out, self._held_out_codes, 0)

    def held_out_inputs(self, signature: Signature) -> list[str]:
        """Returns the inputs of a signature that are then held-out rows, or codes of these; others are drawn."""
        inputs = with_free_rows(signature).inputs
        found = ((spec.name, _values(spec, self.held_out, self._held_out_codes)) for spec in inputs)
        return [name for name, values in found if values is not None]

    def to_calibrate(self, signature: Signature) -> list[Arrays]:
        """Returns what the ranges in a signature are measured with, in batches; none where nothing is calibrated."""
        batches, size = [], fixed_rows(signature)
        count, step = min(map(len, self._calibration.values()), default=0), size or _CALIBRATION_BATCH
        _check_count(signature, size if count else None, count)
        for start in range(0, count - count % (size or 1), step):
            part = slice(start, start + step)
            rows = {name: array[part] for name, array in self._calibration.items()}
            codes = None if self._codes is None else self._codes[part]
            batches.append(inputs_of(signature, rows, codes, 1 + start))
        return batches


def _codes(encoder: Runner | None, rows: Arrays) -> np.ndarray | None:
    if encoder is None or "image" not in rows:
        return None
    outputs = [spec.name for spec in encoder.signature.outputs]
    codes = next((name for name in _OF_ENCODERS if name in outputs), outputs[0])
    return encoder(inputs_of(encoder.signature, rows, None, 0))[codes]


def _by_name(rows: Rows, signatures: Mapping[str, Signature], most: int) -> Arrays:
    """Returns rows by the names of the inputs that they are for, the first `most` ones.

    Raises:
        ExportError: An array does not fit.
    """
    inputs: dict[str, list[NamedTensor]] = {}
    for spec in (spec for each in signatures.values() for spec in each.inputs if _takes_rows(spec)):
        inputs.setdefault(spec.name, []).append(spec)
    if not isinstance(rows, Mapping):
        rows = {_only_input(inputs, np.asarray(rows)): rows}
    found = {name: np.asarray(array)[:most] for name, array in rows.items()}
    for name, array in found.items():
        specs = inputs.get(name, [])
        if not specs and name not in _GIVEN:  # images and labels of a data set are that, whatever a model takes
            raise ExportError(f"there is no input '{name}' for rows. There are: {', '.join(sorted(inputs))}.")
        if specs and not any(_fits(spec, array) for spec in specs):
            raise ExportError(f"rows for '{name}' have shape {list(array.shape)}, expected {list(specs[0].shape)}.")
        if specs and not any(np.can_cast(array.dtype, spec.dtype, "same_kind") for spec in specs):
            raise ExportError(f"rows for '{name}' have dtype {array.dtype}, expected {specs[0].dtype}.")
    return found


def _only_input(inputs: Mapping[str, list[NamedTensor]], rows: np.ndarray) -> str:
    """Returns the name of the input that rows without a name are for: the only one there is, or images."""
    given = [name for name in inputs if name not in _CODES]
    if not given:  # images, as of a generator whose samples are compared with them, or codes
        given = [name for name, specs in inputs.items() if any(_fits(spec, rows) for spec in specs)]
    return given[0] if len(given) == 1 and given[0] not in _LIKE_IMAGES else "image"


def _fits(spec: NamedTensor, array: np.ndarray) -> bool:
    return array.ndim == len(spec.shape) and all(
        isinstance(size, str) or size == given for size, given in zip(spec.shape[1:], array.shape[1:], strict=True)
    )


def inputs_of(signature: Signature, rows: Arrays, codes: np.ndarray | None, seed: int) -> Arrays:
    """Returns inputs of a signature: rows where it takes them, codes of these for latents, else what it declares.

    Scalars that have a default have that, counts are as many as rows.

    Args:
        signature: What is to be run.
        rows: By the names of the inputs that they are for.
        codes: What the model's encoder makes of them, or None where there is none.
        seed: Decides what is drawn.

    Raises:
        ExportError: It takes images, labels, or what is neither latents nor declares which values it may have, that is
            not among them; or a value is not as declared.
    """
    size, signature = fixed_rows(signature), with_free_rows(signature)
    count = min(map(len, rows.values()))
    _check_count(signature, size, count)
    count -= count % (size or 1)
    inputs = draw_inputs(signature.inputs, count, seed)
    inputs |= {name: np.asarray(value, inputs[name].dtype) for name, value in signature.defaults.items()}
    if signature.stochastic:
        (spec,) = (spec for spec in signature.inputs if spec.role == "seed")
        low, high = spec.range or (0, seed)
        inputs["seed"] = np.asarray(min(int(low) + seed, int(high)), spec.dtype)
    for spec in signature.inputs:
        values = _values(spec, rows, codes)
        if values is not None:
            inputs[spec.name] = values[: len(inputs[spec.name])].astype(spec.dtype)
        elif spec.name == "label" and spec.shape[:1] == ("n",) and spec.range is not None:
            inputs["label"] = labels_in_turn(spec, len(inputs["label"]))
        elif _has_to_be_given(spec):
            raise ExportError(
                f"held-out data for '{spec.name}', which '{signature.name}' takes, are not given: pass arrays by the "
                f"names of inputs, such as held_out={{'{spec.name}': ...}}, {spec.dtype} {list(spec.shape)}; the same "
                "of calibration. Or declare the range or examples that they are to be drawn from."
            )
    try:
        return signature.checked(inputs)
    except ValueError as error:
        raise ExportError(f"held-out or calibration data: {error}") from None


def _check_count(signature: Signature, size: int | None, count: int) -> None:
    if size is not None and count < size:
        raise ExportError(
            f"'{signature.name}' takes {size} rows at once, and there are {count} of held-out or calibration data: "
            f"pass {size} at least."
        )


def _values(spec: NamedTensor, rows: Arrays, codes: np.ndarray | None) -> np.ndarray | None:
    """Returns what there is for an input, or None where it has to be drawn."""
    known = rows.get(_LIKE_IMAGES.get(spec.name, spec.name))
    if known is None and spec.name in _CODES:
        known = codes
    return known if known is not None and _takes_rows(spec) and _fits(spec, known) else None


def _has_to_be_given(spec: NamedTensor) -> bool:
    """Returns whether nothing says which values an input has in use. Latents are those of a prior."""
    is_open = not (spec.range or spec.examples) and spec.name not in _CODES
    return _takes_rows(spec) and (spec.name in _GIVEN or is_open)


def _takes_rows(spec: NamedTensor) -> bool:
    return bool(spec.shape) and isinstance(spec.shape[0], str)
