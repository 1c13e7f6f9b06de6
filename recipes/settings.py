"""What a run can be told: validated settings, addressed by dotted names such as `train.epochs`."""

from collections.abc import Iterable
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from recipes.model_settings import KINDS, ModelSettings, Section, Size, VQVAESettings
from zoo.errors import ZooError, near_miss


class ImageSettings(Section):
    """How images from a folder become arrays."""

    size: Size | tuple[Size, Size] | None = Field(
        default=None, description="side, or [height, width]; None keeps theirs"
    )
    channels: Literal[1, 3] | None = Field(default=None, description="1 grey, 3 colour; None: grey if all are grey")


class TrainSettings(Section):
    """How the model is fitted."""

    epochs: int = Field(ge=1, description="passes over the training images")
    batch_size: int = Field(ge=1, description="images a step")
    learning_rate: float = Field(gt=0, description="Adam's first step size")
    clip_norm: float | None = Field(default=None, gt=0, description="largest norm of the gradient of a step")
    decay: bool = Field(default=True, description="whether the step size falls to 1 % along a cosine")
    seed: int = Field(default=0, ge=0, lt=2**31, description="decides weights, order and noise")
    validation: int = Field(ge=1, description="training images held out to watch, a tenth at most")
    start_from: str | None = Field(default=None, description="begin with the weights of this preset, file or run")
    images: int | None = Field(default=None, ge=2, description="use the first training images only")
    dtype: Literal["float32", "mixed_bfloat16", "auto"] = Field(
        default="float32",
        description="what layers compute in, auto: what is quicker here; the model that training leaves is float32",
    )
    jit_compile: bool = Field(default=False, description="compile the step with XLA")
    tensorboard: bool = Field(default=False, description="write the metrics for TensorBoard too")
    steps_per_execution: int = Field(
        default=1, ge=1, description="steps at a time; more are faster where they are short"
    )


class EvaluateSettings(Section):
    """How the trained model is measured."""

    draws: int = Field(default=1, ge=1, description="importance draws an image, of models with a likelihood")
    images: int = Field(ge=1, description="test images for the likelihood, the first ones")
    features: str | None = Field(
        default=None, description="network that samples are judged in, or 'none'; None: the classifier of the data"
    )
    samples: int = Field(default=10_000, ge=20, description="samples that are judged")


class Settings(Section):
    """All settings of a run."""

    recipe: str
    data: str = Field(description="digits, mnist, fashion_mnist, cifar10, npz:PATH or folder:PATH")
    image: ImageSettings = Field(default_factory=ImageSettings)
    model: ModelSettings
    train: TrainSettings
    evaluate: EvaluateSettings

    def to_yaml(self) -> str:
        """Returns the settings as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def smoke(settings: Settings) -> Settings:
    """Returns settings cut down to a trial of seconds: one epoch on few images."""
    small = {"epochs": 1, "batch_size": min(32, settings.train.batch_size), "images": 256}
    train = settings.train.model_copy(update=small)
    evaluation = settings.evaluate.model_copy(update={"draws": 5, "images": 32, "samples": 32})
    model = settings.model.model_copy(update={"prior_epochs": 1} if isinstance(settings.model, VQVAESettings) else {})
    return settings.model_copy(update={"train": train, "evaluate": evaluation, "model": model})


def override(settings: Settings, assignments: Iterable[str]) -> Settings:
    """Returns settings with `key=value` assignments applied; values are read as YAML.

    Raises:
        ZooError: An assignment has no "=", names no setting, or has a value that does not fit.
    """
    values = settings.model_dump()
    known = _names(values)
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator:
            raise ZooError(f"'{assignment}' is not key=value. For example: --set train.epochs=5")
        if key not in known or key == "recipe":
            raise ZooError(f"unknown setting '{key}'.{near_miss(key, known)} Known: {', '.join(sorted(known))}.")
        *sections, last = key.split(".")
        target = values
        for section in sections:
            target = target[section]
        try:
            target[last] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ZooError(f"the value of {key} cannot be read: '{text}'. Quote it as in YAML.") from None
    return validated(values)


def validated(values: dict[str, Any]) -> Settings:
    """Returns settings from plain values.

    Raises:
        ZooError: A value is missing, unknown or does not fit.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "union_tag_invalid":
            given = str(first["input"].get("kind"))
            raise ZooError(
                f"setting model.kind: recipes know no '{given}'.{near_miss(given, KINDS)} Known: {', '.join(KINDS)}. "
                "Other classes of models are trained from Python."
            ) from None
        # Where a value may be of several types, pydantic adds the type's name, such as "constrained-int", to the place.
        key = ".".join(str(part) for part in first["loc"] if not set("-[") & set(str(part)))
        for kind in KINDS:  # and where a model may be of several kinds, its kind
            key = key.replace(f"model.{kind}", "model", 1)
        given = f" (given: {first['input']!r})" if first["type"] != "missing" else ""
        raise ZooError(f"setting {key}: {first['msg']}{given}.") from None


def _names(values: dict[str, Any], prefix: str = "") -> list[str]:
    names = []
    for key, value in values.items():
        names += _names(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return names
