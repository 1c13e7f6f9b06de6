"""Models of mixed precision, in float32: what serves is meant to give the same numbers everywhere."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from export.errors import ExportError

_TOLERANCE = 0.25  # deep networks in bfloat16, which has three digits, are within a few hundredths


def in_float32(model: keras.Model) -> keras.Model:
    """Returns the model itself, or a copy that computes in float32 if a layer of it computes in less.

    Raises:
        ExportError: The copy cannot be made, because the model has no complete `get_config`.
    """
    layers = model._flatten_layers() if isinstance(model, keras.Model) else []
    if not any(layer.compute_dtype in ("float16", "bfloat16") for layer in layers):
        return model
    policy = keras.config.dtype_policy()
    # Layers that a model makes for itself take the global policy, which may be the one that it was built under.
    keras.config.set_dtype_policy("float32")
    try:
        copy = type(model).from_config(_with_float32(model.get_config()))
        copy.set_weights(model.get_weights())
        _restore_other_state(model, copy)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ExportError(
            f"{model.name} computes in less than float32 and cannot be rebuilt in float32 ({error}). Give it "
            "get_config and from_config, or build it under the float32 policy and set its weights."
        ) from error
    finally:
        keras.config.set_dtype_policy(policy)
    return copy


def check_copy(model: keras.Model, outputs: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Makes sure that a copy in float32 does what the model does, as nearly as this computes.

    Args:
        model: What was copied.
        outputs: What the copy gives, by name.
        expected: What the model gives for the same inputs, by name.

    Raises:
        ExportError: It does not.
    """
    for name, value in expected.items():
        wanted, found = (np.asarray(each, np.float64) for each in (value, outputs[name]))
        if np.asarray(value).dtype.kind in "iub":  # what decides by a number that is rounded may be another
            continue
        distance, size = np.linalg.norm(found - wanted), np.linalg.norm(wanted)
        if not distance <= _TOLERANCE * size:
            raise ExportError(
                f"{model.name} computes in less than float32, and what it was rebuilt as in float32 gives another "
                f"'{name}': by {distance / size:.2g} of its norm. The model has state that neither its configuration "
                "nor its weights hold, such as what a layer draws in build. Make it a weight, or build the model "
                "under the float32 policy and set its weights."
            )


def _restore_other_state(model: keras.Model, copy: keras.Model) -> None:
    """Gives layers what they work out from their weights when these are loaded, as Normalization its statistics."""
    for layer, other in zip(model._flatten_layers(), copy._flatten_layers(), strict=True):
        if type(other).load_own_variables is not keras.layers.Layer.load_own_variables:
            state: dict[str, Any] = {}
            layer.save_own_variables(state)
            other.load_own_variables({key: np.asarray(value) for key, value in state.items()})


def _with_float32(config: Any) -> Any:
    """Returns a serialized object in which every mixed policy is float32."""
    if isinstance(config, dict):
        return {key: _with_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with_float32(value) for value in config)
    return "float32" if config in ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16") else config
