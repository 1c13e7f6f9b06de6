"""Opens a model by whatever names it: a preset, a `.keras` file, a run folder or a preset folder."""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

import zoo
import zoo.vae.vae  # registers the classes that a file can name
from recipes.run_folder import RunFolder, read_settings
from recipes.settings import ImageSettings
from zoo import presets
from zoo.errors import ZooError
from zoo.model import GenerativeModel


@dataclass(frozen=True)
class OpenedModel:
    """A model, with what is known of how it was made."""

    model: GenerativeModel
    data: str | None = None
    image: ImageSettings = field(default_factory=lambda: ImageSettings())
    figures: dict[str, Any] = field(default_factory=dict)


def open_model(name: str) -> OpenedModel:
    """Opens a model.

    Args:
        name: A preset, a `.keras` file, a run folder (finished, or with a checkpoint) or a preset folder.

    Raises:
        ZooError: Nothing of that name can be opened.
    """
    path = Path(name)
    if name in presets.registry() or (path / presets.METADATA).is_file():
        details = presets.metadata(name)
        return OpenedModel(zoo.from_preset(name), details.get("data"), figures=details.get("figures", {}))
    if path.is_dir():
        return _open_run(path)
    if path.is_file():
        return OpenedModel(load_keras(path))
    # Names the near miss, should it have been meant for a preset.
    presets.metadata(name)
    raise AssertionError("presets.metadata raises for unknown names")


def _open_run(path: Path) -> OpenedModel:
    settings, folder = read_settings(path), RunFolder(path)
    file = folder.model_file if folder.model_file.exists() else folder.checkpoint
    if not file.exists():
        raise ZooError(
            f"{path} holds neither model.keras nor a checkpoint. Train it first: zoo train {settings.recipe}"
        )
    figures = json.loads(folder.evaluation_file.read_text()) if folder.evaluation_file.exists() else {}
    return OpenedModel(load_keras(file), settings.data, settings.image, figures)


def load_keras(path: Path) -> GenerativeModel:
    """Loads a `.keras` file.

    Raises:
        ZooError: It is damaged, or holds no model of the zoo.
    """
    try:
        model = keras.models.load_model(path)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise ZooError(f"{path} cannot be read as a .keras file: {str(error).splitlines()[0]}") from error
    if not isinstance(model, GenerativeModel):
        raise ZooError(f"{path} holds a {type(model).__name__}, not a model of the zoo.")
    return model
