"""Checks a bundle again from what it holds: hashes, loading, values, seeds."""

from pathlib import Path
from typing import Any

import numpy as np

from export import manifest as manifests
from export.errors import ExportError
from export.parity import Arrays, Reference, compare
from export.session import ONNX_FILE, onnx_file, open_session, run_session
from zoo.signature import Signature

REFERENCE = "reference.npz"
_DRAWS = "draws"


def save_reference(path: Path, references: dict[str, Reference]) -> None:
    """Saves what the model gave at export, for later checks without it."""
    arrays = {}
    for signature, reference in references.items():
        for index, (inputs, outputs) in enumerate(reference.cases):
            for side, values in (("inputs", inputs), ("outputs", outputs)):
                arrays.update({f"{signature}/{index}/{side}/{name}": value for name, value in values.items()})
        if reference.draws is not None:
            arrays[f"{signature}/{_DRAWS}"] = reference.draws
    np.savez_compressed(path, **arrays)


def read_reference(path: Path) -> dict[str, Reference]:
    """Reads what `save_reference` saved."""
    cases: dict[str, dict[int, tuple[Arrays, Arrays]]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        draws = {key.split("/")[0]: arrays[key] for key in arrays if key.endswith(f"/{_DRAWS}")}
        for key in arrays:
            if key.count("/") == 3:
                signature, index, side, name = key.split("/")
                case = cases.setdefault(signature, {}).setdefault(int(index), ({}, {}))
                case[side == "outputs"][name] = arrays[key]
    return {
        name: Reference([found[index] for index in sorted(found)], draws.get(name)) for name, found in cases.items()
    }


def verify(directory: str | Path) -> dict[str, dict[str, float]]:
    """Checks a bundle against its own manifest.

    Every file has its hash, no other file is there, each format loads, and each signature gives the values
    that the model gave at export.

    Args:
        directory: A folder written by `export.save`.

    Returns:
        The largest difference found, by signature and format.

    Raises:
        ExportError: Something is missing, altered or different; the message names it.
    """
    directory = Path(directory)
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
    return compare_formats(directory, signatures, read_reference(directory / REFERENCE), manifest["formats"])


def _expected_files(manifest: dict[str, Any]) -> set[str]:
    """Returns the files that the signatures and formats of a manifest call for."""
    files = {"saved_model/saved_model.pb"} if "saved_model" in manifest["formats"] else set()
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
) -> dict[str, dict[str, float]]:
    """Compares every format of every signature with reference values.

    Returns:
        The largest difference found, by signature and format.

    Raises:
        ExportError: A difference is beyond tolerance, or a file does not load.
    """
    found: dict[str, dict[str, float]] = {signature.name: {} for signature in signatures}
    for file_format in formats:
        runners = _RUNNERS[file_format](directory, [s for s in signatures if file_format in s.formats])
        for name, run in runners.items():
            if name not in expected:
                raise ExportError(f"there are no reference values for signature '{name}'. Export the model again.")
            signature = next(s for s in signatures if s.name == name)
            found[name][file_format] = compare(signature, expected[name], run, file_format)
    return found


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
