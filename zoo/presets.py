"""Pretrained models: folders with weights, a config and a card, and the registry of those that come along.

A preset folder follows KerasHub's layout.

    config.json        the model's architecture, as Keras serializes it
    model.weights.h5   its weights, float32 or float16
    metadata.json      versions, figures and how they were measured, SHA-256 of the other files
    card.md            the same for people
"""

import datetime
import functools
import importlib
import importlib.metadata
import inspect
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError, near_miss
from zoo.files import sha256, write_text
from zoo.loading import register_models

if TYPE_CHECKING:
    import keras

    from zoo.model import GenerativeModel

FOLDER = Path(__file__).parent / "weights"
CONFIG, WEIGHTS, METADATA, CARD = "config.json", "model.weights.h5", "metadata.json", "card.md"
_FORMAT = 1


@functools.cache
def registry() -> dict[str, dict[str, Any]]:
    """Returns what is known of each preset that comes along, by name, without loading TensorFlow."""
    return _read_json(FOLDER / "registry.json")


def list_presets() -> list[str]:
    """Returns the names that `from_preset` takes."""
    return sorted(registry())


def from_preset(name: str | Path) -> "GenerativeModel":
    """Loads a pretrained generative model; its class is found by itself.

    Args:
        name: One of `list_presets()`, or a folder written by `save_to_preset`.

    Returns:
        The model, not compiled. `compile` it to train on.

    Raises:
        ZooError: There is no such preset, it generates nothing, or a file is missing, truncated or altered.
    """
    from zoo.model import GenerativeModel

    model = load(name)
    if not isinstance(model, GenerativeModel):
        kind = type(model).__name__
        raise ZooError(f"preset '{name}' is a {kind}, which generates nothing: use zoo.metrics.{kind}.from_preset.")
    return model


def load(name: str | Path) -> "keras.Model":
    """Loads any preset, also one that generates nothing, such as a classifier; else like `from_preset`."""
    folder, hashes = _find(name)
    unhashed = {CONFIG, WEIGHTS, CARD} - set(hashes)
    if unhashed:
        raise ZooError(
            f"{folder / METADATA} lacks the SHA-256 of {', '.join(sorted(unhashed))}. Save the preset again."
        )
    for file, expected in hashes.items():
        _check(folder / file, expected)
    config = _read_json(folder / CONFIG)
    return _build(config, folder)


def metadata(name: str | Path) -> dict[str, Any]:
    """Returns the metadata of a preset.

    Raises:
        ZooError: There is no such preset.
    """
    folder, _ = _find(name)
    return _read_json(folder / METADATA)


def save_to_preset(
    model: "keras.Model",
    directory: str | Path,
    weights_dtype: str = "float32",
    card: str = "",
    **details: Any,
) -> None:
    """Saves a model as a preset folder, whole or not at all.

    Args:
        model: What to save. The optimizer is left out.
        directory: The folder to make.
        weights_dtype: "float32", or "float16" for half the size.
        card: Markdown for people; a short one is written when empty.
        **details: More for metadata.json, of JSON values: figures, data, settings.

    Raises:
        ZooError: The folder is there already, or the dtype is another.
    """
    import numpy as np

    directory = Path(directory)
    if weights_dtype not in ("float32", "float16"):
        raise ZooError(f"weights_dtype is {weights_dtype!r}, expected 'float32' or 'float16'.")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ZooError(f"{directory} is there already and not empty. Choose another folder.")
    for weight in model.weights:
        if not np.isfinite(weight).all():
            raise ZooError(f"weight {weight.path} is not finite: the model is damaged or diverged, and is not saved.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=".partial-"))
    try:
        _write(model, temporary, weights_dtype, card, details)
        temporary.chmod(0o755)
        temporary.replace(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(model: "keras.Model", folder: Path, weights_dtype: str, card: str, details: dict[str, Any]) -> None:
    import keras

    # A copy that was never compiled: `save_weights` would store the optimizer too, and the config would name it.
    fresh = type(model).from_config(model.get_config())
    fresh.set_weights(model.get_weights())
    model = fresh
    model.save_weights(folder / WEIGHTS)
    if weights_dtype == "float16":
        _halve(folder / WEIGHTS)
    config = _without_defaults(keras.saving.serialize_keras_object(model))
    write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    write_text(
        folder / CARD,
        card or f"# {folder.name}\n\nA {type(model).__name__} with {model.count_params():,} parameters.\n",
    )
    written = {
        "format": _FORMAT,
        "class": type(model).__name__,
        "keras_version": keras.__version__,
        "genzoo_version": importlib.metadata.version("genzoo"),
        "date_saved": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "parameters": model.count_params(),
        "weights_dtype": weights_dtype,
        **details,
        "files": {file: sha256(folder / file) for file in (CONFIG, WEIGHTS, CARD)},
    }
    write_text(folder / METADATA, json.dumps(written, indent=2) + "\n")


def _without_defaults(config: Any) -> Any:
    """Returns a serialized object without the arguments of Keras's own classes that are None, like their defaults.

    Newer versions of Keras name arguments that older ones do not know; left out, both read the preset.
    """
    if isinstance(config, list):
        return [_without_defaults(item) for item in config]
    if not isinstance(config, dict):
        return config
    cleaned = {key: _without_defaults(value) for key, value in config.items()}
    module = str(cleaned.get("module"))
    if module.split(".")[0] == "keras" and isinstance(cleaned.get("config"), dict):
        known = inspect.signature(getattr(importlib.import_module(module), cleaned["class_name"])).parameters
        arguments = cleaned["config"].items()
        cleaned["config"] = {
            key: value
            for key, value in arguments
            if value is not None or key not in known or known[key].default is not None
        }
    return cleaned


def _halve(path: Path) -> None:
    """Rewrites an HDF5 file of weights with its float32 arrays as float16."""
    import h5py
    import numpy as np

    smaller = path.with_name(f"half-{path.name}")
    with h5py.File(path, "r") as source, h5py.File(smaller, "w") as target:

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                values = item[()]
                if values.dtype == np.float32:
                    if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
                        raise ZooError(f"weight {name} is too large for float16. Save with weights_dtype='float32'.")
                    values = values.astype(np.float16)
                new = target.create_dataset(name, data=values)
            else:
                new = target.require_group(name)
            new.attrs.update(item.attrs)

        source.visititems(copy)
        target.attrs.update(source.attrs)
    smaller.replace(path)


def _find(name: str | Path) -> tuple[Path, dict[str, str]]:
    """Returns a preset's folder and the hashes that its files should have."""
    if not isinstance(name, str | Path):
        raise ZooError(f"the name of a preset is {name!r}, expected one of: {', '.join(list_presets())}, or a folder.")
    if str(name) in registry():
        return FOLDER / str(name), registry()[str(name)]["files"]
    folder = Path(name)
    if folder.is_dir() and (folder / METADATA).exists():
        return folder, _read_json(folder / METADATA).get("files", {})
    known = list_presets()
    raise ZooError(
        f"unknown preset '{name}'.{near_miss(str(name), known)} Known: {', '.join(known)}, or a folder written by "
        "save_to_preset."
    )


def _check(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ZooError(f"{path} is missing. Install genzoo again, or save the preset again.")
    if sha256(path) != expected:
        raise ZooError(
            f"{path} is altered or truncated: its SHA-256 is not the recorded one. Install genzoo again, or save the "
            "preset again."
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # of JSON, of text, of numbers too long, of lists too deep
        raise ZooError(f"{path} is damaged ({error}). Install genzoo again, or save the preset again.") from error


def _build(config: dict[str, Any], folder: Path) -> "keras.Model":
    register_models()
    import keras

    model = keras.saving.deserialize_keras_object(config)
    model.load_weights(folder / WEIGHTS)
    return model
