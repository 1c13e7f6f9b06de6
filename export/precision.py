"""Models of mixed precision, in float32: what serves is meant to give the same numbers everywhere."""

from typing import Any

import keras

from export.errors import ExportError


def in_float32(model: keras.Model) -> keras.Model:
    """Returns the model itself, or a copy that computes in float32 if a layer of it computes in less.

    Raises:
        ExportError: The copy cannot be made, because the model has no complete `get_config`.
    """
    layers = model._flatten_layers() if isinstance(model, keras.Model) else []
    if all(layer.compute_dtype in (None, "float32", "float64") for layer in layers):
        return model
    policy = keras.config.dtype_policy()
    # Layers that a model makes for itself take the global policy, which may be the one that it was built under.
    keras.config.set_dtype_policy("float32")
    try:
        copy = type(model).from_config(_with_float32(model.get_config()))
        copy.set_weights(model.get_weights())
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ExportError(
            f"{model.name} computes in {model.compute_dtype} and cannot be rebuilt in float32 ({error}). Give it "
            "get_config and from_config, or build it under the float32 policy and set its weights."
        ) from error
    finally:
        keras.config.set_dtype_policy(policy)
    return copy


def _with_float32(config: Any) -> Any:
    """Returns a serialized object in which every mixed policy is float32."""
    if isinstance(config, dict):
        return {key: _with_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with_float32(value) for value in config)
    return "float32" if config in ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16") else config
