"""What a training run leaves on disk, and how it goes on after an interruption.

settings.yaml       the settings, all of them
metrics.jsonl       a line an epoch
checkpoints/        last.keras: the model with its optimizer, after the last epoch
samples/            grids drawn with one fixed seed as training goes on
model.keras         the trained model, at the end
evaluation.json     its figures, and how they were measured
"""

import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import keras

from recipes.output import save_images
from recipes.settings import Settings, validated
from zoo.errors import ZooError
from zoo.files import write_atomically, write_text
from zoo.model import GenerativeModel

_GRIDS, _GRID_IMAGES = 10, 64


class RunFolder:
    """The files of one run.

    Args:
        path: The folder, which need not exist.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.settings_file = self.path / "settings.yaml"
        self.metrics_file = self.path / "metrics.jsonl"
        self.checkpoint = self.path / "checkpoints" / "last.keras"
        self.model_file = self.path / "model.keras"
        self.evaluation_file = self.path / "evaluation.json"

    def start(self, settings: Settings, model: GenerativeModel) -> None:
        """Makes the folder for a new run, with a checkpoint from which it can always go on.

        Raises:
            ZooError: It holds something already.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            remedy = "Add --resume to go on with it, or choose" if self.checkpoint.exists() else "Choose"
            raise ZooError(f"{self.path} is there already and not empty. {remedy} another folder with -o.")
        try:
            write_text(self.settings_file, settings.to_yaml())
            write_atomically(self.checkpoint, model.save)
            (self.path / "samples").mkdir(exist_ok=True)
        except OSError:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def reopen(self, recipe: str) -> Settings:
        """Returns the settings of a run to go on with.

        Raises:
            ZooError: There is no checkpoint, the run is finished, or it is of another recipe.
        """
        if self.evaluation_file.exists():
            raise ZooError(f"the run in {self.path} is finished: its model is {self.model_file}.")
        if not self.checkpoint.exists():
            raise ZooError(f"there is no checkpoint in {self.path} to resume from. Leave --resume out.")
        settings = read_settings(self.path)
        if settings.recipe != recipe:
            raise ZooError(
                f"{self.path} is a run of {settings.recipe}: zoo train {settings.recipe} -o {self.path} --resume"
            )
        return settings

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Adds a line to the metrics."""
        before = self.metrics_file.read_text(encoding="utf-8") if self.metrics_file.exists() else ""
        write_text(self.metrics_file, before + json.dumps(record) + "\n")

    def training_time(self) -> tuple[int, float]:
        """Returns the passes over the images, and the minutes that all stages of training took."""
        lines = [json.loads(line) for line in self.metrics_file.read_text(encoding="utf-8").splitlines()]
        return sum("epoch" in line for line in lines), sum(line["seconds"] for line in lines) / 60

    def core_minutes(self) -> float | None:
        """Returns the minutes of one core that training took, whatever else the machine did; None if not all is known.

        Runs of before do not say, nor what is trained after the epochs.
        """
        lines = [json.loads(line) for line in self.metrics_file.read_text(encoding="utf-8").splitlines()]
        if not all("core_seconds" in line for line in lines):
            return None
        return sum(line["core_seconds"] for line in lines) / 60

    def save_model(self, model: GenerativeModel) -> None:
        """Saves the trained model."""
        write_atomically(self.model_file, model.save)

    def save_evaluation(self, evaluation: dict[str, Any]) -> None:
        """Saves the figures."""
        write_text(self.evaluation_file, json.dumps(evaluation, indent=2) + "\n")


def read_settings(folder: Path) -> Settings:
    """Returns the settings of a run.

    Raises:
        ZooError: The folder holds none, or they are damaged.
    """
    import yaml

    file = Path(folder) / "settings.yaml"
    if not file.exists():
        raise ZooError(f"{folder} is no run folder: it has no settings.yaml.")
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ZooError(f"{file} is not valid YAML: {error}.") from error
    return validated(values)


class RunRecorder(keras.callbacks.Callback):
    """Writes a line of metrics and a checkpoint after each epoch, and a grid of samples now and then."""

    model: GenerativeModel

    def __init__(self, folder: RunFolder, epochs: int):
        super().__init__()
        self._folder = folder
        self._every = max(1, epochs // _GRIDS)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Starts the clocks."""
        self._started, self._computed = time.monotonic(), time.process_time()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Records epoch number `epoch` (from 0)."""
        seconds = time.monotonic() - self._started
        times = {"seconds": seconds, "core_seconds": time.process_time() - self._computed}
        record = {"epoch": epoch + 1, **times, **{key: float(value) for key, value in (logs or {}).items()}}
        file = self._folder.metrics_file
        before = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        kept = [line for line in before if json.loads(line).get("epoch", math.inf) <= epoch]
        write_text(file, "\n".join([*kept, json.dumps(record)]) + "\n")
        # A model whose prior is fitted afterwards cannot sample yet.
        if (epoch + 1) % self._every == 0 and "sample" in self.model.signatures():
            images = self.model.sample(_GRID_IMAGES, seed=0)
            save_images(images, self._folder.path / "samples" / f"epoch_{epoch + 1:04d}.png")
        # Last, so that whatever a checkpoint promises has been written.
        write_atomically(self._folder.checkpoint, self.model.save)
