"""Writes a bundle: a folder with a model in formats that run anywhere, checked before it is there.

manifest.json        signatures, versions, parity, SHA-256 of every file
saved_model/         one endpoint a signature
onnx/NAME.onnx       one file a signature, free batch axes
reference.npz        inputs and the model's outputs, to check against later
reference_reduced.npz  what ONNX files in reduced precision give for the same inputs, where they are
card.md preview.png  for people
"""

import functools
import importlib.metadata
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from export import manifest as manifests
from export import onnx, saved_model
from export.card import bundle_card
from export.errors import ExportError, cause_of
from export.images import image_output
from export.inputs import has_free_axes, inputs_to_show
from export.obstacles import Layers, layer_names
from export.opsets import OPSET, check_opset
from export.parity import Reference, reference
from export.pictures import save_grid
from export.precision import check_copy, in_float32
from export.reduction import Reduction
from export.session import ONNX_FILE
from export.signatures import no_new_weights, signatures_of
from export.tracing import traced
from export.verification import REFERENCE, compare_formats, save_reference, with_independent_rows
from zoo.files import put_folder
from zoo.signature import FORMATS, Signature

_PACKAGES = ("genzoo", "tensorflow", "keras", "tensorflow-probability", "tf2onnx", "onnx", "onnxruntime", "numpy")
_PREVIEW_IMAGES = 64


def save(
    model: keras.Model,
    directory: str | Path,
    formats: str | tuple[str, ...] | list[str] = FORMATS,
    notes: str = "",
    overwrite: bool = False,
    *,
    signatures: Sequence[str] | None = None,
    opset: int = OPSET,
    licence: str = "",
    reduction: Reduction | None = None,
) -> dict[str, Any]:
    """Exports a model as a bundle.

    Everything is written to a temporary folder beside `directory`, checked there, and renamed: a bundle that fails a
    check, or an interruption, leaves what was there before.

    Args:
        model: A zoo model, or any Keras model built from `keras.Input` (signature `call`). One with a mixed
            dtype policy is exported in float32, with the same weights.
        directory: The folder to make, or a link to it.
        formats: Of "saved_model" and "onnx", at least one.
        notes: Markdown for the card: figures, data, licence.
        overwrite: Replace what is there, if it is a bundle or an empty folder.
        signatures: Names of those to export; by default all.
        opset: Of the ONNX files. Seeded draws need 18, the default; newer ones are made by ONNX's own converter.
        licence: Of the weights, for the card and the metadata of ONNX files; an SPDX identifier where there is one.
        reduction: Makes the ONNX files smaller, in half precision or eight bits, if too little is lost on held-out
            data to matter; see `export.Reduction`. A SavedModel stays float32.

    Returns:
        The manifest.

    Raises:
        ExportError: An op has no ONNX counterpart, the checker or ONNX Runtime refuses a graph, a format
            differs from the model, this was not built, there is no such format, opset or signature, or `directory` is
            there already. The message names the op or tensor. Or a reduction drifts beyond its budget: the message
            names the measure.
        OSError: A file cannot be written, as where the disk is full.

    Warns:
        UserWarning: A stage of training that `sample` needs has not run, so that it is left out; the card says so too.
            Or what was replaced cannot be deleted.
    """
    formats, directory = _checked_formats(formats), Path(directory)
    _check_target(directory, overwrite)
    _check_options(formats, notes, licence, opset, reduction)
    given, model = model, in_float32(model)
    chosen = _chosen(signatures_of(model), signatures)
    unfitted = getattr(model, "unfitted", "")
    if unfitted:
        lacking = f"The bundle has {', '.join(chosen)} alone: {unfitted}"
        warnings.warn(lacking, UserWarning, stacklevel=2)
        notes = f"{lacking}\n\n{notes}".rstrip()
    formats = _formats_of(chosen, formats)
    if "saved_model" in formats:
        saved_model.check_names(each for each in chosen.values() if "saved_model" in each.formats)
    with no_new_weights(model):
        expected = {name: _reference(signature, layer_names(model)) for name, signature in chosen.items()}
    if model is not given:
        check_copy(given, chosen.values(), {name: each.cases[0][0] for name, each in expected.items()})
    place = directory.resolve()  # a link stays one, and what it leads to is made or replaced
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=".partial-"))
    try:
        manifest = _write(model, chosen, expected, temporary, formats, notes, opset, licence, reduction)
        temporary.chmod(0o755)
        _check_target(directory, overwrite)  # again, for what came there meanwhile
        put_folder(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # what is half done, or what was replaced
    if temporary.exists():
        warnings.warn(
            f"{directory} is as asked for, but what it replaced cannot be deleted: it is left in {temporary}.",
            UserWarning,
            stacklevel=2,
        )
    return manifest


def _write(
    model: keras.Model,
    signatures: dict[str, Signature],
    expected: dict[str, Reference],
    folder: Path,
    formats: list[str],
    notes: str,
    opset: int,
    licence: str,
    reduction: Reduction | None,
) -> dict[str, Any]:
    values = list(signatures.values())
    parity: dict[str, dict[str, float]] = {signature.name: {} for signature in values}
    if "onnx" in formats:
        (folder / "onnx").mkdir()
        layers, properties = layer_names(model), {"license": licence} if licence else {}
        for signature in (s for s in values if "onnx" in s.formats):
            parity[signature.name] |= _write_onnx(signature, folder, expected, layers, opset, properties)
    if "saved_model" in formats:  # second, as what keeps a signature from either is said in more detail by the first
        saved_model.write(model, [s for s in values if "saved_model" in s.formats], folder / "saved_model")
        for name, found in compare_formats(folder, values, expected, ["saved_model"]).items():
            parity[name] |= found
    save_reference(folder / REFERENCE, expected)
    if "sample" in signatures:
        _save_preview(signatures["sample"], folder / "preview.png")
    if "onnx" in formats:
        signatures = {name: with_independent_rows(folder, signature) for name, signature in signatures.items()}
    reduced = {}
    if reduction is not None:
        from export.gate import reduce_files

        reducible = {name: signature for name, signature in signatures.items() if "onnx" in signature.formats}
        reduced = {"reduction": reduce_files(folder, reducible, expected, reduction)}
        for name, found in reduced["reduction"]["signatures"].items():
            parity[name]["onnx"] = found.get("difference", parity[name]["onnx"])
    manifest = {
        "format": manifests.VERSION,
        "model": {"name": model.name, "class": type(model).__name__},
        "formats": formats,
        "opset": opset,
        "license": licence,
        "versions": _versions(),
        "signatures": {
            name: {**manifests.describe(signature), "independent_rows": signature.independent_rows}
            for name, signature in signatures.items()
        },
        "parity": parity,
        **reduced,
        "files": manifests.hashes(folder),
    }
    (folder / "card.md").write_text(bundle_card(manifest, signatures, notes), encoding="utf-8")
    manifest["files"] = manifests.hashes(folder)
    manifests.write(folder, manifest)
    return manifest


def _write_onnx(signature: Signature, folder: Path, expected: dict[str, Reference], *how: Any) -> dict[str, float]:
    """Writes the ONNX file of a signature, and returns how far it is from the model."""
    found: dict[str, float] = {}

    def compare() -> None:
        found.update(compare_formats(folder, [signature], expected, ["onnx"])[signature.name])

    onnx.write(signature, folder / ONNX_FILE.format(name=signature.name), *how, accept=compare)
    return found


def _chosen(signatures: dict[str, Signature], names: Sequence[str] | None) -> dict[str, Signature]:
    if names is None:
        return signatures
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, Sequence):
        raise ExportError(f"signatures are {names!r}, expected a list of some of: {', '.join(signatures)}.")
    for name in names:
        if name not in signatures:
            raise ExportError(f"there is no signature '{name}'. The model has: {', '.join(signatures)}.")
    if not names:
        raise ExportError(f"no signature is given. Give a list of some of: {', '.join(signatures)}.")
    return {name: signature for name, signature in signatures.items() if name in names}


def _formats_of(signatures: dict[str, Signature], formats: list[str]) -> list[str]:
    """Returns the formats of those asked for that signatures are for, of which each has to have one."""
    for name, signature in signatures.items():
        if not set(formats) & set(signature.formats):
            raise ExportError(
                f"signature '{name}' is for {', '.join(signature.formats)} alone, and formats are "
                f"{', '.join(formats)}. Add one of its own, or leave it out of signatures."
            )
    return [each for each in formats if any(each in signature.formats for signature in signatures.values())]


def _reference(signature: Signature, layers: Layers) -> Reference:
    import tensorflow as tf

    @functools.cache
    def graph() -> Any:
        specs = {spec.name: tf.TensorSpec(spec.free_shape, spec.dtype, spec.name) for spec in signature.inputs}
        return traced(signature, signature.function, layers, **specs)

    def draw(**inputs: Any) -> Any:
        return graph()(**inputs)  # where many rows of a long chain are quicker than step by step

    return reference(signature, _runner(signature, signature.function), _runner(signature, draw))


def _runner(signature: Signature, function: Callable[..., Any]) -> Any:
    import tensorflow as tf

    def run(**inputs: Any) -> dict[str, Any]:
        try:
            outputs = function(**{key: tf.constant(value) for key, value in inputs.items()})
        except ExportError:
            raise
        except Exception as error:  # whatever a model fails with
            shapes = ", ".join(f"'{name}' {list(value.shape)}" for name, value in inputs.items())
            tried = " For free axes, sizes of their own, multiples of 32 and equal ones were tried."
            raise ExportError(
                f"signature '{signature.name}': the model fails on inputs of shapes {shapes}: {cause_of(error)}. Give "
                "keras.Input the sizes that the model needs, or the model a method signatures(), in which axes that "
                "are to be equal have one name, and inputs the ranges that they are to keep to."
                f"{tried if has_free_axes(signature.inputs) else ''}"
            ) from error
        if not isinstance(outputs, Mapping):
            raise ExportError(
                f"signature '{signature.name}': its function gives a {type(outputs).__name__}, expected a dict of "
                "tensors by the names of outputs."
            )
        return {key: np.asarray(value) for key, value in outputs.items()}

    return run


def _save_preview(signature: Signature, path: Path) -> None:
    """Saves samples as a picture, where they are images and drawn without what only the model's author knows."""
    import tensorflow as tf

    inputs, images = inputs_to_show(signature, _PREVIEW_IMAGES), image_output(signature)
    if inputs is not None and images is not None:
        run = tf.function(signature.function, autograph=False)  # a chain takes long step by step
        save_grid(run(**{name: tf.constant(value) for name, value in inputs.items()})[images].numpy(), path)


def _checked_formats(formats: str | tuple[str, ...] | list[str]) -> list[str]:
    formats = [formats] if isinstance(formats, str) else formats
    if not isinstance(formats, list | tuple):
        raise ExportError(f"formats is {formats!r}. Give one or a list of: {', '.join(FORMATS)}.")
    unknown = [name for name in formats if name not in FORMATS]
    if not formats:
        raise ExportError(f"no format is given. Give a list of some of: {', '.join(FORMATS)}.")
    if unknown:
        raise ExportError(f"unknown format '{unknown[0]}'. Give one or a list of: {', '.join(FORMATS)}.")
    return [name for name in FORMATS if name in formats]


def _check_options(formats: list[str], notes: Any, licence: Any, opset: Any, reduction: Any) -> None:
    if not isinstance(licence, str) or not isinstance(notes, str):
        raise ExportError(f"licence and notes are {licence!r} and {notes!r}, expected texts.")
    if reduction is not None and not isinstance(reduction, Reduction):
        raise ExportError(f"reduction is {reduction!r}, expected export.Reduction('float16', held_out=images).")
    if "onnx" in formats:
        check_opset(opset)
    elif reduction is not None:
        raise ExportError(f"{reduction.kind} is for ONNX files, and a SavedModel stays float32: add onnx to formats.")


def _check_target(directory: Path, overwrite: bool) -> None:
    if directory.is_symlink() and not directory.exists():
        raise ExportError(f"{directory} is a link to what is not there. Make that folder, or delete the link.")
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    if not overwrite:
        raise ExportError(f"{directory} is there already. Choose another folder, or pass overwrite (--overwrite).")
    try:
        known = set(manifests.read(directory)["files"])
    except ExportError as error:
        raise ExportError(f"{directory} is no bundle, and is not overwritten. Choose another folder.") from error
    others = sorted(set(manifests.hashes(directory)) - known)
    if others:
        raise ExportError(f"{directory} holds files of your own ({others[0]}), and is not overwritten.")


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # the zoo itself, run from a checkout that is not installed
    return found
