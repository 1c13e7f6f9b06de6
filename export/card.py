"""The card of a bundle: what it holds and how to use it, in Markdown."""

from collections.abc import Mapping
from typing import Any

from export import reduced_card
from zoo.signature import NamedTensor, Signature


def bundle_card(manifest: Mapping[str, Any], signatures: Mapping[str, Signature], notes: str = "") -> str:
    """Returns the text of `card.md`.

    Args:
        manifest: The manifest of the bundle.
        signatures: What it holds.
        notes: More Markdown on the model: figures, data, licence.
    """
    name = manifest["model"]["name"]
    formats = " and ".join({"onnx": "ONNX", "saved_model": "SavedModel"}[key] for key in manifest["formats"])
    preview = "![Samples](preview.png)\n\n" if "preview.png" in manifest["files"] else ""
    licence = f"Licence: {manifest['license']}\n\n" if manifest["license"] else ""
    notes = f"{notes}\n\n{licence}" if notes else licence
    rows = [_row(signature, manifest["parity"][signature.name]) for signature in signatures.values()]
    table = "\n".join(["| signature | inputs | outputs | largest difference |", "| --- | --- | --- | --- |", *rows])
    said = "".join(map(_described, signatures.values()))
    reduction = manifest.get("reduction")
    return (
        f"# {name}\n\nA {manifest['model']['class']}, exported as {formats}.\n\n"
        f"{reduced_card.warning(reduction) if reduction else ''}{preview}{notes}"
        f"## Signatures\n\n{table}\n\n{said}"
        "A difference is |a - b| / (s + |b|), the largest over all elements at two batch sizes, between a format and "
        "the Keras model; s is the largest |b|, but from 0.02 to 1.\n\n"
        f"{reduced_card.section(reduction) if reduction else ''}"
        f"## Use\n\n```python\n{_example(signatures, manifest['parity'])}\n```\n"
    )


def _row(signature: Signature, parity: Mapping[str, float]) -> str:
    inputs, outputs = (", ".join(map(_text, specs)) for specs in (signature.inputs, signature.outputs))
    found = ", ".join(f"{key} {value:.1e}" for key, value in parity.items())
    return f"| `{signature.name}` | {inputs} | {outputs} | {found} |"


def _described(signature: Signature) -> str:
    """Returns what a signature and its tensors are described by, as a paragraph; nothing where they are not."""
    specs = (*signature.inputs, *signature.outputs)
    tensors = [f"{spec.name}: {spec.description}" for spec in specs if spec.description]
    if not (signature.description or tensors):
        return ""
    return f"`{signature.name}`: {' '.join(filter(None, (signature.description, '; '.join(tensors))))}\n\n"


def _text(spec: NamedTensor) -> str:
    shape = ", ".join(str(size) for size in spec.shape)
    return f"`{spec.name}` {spec.dtype} [{shape}]"


def _example(signatures: Mapping[str, Signature], parity: Mapping[str, Mapping[str, float]]) -> str:
    """Returns Python that uses what a bundle holds, by ONNX Runtime where it can."""
    in_onnx = {name: signature for name, signature in signatures.items() if "onnx" in parity[name]}
    name, signature = next(iter((in_onnx or signatures).items()))
    if not in_onnx:
        load = f'import tensorflow as tf\n\n{name} = tf.saved_model.load("saved_model").signatures[{name!r}]'
        return f"{load}\noutputs = {name}({_given(signature)})"
    load = 'import export\n\nbundle = export.load(".")'
    if "sample" in in_onnx:
        label = ", label=1" if any(spec.name == "label" for spec in signatures["sample"].inputs) else ""
        return f"{load}\nimages = bundle.sample(16, seed=0{label})"
    return f"{load}\noutputs = bundle.run({name!r}, {_given(signature)})"


def _given(signature: Signature) -> str:
    return ", ".join(f"{spec.name}=..." for spec in signature.inputs)
