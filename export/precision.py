"""Models of mixed precision, in float32: what serves is meant to give the same numbers everywhere."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export.errors import ExportError, cause_of
from export.signatures import functions_of
from zoo.signature import Signature

# How far models may be apart, of the largest value: one that is built the same, and one of which layers are rounded
# otherwise, for they take the policy of the process that builds them.
_SAME, _ROUNDED = 0.01, 0.25
_LOW = ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16")


def in_float32(model: keras.Model) -> keras.Model:
    """Returns the model itself, or a copy that computes in float32 if a layer of it computes in less.

    Raises:
        ExportError: The copy cannot be made, because the model has no complete `get_config`.
    """
    layers = model._flatten_layers() if isinstance(model, keras.Model) else []
    if not any(layer.compute_dtype in ("float16", "bfloat16") for layer in layers):
        return model
    return _copy(model, _with_float32, "float32")


def _copy(model: keras.Model, change: Callable[[Any], Any], policy: Any) -> keras.Model:
    """Returns a model that is built of the changed configuration of another, under a policy, with its state."""
    before = keras.config.dtype_policy()
    # Layers that a model makes for itself take the global policy, which may be the one that it was built under.
    keras.config.set_dtype_policy(policy)
    try:
        copy = type(model).from_config(change(model.get_config()))
        copy.set_weights(model.get_weights())
        _restore_other_state(model, copy)
    except Exception as error:  # whatever a model fails with
        raise ExportError(
            f"{model.name} computes in less than float32 and cannot be rebuilt in float32: {cause_of(error)}. Give it "
            "get_config and from_config, or build it under the float32 policy and set its weights."
        ) from error
    finally:
        keras.config.set_dtype_policy(before)
    return copy


def check_copy(
    model: keras.Model, signatures: Iterable[Signature], inputs: Mapping[str, Mapping[str, np.ndarray]]
) -> None:
    """Makes sure that a model, built again as it is, does what it does: then one built in float32 has all its state.

    Args:
        model: Of mixed precision.
        signatures: To compare.
        inputs: Of each, by name.

    Raises:
        ExportError: It does not.
    """
    signatures = list(signatures)
    again = _copy(model, lambda config: config, model.dtype_policy)
    is_alike = [layer.compute_dtype for layer in model._flatten_layers()] == [
        layer.compute_dtype for layer in again._flatten_layers()
    ]
    functions = [functions_of(each, signatures) for each in (model, again)]
    for signature in signatures:
        given = {key: tf.constant(value) for key, value in inputs[signature.name].items()}
        expected, found = (each[signature.name](**given) for each in functions)
        for name, value in expected.items():
            if not _is_near(np.asarray(value), np.asarray(found[name]), _SAME if is_alike else _ROUNDED):
                raise ExportError(
                    f"{model.name} computes in less than float32, and what was rebuilt of it gives another '{name}' of "
                    f"'{signature.name}'. It has state that neither its configuration nor its weights hold, such as "
                    "what a layer draws in build. Make that a weight, or build the model under the float32 policy and "
                    "set its weights."
                )


def _is_near(expected: np.ndarray, found: np.ndarray, tolerance: float) -> bool:
    if expected.dtype.kind in "iub":
        # What decides by a number that is rounded otherwise may be another.
        return tolerance > _SAME or np.array_equal(expected, found)
    expected, found = (np.asarray(each, np.float64) for each in (expected, found))
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    return np.allclose(found, expected, rtol=0, atol=tolerance * largest, equal_nan=True)


def _restore_other_state(model: keras.Model, copy: keras.Model) -> None:
    """Gives layers what they work out from their weights when these are loaded, as Normalization its statistics."""
    for layer, other in zip(model._flatten_layers(), copy._flatten_layers(), strict=True):
        if type(other).load_own_variables is not keras.layers.Layer.load_own_variables:
            state: dict[str, Any] = {}
            layer.save_own_variables(state)
            other.load_own_variables({key: np.asarray(value) for key, value in state.items()})


def _with_float32(config: Any, is_dtype: bool = False) -> Any:
    """Returns a serialized object in which every dtype and policy below float32 is float32.

    The same words elsewhere, as names and settings of layers, stay.
    """
    if isinstance(config, dict):
        is_policy = is_dtype or str(config.get("class_name", "")).endswith(("DTypePolicy", "DTypePolicyMap"))
        return {key: _with_float32(value, is_policy or key == "dtype") for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with_float32(value, is_dtype) for value in config)
    return "float32" if is_dtype and config in _LOW else config
