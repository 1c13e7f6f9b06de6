"""The signatures of a model: its own, or for any other Keras model a single one, `call`."""

import keyword
import re
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from export.errors import ExportError
from zoo.signature import NamedTensor, Signature


def signatures_of(model: keras.Model) -> dict[str, Signature]:
    """Returns the signatures of a model by name.

    A model with a method `signatures` declares its own. Any other built Keras model has one, `call`, with the
    names of its `keras.Input` layers, free axes where their size is None, and as outputs the keys of a dict, or
    "output", numbered where there are several.

    Raises:
        ExportError: The model is not a Keras model, or does not know its inputs yet.
    """
    if not isinstance(model, keras.Model):
        raise ExportError(f"expected a keras.Model, got {type(model).__name__}.")
    if callable(getattr(model, "signatures", None)):
        return model.signatures()
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise ExportError(
            f"{model.name} does not know its inputs. Build it from keras.Input, or give it a method signatures()."
        )
    input_specs = tuple(map(_spec, inputs, _identifiers(list(map(_input_name, inputs)))))
    output = outputs[0] if isinstance(model, keras.Sequential) else model.output
    names = _output_names(output, {spec.name for spec in input_specs})
    output_specs = tuple(_spec(tensor, name) for tensor, name in zip(outputs, names, strict=True))

    call = call_of(model, [spec.name for spec in input_specs], names)
    return {"call": Signature("call", call, input_specs, output_specs, description=f"The model {model.name}.")}


def call_of(model: keras.Model, inputs: list[str], outputs: list[str]) -> Callable[..., dict[str, tf.Tensor]]:
    """Returns the call of a model as a function from named tensors to named tensors."""

    def call(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        ordered = [tensors[name] for name in inputs]
        sequential = isinstance(model, keras.Sequential)
        packed = ordered[0] if sequential else keras.tree.pack_sequence_as(model.input, ordered)
        results = model(packed, training=False)
        return dict(zip(outputs, keras.tree.flatten(results), strict=True))

    return call


def _input_name(tensor: Any) -> str:
    """Returns the name of a layer of inputs, which stays what it is when a model is made again of its configuration."""
    layer = tensor._keras_history.operation
    return layer.name if isinstance(layer, keras.layers.InputLayer) else tensor.name


def _output_names(output: Any, taken: set[str]) -> list[str]:
    """Returns names of outputs: the keys of a dict, and of what is nested the keys and places that lead there."""
    paths = [path for path, _ in keras.tree.flatten_with_path(output)]
    is_dict = isinstance(output, dict)
    names = ["_".join(map(str, path if is_dict else ("output", *path))) for path in paths]
    return [_free_name(name, taken) for name in _identifiers(names)]


def _spec(tensor: Any, name: str) -> NamedTensor:
    axes = ["batch", *(f"{name}_axis_{index}" for index in range(1, len(tensor.shape)))][: len(tensor.shape)]
    shape = tuple(axis if size is None else size for axis, size in zip(axes, tensor.shape, strict=True))
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if dtype == "string":
        raise ExportError(f"tensor '{name}' holds strings, which a bundle cannot. Export the part behind the lookup.")
    if dtype == "bfloat16":
        raise ExportError(f"tensor '{name}' is bfloat16, which NumPy does not have. Cast it to float32 in the model.")
    return NamedTensor(name, shape, dtype)


def _identifiers(names: list[str]) -> list[str]:
    """Returns names that arguments can have, each another; those that can be as they are stay."""
    kept = {name for name in names if _identifier(name) == name}
    found: list[str] = []
    for name in names:
        found.append(name if name in kept else _free_name(_identifier(name), kept | set(found)))
    return found


def _identifier(name: str) -> str:
    """Returns a layer's name as one that a function's argument can have."""
    cleaned = re.sub(r"\W", "_", name)
    usable = cleaned.isidentifier() and not keyword.iskeyword(cleaned) and cleaned != "self" and cleaned[0] != "_"
    return cleaned if usable else f"input_{cleaned}"


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
