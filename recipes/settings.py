"""What a run can be told: validated settings, addressed by dotted names such as `train.epochs`."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from zoo.errors import ZooError, near_miss


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


Size = Annotated[int, Field(ge=1, le=4096)]


class ImageSettings(_Section):
    """How images from a folder become arrays."""

    size: Size | tuple[Size, Size] | None = Field(
        default=None, description="side, or [height, width]; None keeps theirs"
    )
    channels: Literal[1, 3] | None = Field(default=None, description="1 grey, 3 colour; None: grey if all are grey")


class _NetworkSettings(_Section):
    width: float = Field(default=1.0, gt=0, le=64, description="all filters and hidden units are so many times as many")


class VAESettings(_NetworkSettings):
    """The networks and distributions of a VAE."""

    kind: Literal["vae"] = "vae"
    network: Literal["mlp", "conv", "residual"] = Field(description="kind of encoder and decoder")
    latent_size: int = Field(ge=1, le=4096, description="number of latent dimensions")
    hidden: int = Field(ge=1, le=65536, description="width of the fully connected layers")
    filters: list[Size] = Field(default=[32, 64], min_length=1, max_length=5, description="filters of each convolution")
    activation: str = Field(default="elu", description="any Keras activation")
    posterior: str = Field(default="diagonal_normal", description="distribution of the latents given an image")
    prior: str = Field(default="standard_normal", description="distribution of the latents")
    likelihood: str = Field(default="bernoulli", description="distribution of the pixels")
    levels: int | None = Field(default=None, ge=2, le=65536, description="values a pixel can have; None: 256")
    kl_warm_up: int = Field(default=0, ge=0, description="steps over which the KL gets its whole weight")
    free_bits: float = Field(default=0.0, ge=0, description="nats a latent that the KL is not pushed below")


class IWAESettings(VAESettings):
    """The networks, distributions and bound of an IWAE."""

    kind: Literal["iwae"] = "iwae"  # pyright: ignore[reportIncompatibleVariableOverride]
    num_samples: int = Field(ge=1, description="draws an image")
    gradient: Literal["reparameterized", "doubly_reparameterized"] = "reparameterized"


class ConditionalVAESettings(VAESettings):
    """The networks and distributions of a VAE that takes labels."""

    kind: Literal["cvae"] = "cvae"  # pyright: ignore[reportIncompatibleVariableOverride]


class HierarchicalVAESettings(_NetworkSettings):
    """The networks and levels of a hierarchical VAE."""

    kind: Literal["hvae"] = "hvae"
    filters: list[Size] = Field(min_length=1, max_length=5, description="filters at each half of the size before")
    hidden: int = Field(default=0, ge=0, description="width of a top level that sees the whole image, or 0 for none")
    resolutions: int | None = Field(default=None, ge=1, description="coarsest ones that have levels; None: all")
    latents: list[list[Size]] = Field(min_length=1, description="channels of the levels by resolution, coarsest first")
    encoder_blocks: int = Field(default=1, ge=0, description="residual blocks a resolution, going up")
    blocks: int = Field(default=1, ge=0, description="residual blocks a level, going down")
    decoder_filters: list[Size] = Field(default=[16], description="filters at each doubling after the levels")
    activation: str = Field(default="elu", description="any Keras activation")
    likelihood: str = Field(default="bernoulli", description="distribution of the pixels")
    levels: int | None = Field(default=None, ge=2, le=65536, description="values a pixel can have; None: 256")
    kl_warm_up: int = Field(default=0, ge=0, description="steps over which the KL gets its whole weight")
    free_bits: float = Field(default=0.0, ge=0, description="nats a level that the KL is not pushed below")


class VQVAESettings(_NetworkSettings):
    """The networks, codes and prior of a VQ-VAE."""

    kind: Literal["vqvae"] = "vqvae"
    filters: list[Size] = Field(min_length=1, max_length=5, description="filters of each convolution")
    channels: Size = Field(description="size of a code's vector")
    blocks: int = Field(default=2, ge=0, description="residual blocks")
    codes: int = Field(ge=2, le=65536, description="size of the codebook")
    likelihood: str = Field(default="bernoulli", description="distribution of the pixels")
    levels: int | None = Field(default=None, ge=2, le=65536, description="values a pixel can have; None: 256")
    commitment: float = Field(default=0.25, ge=0, description="weight of the commitment")
    prior_filters: Size = Field(default=64, description="filters of the PixelCNN")
    prior_blocks: int = Field(default=6, ge=1, description="residual blocks of the PixelCNN")
    prior_epochs: int = Field(ge=1, description="passes over the codes to fit the prior")


class GANSettings(_NetworkSettings):
    """The networks, the game and what holds its discriminator."""

    kind: Literal["gan"] = "gan"
    network: Literal["dcgan", "residual"] = Field(description="kind of generator and discriminator")
    latent_size: int = Field(ge=1, le=4096, description="size of the latents")
    filters: list[Size] = Field(min_length=1, max_length=6, description="filters at each half of the size before")
    normalization: Literal["batch", "spectral", "none"] = Field(
        default="none", description="of a dcgan discriminator; residual ones have none"
    )
    hidden: int = Field(
        default=0, ge=0, description="width of a dense layer that ends a dcgan discriminator; 0 for none"
    )
    conditioning: Literal["projection", "concatenation", "classifier"] | None = Field(
        default=None, description="how the discriminator learns of labels; None: the GAN takes none"
    )
    loss: str = Field(default="non_saturating", description="pair of losses")
    r1: float = Field(default=0.0, ge=0, description="weight of the penalty R1, or 0 for none")
    r2: float = Field(default=0.0, ge=0, description="weight of the penalty R2, or 0 for none")
    gradient_penalty: float = Field(default=0.0, ge=0, description="weight of the gradient penalty, or 0 for none")
    penalty_every: int = Field(default=1, ge=1, description="steps of the discriminator from one penalty to the next")
    discriminator_steps: int = Field(default=1, ge=1, description="for each of the generator; they share out a batch")
    average: float = Field(default=0.999, ge=0, lt=1, description="momentum of the generator's average")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="how far the target of real images is below 1")
    weight_clip: float | None = Field(default=None, gt=0, description="largest absolute weight of the discriminator")
    augmentation: list[Literal["color", "translation", "cutout"]] = Field(
        default=[], description="what images suffer before they are judged"
    )
    betas: tuple[float, float] = Field(default=(0.5, 0.999), description="of Adam, for both networks")


Kind = (
    Annotated[VAESettings, Tag("vae")]
    | Annotated[IWAESettings, Tag("iwae")]
    | Annotated[ConditionalVAESettings, Tag("cvae")]
    | Annotated[HierarchicalVAESettings, Tag("hvae")]
    | Annotated[VQVAESettings, Tag("vqvae")]
    | Annotated[GANSettings, Tag("gan")]
)
ModelSettings = Annotated[
    Kind, Discriminator(lambda model: model.get("kind", "vae") if isinstance(model, dict) else model.kind)
]
_KINDS = ("vae", "iwae", "cvae", "hvae", "vqvae", "gan")


class TrainSettings(_Section):
    """How the model is fitted."""

    epochs: int = Field(ge=1, description="passes over the training images")
    batch_size: int = Field(ge=1, description="images a step")
    learning_rate: float = Field(gt=0, description="Adam's first step size")
    decay: bool = Field(default=True, description="whether the step size falls to 1 % along a cosine")
    seed: int = Field(default=0, ge=0, lt=2**31, description="decides weights, order and noise")
    validation: int = Field(ge=1, description="training images held out to watch, a tenth at most")
    start_from: str | None = Field(default=None, description="begin with the weights of this preset, file or run")
    images: int | None = Field(default=None, ge=2, description="use the first training images only")
    dtype: Literal["float32", "mixed_bfloat16"] = Field(
        default="float32", description="what layers compute in while training; the model left behind is float32"
    )
    jit_compile: bool = Field(default=False, description="compile the step with XLA")
    tensorboard: bool = Field(default=False, description="write the metrics for TensorBoard too")
    steps_per_execution: int = Field(
        default=1, ge=1, description="steps at a time; more are faster where they are short"
    )


class EvaluateSettings(_Section):
    """How the trained model is measured."""

    draws: int = Field(default=1, ge=1, description="importance draws an image, of models with a likelihood")
    images: int = Field(ge=1, description="test images for the likelihood, the first ones")
    features: str | None = Field(
        default=None, description="network that samples are judged in, or 'none'; None: the classifier of the data"
    )
    samples: int = Field(default=10_000, ge=20, description="samples that are judged")


class Settings(_Section):
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
                f"setting model.kind: recipes know no '{given}'.{near_miss(given, _KINDS)} Known: {', '.join(_KINDS)}. "
                "Other classes of models are trained from Python."
            ) from None
        # Where a value may be of several types, pydantic adds the type's name, such as "constrained-int", to the place.
        key = ".".join(str(part) for part in first["loc"] if not set("-[") & set(str(part)))
        for kind in _KINDS:  # and where a model may be of several kinds, its kind
            key = key.replace(f"model.{kind}", "model", 1)
        given = f" (given: {first['input']!r})" if first["type"] != "missing" else ""
        raise ZooError(f"setting {key}: {first['msg']}{given}.") from None


def _names(values: dict[str, Any], prefix: str = "") -> list[str]:
    names = []
    for key, value in values.items():
        names += _names(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return names
