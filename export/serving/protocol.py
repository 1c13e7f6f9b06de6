"""Requests and responses of the KServe v2 protocol (Open Inference Protocol), between bytes and arrays.

Tensors are JSON, flat or nested, or raw bytes after the JSON: little-endian and row-major, in the order of the
tensors, with the length of the JSON in the header Inference-Header-Content-Length.

Source: the Open Inference Protocol's inference_rest.md, and the "binary tensor data" extension of NVIDIA Triton.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from export.batches import axis_sizes, check_outputs_fit
from export.errors import ExportError
from export.serving.errors import RequestError
from export.serving.limits import Limits
from zoo.signature import NamedTensor, Signature

VERSION = "1"  # of every signature: a bundle holds one
HEADER_LENGTH = "Inference-Header-Content-Length"
_DATATYPES = {
    "bool": "BOOL",
    **{f"{kind}{bits}": f"{kind}{bits}".upper() for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"FP{bits}" for bits in (16, 32, 64)},
}
_PYTHON_TYPES = {"b": {bool}, "i": {int}, "u": {int}, "f": {int, float}}
_JSON_TYPES = {
    bool: "true or false",
    dict: "an object",
    float: "fractions, or numbers beyond 64 bits",
    int: "integers",
    list: "a list",
    str: "a text",
    type(None): "null",
}


def datatype(dtype: str) -> str:
    """Returns the protocol's name of a dtype: "FP32" for "float32".

    Raises:
        ExportError: The protocol has none.
    """
    if dtype not in _DATATYPES:
        raise ExportError(f"tensors of dtype {dtype} cannot be served. Give the signature one of {list(_DATATYPES)}.")
    return _DATATYPES[dtype]


@dataclass(frozen=True)
class InferenceRequest:
    """A request after all checks.

    Args:
        id: The client's own, to be sent back, or None.
        inputs: Arrays by name, as the signature declares them, with defaults filled in.
        binary: Names of the outputs asked for, in order, and whether as bytes.
    """

    id: str | None
    inputs: dict[str, np.ndarray]
    binary: dict[str, bool]


def parse(body: bytes, header_length: str | None, signature: Signature, limits: Limits) -> InferenceRequest:
    """Returns the request that a body holds.

    Args:
        body: All of it.
        header_length: The value of the header Inference-Header-Content-Length, or None where there is none.
        signature: The one asked for.
        limits: What to allow.

    Raises:
        RequestError: 400 where it is not of the protocol, 413 where it asks for more than allowed or than memory holds,
            or has more JSON than allowed, and 422 where the signature takes something else.
    """
    text, binary = _split(body, header_length)
    if len(text) > limits.max_json:
        raise too_much_json(limits)
    try:
        header = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the request is not JSON: {error}. NaN and infinite numbers are not either.") from None
    if not isinstance(header, dict):
        raise RequestError(400, 'the request is not a JSON object. Send {"inputs": [...]}.')
    identifier = _field(header, "id", str, "the request", None)
    inputs = _inputs(_tensors(header, "inputs"), binary, signature, limits)
    return InferenceRequest(identifier, inputs, _outputs(header, signature))


def too_much_json(limits: Limits, headers: Mapping[str, str] | None = None) -> RequestError:
    """Returns the refusal of JSON beyond what is allowed."""
    return RequestError(
        413,
        f"the JSON is larger than {limits.max_json} bytes, the most allowed here. Send fewer rows, or tensors as bytes "
        "(binary_data_size).",
        headers,
    )


def check_finite(array: np.ndarray, name: str, signature: Signature, form: str) -> None:
    """Refuses an output that a form of answer, such as "JSON", cannot hold.

    Raises:
        RequestError: 422, as it has infinite numbers or NaN.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise RequestError(
            422,
            f"output '{name}' of '{signature.name}' is not finite for these inputs, and {form} has no such numbers. "
            "Pass inputs nearer to those it was made for, or ask for binary outputs.",
        )


def respond(
    request: InferenceRequest, outputs: Mapping[str, np.ndarray], signature: Signature, limits: Limits
) -> tuple[bytes, int | None]:
    """Returns the body of a response, and the length of its JSON where bytes follow, else None.

    Raises:
        RequestError: 413 where outputs asked for as JSON are larger than allowed, and 422 where they are not finite,
            which JSON cannot say.
    """
    numbers = sum(outputs[name].size for name, as_bytes in request.binary.items() if not as_bytes)
    if numbers > limits.max_numbers:
        raise RequestError(
            413,
            f"the outputs of '{signature.name}' are {numbers} numbers, and this server writes {limits.max_numbers} as "
            "JSON. Ask for bytes (binary_data_output), or for fewer rows.",
        )
    described, binary = [], []
    for name, as_bytes in request.binary.items():
        array = np.ascontiguousarray(outputs[name])
        tensor = {"name": name, "datatype": datatype(array.dtype.name), "shape": outputs[name].shape}
        if as_bytes:
            tensor["parameters"] = {"binary_data_size": array.nbytes}
            binary.append(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
        else:
            check_finite(array, name, signature, "JSON")
            tensor["data"] = array.ravel()
        described.append(tensor)
    header = {"model_name": signature.name, "model_version": VERSION, "outputs": described}
    if request.id is not None:
        header["id"] = request.id
    text = orjson.dumps(header, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join((text, *binary)), len(text)) if binary else (text, None)


def counts_of(signature: Signature) -> set[str]:
    """Returns the names of the scalar inputs that say how many rows come out."""
    axes = {axis for spec in signature.outputs for axis in spec.shape}
    return {spec.name for spec in signature.inputs if not spec.shape and spec.name in axes}


def _split(body: bytes, header_length: str | None) -> tuple[memoryview, memoryview]:
    """Returns the JSON and the bytes after it."""
    content = memoryview(body)
    if header_length is None:
        return content, content[len(content) :]
    digits = header_length.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 16 and 0 < int(digits) <= len(content)):
        raise RequestError(
            400,
            f"the header {HEADER_LENGTH} is '{header_length[:40]}', expected the length of the JSON at the start of "
            f"the body, 1 to {len(content)} bytes.",
        )
    return content[: int(digits)], content[int(digits) :]


def _inputs(
    tensors: list[dict[str, Any]], binary: memoryview, signature: Signature, limits: Limits
) -> dict[str, np.ndarray]:
    specs = {spec.name: spec for spec in signature.inputs}
    values: dict[str, np.ndarray] = {}
    for tensor in tensors:
        name = _field(tensor, "name", str, "an input")
        if name not in specs:
            raise RequestError(422, f"'{signature.name}' has no input '{name[:80]}'. It takes {sorted(specs)}.")
        if name in values:
            raise RequestError(422, f"input '{name}' of '{signature.name}' is given twice. Give it once.")
        label = f"input '{name}' of '{signature.name}'"
        shape = _shape(tensor, specs[name], label, limits)
        size = _field(_field(tensor, "parameters", dict, label, {}), "binary_data_size", int, label, None)
        if size is None:
            array = _from_json(_field(tensor, "data", list, label), shape, specs[name].dtype, label)
        elif tensor.get("data") is not None:
            raise RequestError(400, f"{label} has both data and binary_data_size. Send one of them.")
        else:
            array = _from_bytes(binary, size, shape, specs[name].dtype, label)
            binary = binary[size:]
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise RequestError(
                422, f"{label} holds NaN, or numbers that are infinite in {datatype(specs[name].dtype)}."
            )
        values[name] = array.reshape(() if not specs[name].shape else shape)
    if len(binary):
        raise RequestError(
            400, f"{len(binary)} bytes after the JSON belong to no input. Correct {HEADER_LENGTH} or binary_data_size."
        )
    for name in counts_of(signature) & set(values):
        _check_rows(int(values[name]), limits.max_rows, f"input '{name}' of '{signature.name}'")
    try:
        values = signature.checked(values)
    except ValueError as error:
        raise RequestError(422, str(error)) from None
    try:
        check_outputs_fit(signature, axis_sizes(signature, values))
    except ExportError as error:
        raise RequestError(413, str(error)) from None
    return values


def _shape(tensor: dict[str, Any], spec: NamedTensor, label: str, limits: Limits) -> list[int]:
    given, expected = _field(tensor, "datatype", str, label), datatype(spec.dtype)
    if given != expected:
        raise RequestError(422, f"{label} has datatype {given[:20]}, expected {expected}.")
    shape = _field(tensor, "shape", list, label)
    if any(type(size) is not int or size < 0 for size in shape):
        raise RequestError(400, f"the shape of {label} is not a list of integers from 0.")
    fits = len(shape) == len(spec.shape) and all(
        isinstance(size, str) or size == found for size, found in zip(spec.shape, shape, strict=True)
    )
    if not fits and (spec.shape or shape != [1]):  # many clients have no scalars
        raise RequestError(422, f"{label} has shape {str(shape)[:80]}, expected {list(spec.shape)}.")
    for place, (axis, size) in enumerate(zip(spec.shape, shape, strict=False)):
        if isinstance(axis, str) and place == 0:
            _check_rows(size, limits.max_rows, label)
        elif isinstance(axis, str) and size > limits.max_axis:
            raise RequestError(
                413, f"{label} has {size} along '{axis}', and this server allows {limits.max_axis}. Send less."
            )
    if 0 in shape:  # with sizes beside it that no array has, if it is to be hostile
        raise RequestError(422, f"{label} is empty. Pass at least one.")
    return shape


def _check_rows(rows: int, most: int, label: str) -> None:
    if rows > most:
        raise RequestError(
            413, f"{label} asks for {rows} rows, and this server allows {most}. Ask in several requests."
        )


def _from_json(data: list[Any], shape: list[int], dtype: str, label: str) -> np.ndarray:
    """Returns a flat array of data that are flat or nested as the shape is."""
    values, types = data, set(map(type, data))
    if list in types:
        values = [data]
        for size in shape:
            if not all(isinstance(part, list) and len(part) == size for part in values):
                raise RequestError(422, f"the data of {label} are nested in another way than its shape, {shape}.")
            values = list(chain.from_iterable(values))
        types = set(map(type, values))
    if len(values) != math.prod(shape):
        raise RequestError(422, f"{label} holds {len(values)} numbers, expected {math.prod(shape)} for {shape}.")
    wrong = types - _PYTHON_TYPES[np.dtype(dtype).kind]
    if wrong:
        raise RequestError(422, f"{label} holds {_JSON_TYPES[wrong.pop()]}, expected {datatype(dtype)}.")
    try:
        with np.errstate(over="ignore"):  # what is infinite then is refused
            return np.array(values, dtype)
    except OverflowError:
        raise RequestError(422, f"{label} holds numbers beyond {datatype(dtype)}.") from None


def _from_bytes(binary: memoryview, size: int, shape: list[int], dtype: str, label: str) -> np.ndarray:
    """Returns a flat array that shares the memory of the bytes."""
    stored = np.dtype(dtype).newbyteorder("<")
    expected = math.prod(shape) * stored.itemsize
    if size != expected:
        raise RequestError(
            400, f"{label} has binary_data_size {size}, expected {expected} for {shape} in {datatype(dtype)}."
        )
    if size > len(binary):
        raise RequestError(400, f"{label} needs {size} bytes after the JSON, where {len(binary)} are left.")
    array = np.frombuffer(binary[:size], stored)
    if stored.kind == "b" and (array.view(np.uint8) > 1).any():
        raise RequestError(422, f"{label} holds bytes other than 0 and 1, expected BOOL.")
    return array


def _outputs(header: dict[str, Any], signature: Signature) -> dict[str, bool]:
    known = [spec.name for spec in signature.outputs]
    parameters = _field(header, "parameters", dict, "the request", {})
    usual = _field(parameters, "binary_data_output", bool, "the request", False)
    binary: dict[str, bool] = {}
    for output in _tensors(header, "outputs") if header.get("outputs") else ():
        name = _field(output, "name", str, "an output")
        if name not in known or name in binary:
            reason = "is asked for twice" if name in binary else "is not there"
            raise RequestError(422, f"output '{name[:80]}' of '{signature.name}' {reason}. Ask for some of {known}.")
        label = f"output '{name}' of '{signature.name}'"
        binary[name] = _field(_field(output, "parameters", dict, label, {}), "binary_data", bool, label, usual)
    return binary or dict.fromkeys(known, bool(usual))


def _tensors(header: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = _field(header, key, list, "the request")
    if not all(isinstance(each, dict) for each in found):
        raise RequestError(400, f"'{key}' of the request are not all JSON objects, each with a name.")
    return found


_NEEDED: Any = object()


def _field(values: dict[str, Any], key: str, kind: type, where: str, default: Any = _NEEDED) -> Any:
    """Returns a field after checking its type. One with a default may be left out, or be null."""
    value = values.get(key, default)
    if value is _NEEDED:
        raise RequestError(400, f"{where} has no '{key}'. Give it, as the OpenAPI page at /docs shows.")
    if value is None and default is not _NEEDED:
        return default
    if value is not default and type(value) is not kind:
        names = {str: "a text", list: "a list", dict: "an object", int: "an integer", bool: "true or false"}
        raise RequestError(400, f"'{key}' of {where} is not {names[kind]}.")
    return value
