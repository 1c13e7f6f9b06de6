"""Opens a model by whatever names it: a preset, a `.keras` file, a run folder or a preset folder."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zoo
from recipes.registry import names
from recipes.run_folder import RunFolder, read_settings
from recipes.settings import ImageSettings
from zoo import presets
from zoo.errors import ZooError, near_miss
from zoo.metrics import FeatureNetwork, feature_network
from zoo.metrics.features import default_for
from zoo.model import GenerativeModel

NO_NETWORK = "none"  # what is named to have samples judged in none


@dataclass(frozen=True)
class OpenedModel:
    """A model, with what is known of how it was made.

    Training held out the first `validation` images, a tenth at most, of the first `train_images`.
    """

    model: GenerativeModel  # or another, where that is asked for
    data: str | None = None
    image: ImageSettings = field(default_factory=lambda: ImageSettings())
    figures: dict[str, Any] = field(default_factory=dict)
    warning: str = ""  # of a run that has not ended
    validation: int = 1000
    train_images: int | None = None


def open_model(name: str, any_model: bool = False) -> OpenedModel:
    """Opens a model.

    Args:
        name: A preset, a `.keras` file, a run folder (finished, or with a checkpoint) or a preset folder.

        any_model: Whether it may be a Keras model that generates nothing: a classifier, or one that is not the zoo's.

    Raises:
        ZooError: Nothing of that name can be opened.
    """
    path = Path(name)
    if name in presets.registry() or (path / presets.METADATA).is_file():
        details = presets.metadata(name)
        how = details.get("settings", {}).get("train", {})
        return OpenedModel(
            presets.load(name) if any_model else zoo.from_preset(name),
            details.get("data"),
            figures=details.get("figures", {}),
            validation=how.get("validation", OpenedModel.validation),
            train_images=how.get("images"),
        )
    if path.is_dir():
        return _open_run(path)
    if path.is_file():
        return OpenedModel(zoo.load_model(path, any_model))
    if path.suffix or len(path.parts) > 1:
        raise ZooError(f"there is no file or folder {path}.")
    if name in names():
        raise ZooError(f"{name} is a recipe. Train it, zoo train {name}, and give the run folder, runs/{name}.")
    known = presets.list_presets()
    raise ZooError(
        f"there is no preset, run folder or .keras file '{name}'.{near_miss(name, known)} Presets: {', '.join(known)}."
    )


def open_network(name: str | None, data: str | None) -> FeatureNetwork | None:
    """Returns the network that samples are judged in: by name, or by default the classifier of the data.

    Raises:
        ZooError: There is no such network.
    """
    chosen = default_for(data or "") if name is None else name
    return None if chosen in (None, NO_NETWORK) else feature_network(chosen)


def _open_run(path: Path) -> OpenedModel:
    settings, folder = read_settings(path), RunFolder(path)
    ended = folder.model_file.exists()
    file = folder.model_file if ended else folder.checkpoint
    if not file.exists():
        raise ZooError(
            f"{path} holds neither model.keras nor a checkpoint. Train it first: zoo train {settings.recipe}"
        )
    try:
        figures = json.loads(folder.evaluation_file.read_text()) if folder.evaluation_file.exists() else {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ZooError(
            f"{folder.evaluation_file} is damaged ({error}). Remove it: zoo evaluate {path} measures again."
        ) from error
    go_on = f"zoo train {settings.recipe} -o {path} --resume"
    warning = (
        "" if ended else f"{path} is a run that has not ended; this is its last checkpoint. Go on with it: {go_on}"
    )
    how = settings.train
    return OpenedModel(
        zoo.load_model(file), settings.data, settings.image, figures, warning, how.validation, how.images
    )
