"""Loading `.keras` files of the zoo's models, in a process that has not used their classes yet."""

import importlib
import pkgutil
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.backend import check_environment
from zoo.errors import ZooError, a_kind

if TYPE_CHECKING:
    from zoo.model import GenerativeModel

_WITH_MODELS = ("zoo.ebm", "zoo.gan", "zoo.networks", "zoo.vae")


def register_models() -> None:
    """Imports every module that may hold a model or a layer, so that Keras finds the classes that a file names."""
    check_environment()
    importlib.import_module("zoo.metrics.classifier")
    for package in _WITH_MODELS:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)


def load_model(path: str | Path, any_model: bool = False) -> "GenerativeModel":
    """Loads a model saved with `model.save("name.keras")`, with its optimizer where it was compiled.

    Args:
        path: The file.
        any_model: Whether a Keras model that is not one of the zoo's is accepted.

    Raises:
        ZooError: The file is missing or damaged, or holds no model of the zoo.
    """
    register_models()
    import keras

    from zoo.model import GenerativeModel

    if Path(path).is_dir():
        raise ZooError(f"{path} is a folder, expected a .keras file. That of a run folder is model.keras in it.")
    if not Path(path).is_file():
        raise ZooError(f"there is no file {path}.")
    if not zipfile.is_zipfile(path):
        raise ZooError(f"{path} is truncated, or no .keras file. Save the model again: model.save('name.keras').")
    try:
        model = keras.models.load_model(path)
    except TypeError as error:
        unknown = re.search(r"Could not locate (class|function) '(.+?)'", str(error))
        if not unknown:
            raise _unreadable(path, error) from error
        kind, name = unknown.groups()
        raise ZooError(
            f"{path} holds the {kind} {name}, which this process does not know: put "
            "@keras.saving.register_keras_serializable() above its definition, import that before loading, and save "
            "the model again. A command line imports nothing of yours: load and export such a model from Python."
        ) from error
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error
    if not any_model and not isinstance(model, GenerativeModel):
        raise ZooError(f"{path} holds {a_kind(model)}, not a model of the zoo.")
    return model


def _unreadable(path: str | Path, error: Exception) -> ZooError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return ZooError(f"{path} cannot be read as a .keras file ({reason}). If it is damaged, save the model again.")
