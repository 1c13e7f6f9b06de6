"""Checks a bundle again from what it holds: hashes, loading, values, seeds.

Files in reduced precision are held to what they gave themselves at export, within the difference from the model that
their manifest states: that is how far rounding has taken them, and more than the rounding of another processor does.
That the stated difference is the one between the two references is checked too, and that the figures of drift are
within their budgets, or drift was allowed. Drift itself needs held-out data, which no bundle holds.
"""

import dataclasses
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from export import drift
from export import manifest as manifests
from export.errors import ExportError, first_line
from export.parity import BATCHES, Arrays, Reference, compare, has_independent_rows, largest_difference
from export.session import ONNX_FILE, onnx_file, open_session, run_session
from zoo.signature import Signature

REFERENCE, REDUCED_REFERENCE = "reference.npz", "reference_reduced.npz"
_DRAWS, _OTHERS = "draws", "others"
_STATED = 1e-6  # what differences may be off by, of which two were rounded otherwise


def save_reference(path: Path, references: dict[str, Reference]) -> None:
    """Saves what the model gave at export, for later checks without it."""
    arrays = {}
    for signature, reference in references.items():
        for index, (inputs, outputs) in enumerate(reference.cases):
            for side, values in (("inputs", inputs), ("outputs", outputs)):
                arrays.update({f"{signature}/{index}/{side}/{name}": value for name, value in values.items()})
        for name, draws in ((_DRAWS, reference.draws), (_OTHERS, reference.others)):
            if draws is not None:
                arrays[f"{signature}/{name}"] = draws
    np.savez_compressed(path, **arrays)


def read_reference(path: Path) -> dict[str, Reference]:
    """Reads what `save_reference` saved."""
    cases: dict[str, dict[int, tuple[Arrays, Arrays]]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        draws, others = (
            {key.removesuffix(f"/{name}"): arrays[key] for key in arrays if key.split("/")[1:] == [name]}
            for name in (_DRAWS, _OTHERS)
        )
        for key in arrays:
            if key.count("/") == 3:
                signature, index, side, name = key.split("/")
                case = cases.setdefault(signature, {}).setdefault(int(index), ({}, {}))
                case[side == "outputs"][name] = arrays[key]
    return {
        name: Reference([found[index] for index in sorted(found)], draws.get(name), others.get(name))
        for name, found in cases.items()
    }


def verify(directory: str | Path) -> dict[str, dict[str, float]]:
    """Checks a bundle against its own manifest.

    Every file has its hash, no other file is there, each format loads, and each signature gives the values
    that the model gave at export; or, in reduced precision, those that its file gave then. Rows that are said to be
    independent are found to be so in another trial, but for reduced files: at export the files before had that.

    Args:
        directory: A folder written by `export.save`.

    Returns:
        The largest difference found, by signature and format.

    Raises:
        ExportError: Something is missing, altered or different; the message names it.
    """
    directory = Path(directory)
    try:
        return _verified(directory)
    except ExportError:
        raise
    except (AttributeError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        # A manifest that is sealed anew may say anything.
        raise ExportError(
            f"the manifest of {directory} and what it holds do not fit together ({type(error).__name__}: "
            f"{first_line(error)}). Export the model again."
        ) from error


def _verified(directory: Path) -> dict[str, dict[str, float]]:
    manifest = manifests.read(directory)
    for name, recorded in manifest["files"].items():
        manifests.check_file(directory, name, recorded)
    extra = sorted(set(manifests.hashes(directory)) - set(manifest["files"]))
    if extra:
        raise ExportError(f"{directory} holds files that its manifest does not know: {', '.join(extra[:5])}.")
    unchecked = {REFERENCE, *_expected_files(manifest)} - set(manifest["files"])
    if unchecked:
        raise ExportError(f"the manifest of {directory} lacks {', '.join(sorted(unchecked))}. Export the model again.")
    signatures = [manifests.restore(name, values) for name, values in manifest["signatures"].items()]
    expected = read_reference(directory / REFERENCE)
    for signature in signatures:
        _check_whole(signature, expected.get(signature.name))
    reduced = _reduced(directory, manifest, {signature.name: signature for signature in signatures}, expected)
    found = compare_formats(directory, signatures, expected, manifest["formats"], reduced)
    for signature in (s for s in signatures if s.independent_rows and s.name not in reduced):
        if not with_independent_rows(directory, signature).independent_rows:
            raise ExportError(
                f"signature '{signature.name}': the manifest says that its rows are independent, and they are not. "
                "Export the model again."
            )
    return found


def _reduced(
    directory: Path, manifest: dict[str, Any], signatures: Mapping[str, Signature], expected: dict[str, Reference]
) -> dict[str, tuple[Signature, Reference]]:
    """Returns what reduced files are compared with, and with which tolerance, after checking what is stated of them."""
    reduction = manifest.get("reduction")
    if reduction is None:
        return {}
    given = read_reference(directory / REDUCED_REFERENCE)
    found = {}
    for name, entry in reduction["signatures"].items():
        figures = [drift.recorded(values) for values in entry["drift"]]
        exceeded = [str(figure) for figure in figures if not figure.within]
        if exceeded and not reduction["drift_allowed"]:
            raise ExportError(f"'{name}' drifts beyond its budget, which was not allowed: {exceeded[0]}.")
        if "kept_float32" in entry:
            continue
        _check_whole(signatures[name], given.get(name))
        difference = largest_difference(signatures[name], given[name], expected[name], reduction["kind"])
        if not abs(difference - entry["difference"]) <= _STATED * (1 + difference):
            raise ExportError(
                f"signature '{name}' in {reduction['kind']} differs from the model by {difference:.3g}, and its "
                f"manifest states {entry['difference']:.3g}. Export the model again."
            )
        found[name] = with_difference(signatures[name], difference), given[name]
    return found


def _check_whole(signature: Signature, known: Reference | None) -> None:
    """Raises an ExportError where reference values lack a case, a tensor, or all rows."""
    names = tuple({spec.name for spec in specs} for specs in (signature.inputs, signature.outputs))
    cases = [] if known is None else known.cases
    if len(cases) < len(BATCHES) or any(
        (set(inputs), set(outputs)) != names or not all(value.size for value in inputs.values())
        for inputs, outputs in cases
    ):
        raise ExportError(
            f"the reference values of signature '{signature.name}' are not all there. Export the model again."
        )


def with_difference(signature: Signature, difference: float) -> Signature:
    """Returns a signature that tolerates what processors make of a file that differs so far from its model.

    They round in different places, each within this of the model, and so within twice this of another.
    """
    return dataclasses.replace(signature, tolerance=max(signature.tolerance, 2 * difference))


def _expected_files(manifest: dict[str, Any]) -> set[str]:
    """Returns the files that the signatures and formats of a manifest call for."""
    files = {"saved_model/saved_model.pb"} if "saved_model" in manifest["formats"] else set()
    files |= {REDUCED_REFERENCE} if manifest.get("reduction") else set()
    if "onnx" in manifest["formats"]:
        files |= {
            ONNX_FILE.format(name=name)
            for name, values in manifest["signatures"].items()
            if "onnx" in values["formats"]
        }
    return files


def compare_formats(
    directory: Path,
    signatures: list[Signature],
    expected: dict[str, Reference],
    formats: list[str],
    reduced: Mapping[str, tuple[Signature, Reference]] | None = None,
) -> dict[str, dict[str, float]]:
    """Compares every format of every signature with reference values.

    Args:
        directory: The bundle.
        signatures: What it holds.
        expected: What the model gave, by signature.
        formats: The formats to compare.
        reduced: Of ONNX files in reduced precision, the signature with its tolerance, and what the file gave.

    Returns:
        The largest difference found, by signature and format.

    Raises:
        ExportError: A difference is beyond tolerance, or a file does not load.
    """
    found: dict[str, dict[str, float]] = {signature.name: {} for signature in signatures}
    for file_format in formats:
        runners = _RUNNERS[file_format](directory, [s for s in signatures if file_format in s.formats])
        for name, run in runners.items():
            signature, known = next(s for s in signatures if s.name == name), expected[name]
            rounded = (reduced or {}) if file_format == "onnx" else {}
            signature, known = rounded.get(name, (signature, known))
            found[name][file_format] = compare(signature, known, run, file_format, name in rounded)
    return found


def with_independent_rows(directory: Path, signature: Signature) -> Signature:
    """Returns a signature that says whether its rows are independent, as a trial of its ONNX file in float32 has it."""
    if "onnx" not in signature.formats:
        return dataclasses.replace(signature, independent_rows=False)
    (run,) = _onnx_runners(directory, [signature]).values()
    return dataclasses.replace(signature, independent_rows=has_independent_rows(signature, run, "onnx"))


def _onnx_runners(directory: Path, signatures: list[Signature]) -> dict[str, Any]:
    def runner(name: str) -> Any:
        session = open_session(onnx_file(directory, name), name)
        return lambda **inputs: run_session(session, inputs, name)

    return {signature.name: runner(signature.name) for signature in signatures}


def _saved_model_runners(directory: Path, signatures: list[Signature]) -> dict[str, Any]:
    import tensorflow as tf

    from export.saved_model import endpoint_of

    endpoints = {signature.name: endpoint_of(signature) for signature in signatures}
    try:
        loaded = tf.saved_model.load(str(directory / "saved_model"))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ExportError(f"the SavedModel does not load: {str(error).splitlines()[0]}") from error
    missing = {*endpoints, *endpoints.values()} - set(loaded.signatures)
    if missing:
        raise ExportError(f"the SavedModel has no endpoint for {', '.join(sorted(missing))}.")

    def runner(name: str) -> Any:
        def run(**inputs: np.ndarray) -> dict[str, np.ndarray]:
            outputs = loaded.signatures[endpoints[name]](**{key: tf.constant(value) for key, value in inputs.items()})
            return {key: value.numpy() for key, value in outputs.items()}

        return run

    return {signature.name: runner(signature.name) for signature in signatures}


_RUNNERS = {"onnx": _onnx_runners, "saved_model": _saved_model_runners}
