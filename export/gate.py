"""Reduces the ONNX files of a bundle in the making, and lets them through only if little enough is lost.

Every file is in float32 and at parity with the model when it gets here, so that what is measured is the loss of the
reduction alone, as `export.load` runs it. Of half precision it is what is lost where all that the file has in it is
rounded, which ONNX Runtime does not do on CPUs.
"""

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from export import drift
from export import onnx as writing
from export.batches import with_free_rows
from export.compaction import lift, untie
from export.emulation import emulated
from export.errors import ExportError
from export.half import in_half
from export.held_out import Inputs, Runner
from export.images import image_output
from export.parity import Reference, check_outputs, compare, largest_difference, reference_again
from export.pictures import save_grid
from export.quantize import in_int8
from export.reduction import LEAST_ROWS, Reduction
from export.session import CPU, ONNX_FILE, WEIGHTS_FILE, onnx_file
from export.verification import REDUCED_REFERENCE, save_reference, with_difference
from zoo.signature import Signature

_SAMPLES_SHOWN = 64


def reduce_files(
    folder: Path, signatures: Mapping[str, Signature], expected: Mapping[str, Reference], reduction: Reduction
) -> dict[str, Any]:
    """Replaces the ONNX files of a bundle by reduced ones, and saves what these give, to check against later.

    Args:
        folder: The bundle, with float32 files.
        signatures: Those that have ONNX files, by name.
        expected: What the model gives.
        reduction: What to do, and what may be lost.

    Returns:
        What the manifest says of it.

    Raises:
        ExportError: A budget is exceeded, and drift is not allowed; or rows do not fit; or a file cannot be reduced,
            or gives what is not as declared.
    """
    inputs = Inputs(folder, signatures, reduction)
    found: dict[str, dict[str, Any]] = {}
    references: dict[str, Reference] = {}
    for name, signature in signatures.items():
        found[name], gives = _reduced(folder, signature, expected[name], inputs, reduction)
        if gives is not None:
            references[name] = gives
    if not references:
        raise ExportError(
            f"{reduction.kind} makes no file smaller ({found[next(iter(found))]['kept_float32']}): export in float32."
        )
    exceeded = [f"'{name}' {figure}" for name, each in found.items() for figure in _figures(each) if not figure.within]
    if exceeded and not reduction.allow_drift:
        raise ExportError(
            f"{reduction.kind} drifts beyond its budget: {'; '.join(exceeded)}. Nothing was exported. Leave these "
            "signatures out (signatures, --signatures), take a milder reduction, or allow it (allow_drift, "
            "--allow-drift)."
        )
    save_reference(folder / REDUCED_REFERENCE, references)
    return {
        **reduction.describes,
        "provider": CPU,
        "rows": inputs.count,
        "features": reduction.features.name if reduction.features else drift.COARSE_PIXELS,
        "within_budget": not exceeded,
        "drift_allowed": reduction.allow_drift,
        "signatures": found,
    }


def _figures(entry: Mapping[str, Any]) -> list[drift.Figure]:
    return [drift.recorded(values) for values in entry["drift"]]


def _reduced(
    folder: Path, signature: Signature, expected: Reference, inputs: Inputs, reduction: Reduction
) -> tuple[dict[str, Any], Reference | None]:
    """Reduces one file, and returns what was lost and gained, and what it gives; or why it is kept, and None."""
    name, size = signature.name, _size(folder, signature.name)
    before = Runner(onnx_file(folder, name), signature)
    loaded = onnx.load(folder / ONNX_FILE.format(name=name))
    lift(loaded)  # weights are widened once, not at each turn of a loop
    model = _converted(loaded, signature, inputs, reduction)
    if model is None or model.ByteSize() >= size:
        reason = (
            "it has no convolution, Gemm or MatMul with float32 weights"
            if model is None
            else "the reduced file would be no smaller"
        )
        return {"kept_float32": reason, "float32_bytes": size, "bytes": size, "drift": []}, None
    rounded = emulated(model) if reduction.kind == "float16" else None  # before weights go to a file of their own
    (folder / WEIGHTS_FILE.format(name=name)).unlink(missing_ok=True)
    writing.save(model, folder / ONNX_FILE.format(name=name), name)
    file = after = Runner(onnx_file(folder, name), signature)
    where = f"the {reduction.kind} file"
    if rounded is not None:
        after = _runner(rounded, signature)
    strictly = f"{where}, all in it rounded and none beyond 65,504" if rounded else where
    gives = reference_again(signature, expected, after.at_once, strictly)
    stated = largest_difference(signature, gives, expected, strictly)
    compare(with_difference(signature, stated), gives, file.at_once, where, rounded=True)  # as `verify` does later
    given = inputs.to_measure(signature)
    first, second = before(given), after(given)
    check_outputs(with_free_rows(signature), second, given, strictly)
    figures = drift.measured(signature, first, second, reduction.budget)
    images = image_output(signature) if name == "sample" else None
    if images is not None and (real := inputs.held_out.get("image")) is not None:
        samples, others = first[images], second[images]
        if real.shape[1:] == samples.shape[1:] and len(samples) >= LEAST_ROWS:
            features = reduction.features.features if reduction.features else drift.coarse_pixels
            budget = reduction.budget("frechet_increase")
            increase = drift.frechet_increase(real, samples, others, features, budget)
            figures.append(dataclasses.replace(increase, output=images))
        save_grid(others[:_SAMPLES_SHOWN], folder / "preview.png")
    return {
        "float32_bytes": size,
        "bytes": _size(folder, name),
        "difference": stated,
        "held_out": inputs.held_out_inputs(signature),
        "drift": [{**dataclasses.asdict(figure), "within": figure.within} for figure in figures],
    }, gives


def _runner(model: onnx.ModelProto, signature: Signature) -> Runner:
    """Returns what runs a model of any size, which leaves no file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        writing.save(model, path, signature.name)
        return Runner(path, signature)


def _converted(
    model: onnx.ModelProto, signature: Signature, inputs: Inputs, reduction: Reduction
) -> onnx.ModelProto | None:
    """Returns a reduced model with the texts of the one given, or None where there is nothing to reduce."""
    if reduction.kind == "float16":
        converted = onnx.ModelProto.FromString(model.SerializeToString())
        if not in_half(converted):
            return None
    else:
        untie(model)
        converted = in_int8(model, signature.name, inputs.to_calibrate(signature))
        if converted is None:
            return None
    converted.producer_name, converted.doc_string = model.producer_name, model.doc_string
    onnx.helper.set_model_props(
        converted, {**{entry.key: entry.value for entry in model.metadata_props}, "precision": reduction.kind}
    )
    return converted


def _size(folder: Path, name: str) -> int:
    files = (folder / pattern.format(name=name) for pattern in (ONNX_FILE, WEIGHTS_FILE))
    return sum(file.stat().st_size for file in files if file.exists())
