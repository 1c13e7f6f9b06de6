"""What the OpenAPI page says of a signature: its tensors, an example, and each answer."""

import math
from typing import Any

from pydantic import BaseModel

from export.images import image_output
from export.manifest import describe
from export.serving.protocol import HEADER_LENGTH, VERSION, counts_of, datatype
from zoo.signature import NamedTensor, Signature

_LARGEST_EXAMPLE = 4096  # numbers; a page with more is of no use


class Error(BaseModel):
    """What was wrong with a request, and what to do."""

    error: str


class Health(BaseModel):
    """That the server answers."""

    live: bool = True


class Readiness(BaseModel):
    """That the server, or one model, takes requests."""

    name: str = ""
    ready: bool = True


class ServerMetadata(BaseModel):
    """The server, and the models it has."""

    name: str
    version: str
    extensions: list[str]
    models: list[str]


class TensorMetadata(BaseModel):
    """A tensor; -1 in its shape is a free axis. Parameters: description, range, and default where it has one."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any]


class ModelMetadata(BaseModel):
    """A signature, as a model of the protocol."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


def metadata(signature: Signature) -> ModelMetadata:
    """Returns what the protocol tells of a signature."""

    def tensor(spec: NamedTensor, plain: dict[str, Any]) -> TensorMetadata:
        shape = [-1 if size is None else size for size in spec.free_shape]
        known = {key: plain[key] for key in ("description", "range", "default") if plain[key] is not None}
        return TensorMetadata(name=spec.name, datatype=datatype(spec.dtype), shape=shape, parameters=known)

    plain = describe(signature)
    sides = {
        side: [tensor(*pair) for pair in zip(getattr(signature, side), plain[side], strict=True)]
        for side in ("inputs", "outputs")
    }
    return ModelMetadata(name=signature.name, versions=[VERSION], platform="onnxruntime_onnx", **sides)


def inference(signature: Signature, max_rows: int) -> dict[str, Any]:
    """Returns the entry of a signature's inference, but for its responses."""
    return {
        "parameters": [
            {
                "name": HEADER_LENGTH,
                "in": "header",
                "required": False,
                "description": "Bytes of JSON at the start of the body, where bytes of tensors follow it.",
                "schema": {"type": "integer", "minimum": 1},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _request(signature, max_rows)},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
    }


def answers(signature: Signature, statuses: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Returns the responses of a signature's inference: its outputs, and errors by status."""
    # Each axis by itself, as in requests, is what schemathesis 4, which may be run on this, fails at in answers.
    axis = {"type": "integer", "minimum": 1}
    described = [_tensor(spec, {"items": axis}, {"data": {"type": "array"}}) for spec in signature.outputs]
    content: dict[str, Any] = {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["model_name", "model_version", "outputs"],
                "properties": {
                    "model_name": {"const": signature.name},
                    "model_version": {"const": VERSION},
                    "id": {"type": "string"},
                    "outputs": {"type": "array", "items": {"anyOf": described}},
                },
            }
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }
    if image_output(signature):
        content["image/png"] = {"schema": {"type": "string", "format": "binary"}}
    refused = {status: {"model": Error, "description": text} for status, text in statuses.items()}
    return {200: {"description": f"{signature.description} The outputs.", "content": content}, **refused}


def summary(signature: Signature) -> str:
    """Returns the description of a signature's inference in Markdown."""
    lines = [
        signature.description,
        "",
        "| tensor | datatype | shape | values | what |",
        "| --- | --- | --- | --- | --- |",
    ]
    for side, specs in (("input", signature.inputs), ("output", signature.outputs)):
        lines += [
            f"| {side} `{spec.name}` | {datatype(spec.dtype)} | {_axes(spec)} | {_values(spec)} | {spec.description} |"
            for spec in specs
        ]
    lines += [
        "",
        f"Bytes in place of `data`: `binary_data_size` among the parameters of an input, and the header "
        f"{HEADER_LENGTH}; `binary_data` among those of an output, or `binary_data_output` among those of the "
        "request. Large outputs have to be asked for as bytes.",
    ]
    if image_output(signature):
        lines += ["", "With `Accept: image/png` the answer is a picture: of one row as it is, of several a grid."]
    return "\n".join(lines)


def _axes(spec: NamedTensor) -> str:
    return f"[{', '.join(map(str, spec.shape))}]"


def _values(spec: NamedTensor) -> str:
    values = "any" if spec.range is None else f"{spec.range[0]:.6g} to {spec.range[1]:.6g}"
    return values if spec.default is None else f"{values}, by default {spec.default:g}"


def _request(signature: Signature, max_rows: int) -> dict[str, Any]:
    given = [_tensor(spec, _axes_of(spec), {"data": _data(spec, signature, max_rows)}) for spec in signature.inputs]
    needed = [spec for spec in signature.inputs if spec.default is None]
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {
                "type": "array",
                "items": {"anyOf": given},
                "minItems": len(needed),
                "maxItems": len(signature.inputs),
            },
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"enum": [spec.name for spec in signature.outputs]}},
                },
                "maxItems": len(signature.outputs),
            },
        },
    }
    if sum(_size(spec) for spec in needed) <= _LARGEST_EXAMPLE:
        schema["examples"] = [{"inputs": [_example(spec) for spec in needed]}]
    return schema


def _axes_of(spec: NamedTensor) -> dict[str, Any]:
    axes = [{"const": size} if isinstance(size, int) else {"type": "integer", "minimum": 1} for size in spec.shape]
    return {"prefixItems": axes} if axes else {}  # which may not be empty


def _tensor(spec: NamedTensor, axes: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    rank = len(spec.shape)
    return {
        "type": "object",
        "title": spec.name,
        "description": spec.description,
        "required": ["name", "datatype", "shape"],
        "properties": {
            "name": {"const": spec.name},
            "datatype": {"const": datatype(spec.dtype)},
            "shape": {"type": "array", "minItems": rank, "maxItems": rank, **axes},
            **properties,
        },
    }


def _data(spec: NamedTensor, signature: Signature, max_rows: int) -> dict[str, Any]:
    kind = {"f": "number", "i": "integer", "u": "integer", "b": "boolean"}[_kind(spec)]
    low, high = spec.range or (-math.inf, math.inf)
    if spec.name in counts_of(signature):
        high = min(high, max_rows)
    ends = {"minimum": low, "maximum": high} if kind != "boolean" else {}
    items = {"type": kind, **{key: end for key, end in ends.items() if math.isfinite(end)}}
    return {"type": "array", "items": items, "minItems": 1}


def _example(spec: NamedTensor) -> dict[str, Any]:
    low, high = spec.examples or spec.range or (0, 0)
    value = low if math.isfinite(low) else min(0, high)
    value = {"f": float, "i": int, "u": int, "b": bool}[_kind(spec)](value)
    shape = [size if isinstance(size, int) else 1 for size in spec.shape]
    return {"name": spec.name, "datatype": datatype(spec.dtype), "shape": shape, "data": [value] * _size(spec)}


def _kind(spec: NamedTensor) -> str:
    return {"b": "b", "u": "u", "i": "i", "f": "f"}[spec.dtype[0]]


def _size(spec: NamedTensor) -> int:
    return math.prod(size for size in spec.shape if isinstance(size, int))
