"""The signatures of a model: its own, or for any other Keras model a single one, `call`."""

import contextlib
import dataclasses
import keyword
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export.errors import ExportError
from zoo.signature import DTYPES, NamedTensor, Signature


def signatures_of(model: keras.Model) -> dict[str, Signature]:
    """Returns the signatures of a model by name.

    A model with a method `signatures` declares its own. Any other built Keras model has one, `call`, with the
    names of its `keras.Input` layers, free axes where their size is None, and as outputs the keys of a dict, or
    "output", numbered where there are several. Integers that an Embedding takes as they come range over its table,
    also from its end: -1 is the last row.

    Raises:
        ExportError: The model is not a Keras model, does not know its inputs yet, or declares no dict of signatures.
    """
    if not isinstance(model, keras.Model):
        raise ExportError(f"expected a keras.Model, got {type(model).__name__}.")
    if callable(getattr(model, "signatures", None)):
        return _declared(model)
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise ExportError(
            f"{model.name} does not know its inputs. Wrap it: x = keras.Input(shape of one), and export "
            "keras.Model(x, model(x)); or give it a method signatures()."
        )
    own = list(map(_input_name, inputs))
    tables = _tables(model)
    input_specs = tuple(
        dataclasses.replace(_spec(tensor, name), range=tables.get(id(tensor)))
        for tensor, name in zip(inputs, _identifiers(own), strict=True)
    )
    output = outputs[0] if isinstance(model, keras.Sequential) else model.output
    given = _output_names(output)
    names = _identifiers(given, {spec.name for spec in input_specs})
    output_specs = tuple(_spec(tensor, name) for tensor, name in zip(outputs, names, strict=True))

    call = call_of(model, [spec.name for spec in input_specs], names)
    pairs = zip([*own, *given], [*(spec.name for spec in input_specs), *names], strict=True)
    renamed = [f"'{before}' is {after}" for before, after in pairs if before != after]
    description = f"The model {model.name}.{' Here ' if renamed else ''}{', '.join(renamed)}{'.' if renamed else ''}"
    return {"call": Signature("call", call, input_specs, output_specs, description=description)}


def _declared(model: Any) -> dict[str, Signature]:
    signatures = model.signatures()
    are_named = isinstance(signatures, dict) and all(
        isinstance(each, Signature) and each.name == name for name, each in signatures.items()
    )
    if not are_named or not signatures:
        raise ExportError(
            f"{type(model).__name__}.signatures() gives {str(signatures)[:200]}, expected a dict of "
            "zoo.signature.Signature by their names, with one at least."
        )
    if len({name.lower() for name in signatures}) < len(signatures):
        raise ExportError(
            f"{type(model).__name__}.signatures() has names that differ in capitals alone ({', '.join(signatures)}): "
            "files of theirs would be the same on some disks. Rename one."
        )
    return signatures


@contextlib.contextmanager
def no_new_weights(model: keras.Model) -> Iterator[None]:
    """Makes sure that a model has its weights already when it runs.

    Raises:
        ExportError: It makes some, at random.
    """
    before = len(model.weights)
    yield
    if len(model.weights) > before:
        raise ExportError(
            f"{model.name} was not built: it made weights just now, at random, and has them from now on. Load its "
            "weights or train it, then export it again."
        )


def functions_of(model: keras.Model, signatures: Iterable[Signature]) -> dict[str, Callable[..., Any]]:
    """Returns the functions of a model by the names of signatures, which may be those of a model like it."""
    if callable(getattr(model, "signatures", None)):
        return {name: signature.function for name, signature in _declared(model).items()}
    return {
        each.name: call_of(model, [spec.name for spec in each.inputs], [spec.name for spec in each.outputs])
        for each in signatures
    }


def call_of(model: keras.Model, inputs: list[str], outputs: list[str]) -> Callable[..., dict[str, tf.Tensor]]:
    """Returns the call of a model as a function from named tensors to named tensors."""

    def call(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        ordered = [tensors[name] for name in inputs]
        sequential = isinstance(model, keras.Sequential)
        packed = ordered[0] if sequential else keras.tree.pack_sequence_as(model.input, ordered)
        results = model(packed, training=False)
        return dict(zip(outputs, keras.tree.flatten(results), strict=True))

    return call


def _tables(model: keras.Model) -> dict[int, tuple[float, float]]:
    """Returns what Embedding layers have rows for, by the id of the integers that they take."""
    found: dict[int, tuple[float, float]] = {}
    layers = [each for each in model._flatten_layers() if isinstance(each, keras.layers.Embedding)]
    plain = [each for each in layers if type(each).call is keras.layers.Embedding.call]
    taken = [(each, tensor) for each in plain for node in each._inbound_nodes for tensor in node.input_tensors]
    for layer, tensor in taken:
        dtype = np.dtype(keras.backend.standardize_dtype(tensor.dtype))
        if dtype.kind in "iu":
            least, most = found.get(id(tensor), (np.iinfo(dtype).min, np.iinfo(dtype).max))
            found[id(tensor)] = max(least, -layer.input_dim), min(most, layer.input_dim - 1)
    return found


def _input_name(tensor: Any) -> str:
    """Returns the name of a layer of inputs, which stays what it is when a model is made again of its configuration."""
    layer = tensor._keras_history.operation
    return layer.name if isinstance(layer, keras.layers.InputLayer) else tensor.name


def _output_names(output: Any) -> list[str]:
    """Returns what outputs are called: by the keys of a dict, and of what is nested by those that lead there."""
    paths = [path for path, _ in keras.tree.flatten_with_path(output)]
    is_dict = isinstance(output, dict)
    return ["_".join(map(str, path if is_dict else ("output", *path))) for path in paths]


def _spec(tensor: Any, name: str) -> NamedTensor:
    axes = ["batch", *(f"{name}_axis_{index}" for index in range(1, len(tensor.shape)))][: len(tensor.shape)]
    shape = tuple(axis if size is None else size for axis, size in zip(axes, tensor.shape, strict=True))
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if 0 in shape:
        raise ExportError(f"tensor '{name}' has shape {tuple(tensor.shape)}: it holds nothing. Leave it out.")
    if dtype == "string":
        raise ExportError(f"tensor '{name}' holds strings, which a bundle cannot. Export the part behind the lookup.")
    if dtype == "bfloat16":
        raise ExportError(f"tensor '{name}' is bfloat16, which NumPy does not have. Cast it to float32 in the model.")
    if dtype not in DTYPES:
        raise ExportError(f"tensor '{name}' is {dtype}, expected one of {', '.join(DTYPES)}. Cast it in the model.")
    return NamedTensor(name, shape, dtype)


def _identifiers(names: list[str], taken: Iterable[str] = ()) -> list[str]:
    """Returns names that arguments can have, each another, in any case; those that can be as they are stay."""
    used, kept = {name.lower() for name in taken}, set()
    for name in names:
        if _identifier(name) == name and name.lower() not in used:
            used.add(name.lower())
            kept.add(name)
    found: list[str] = []
    for name in names:
        if name in kept:
            kept.remove(name)
            found.append(name)
        else:
            found.append(_free_name(_identifier(name), used))
            used.add(found[-1].lower())
    return found


def _identifier(name: str) -> str:
    """Returns a layer's name as one that a function's argument can have."""
    cleaned = re.sub(r"\W", "_", name, flags=re.ASCII)
    usable = cleaned.isidentifier() and not keyword.iskeyword(cleaned) and cleaned != "self" and cleaned[0] != "_"
    return cleaned if usable else f"input_{cleaned}"


def _free_name(name: str, taken: set[str]) -> str:
    while name.lower() in taken:
        name += "_"
    return name
