"""What can be said of models: a section of settings for each kind."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


Size = Annotated[int, Field(ge=1, le=4096)]


class _NetworkSettings(Section):
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


class RBMSettings(_NetworkSettings):
    """A restricted Boltzmann machine."""

    kind: Literal["rbm"] = "rbm"
    hidden: int = Field(ge=1, le=65536, description="hidden units")
    gibbs_steps: int = Field(default=1, ge=1, description="of the chains, for each step of the optimizer")
    persistent_chains: int = Field(default=100, ge=0, description="chains that go on; 0: they start at the data")


class EBMSettings(_NetworkSettings):
    """The energy, what it is trained by, and what chains are run with."""

    kind: Literal["ebm"] = "ebm"
    network: Literal["conv", "unet"] = Field(default="conv", description="kind of energy")
    filters: list[Size] = Field(min_length=1, max_length=6, description="filters at each half of the size before")
    hidden: int = Field(default=128, ge=1, description="width of a dense layer that sees the whole image, of conv")
    activation: str = Field(default="swish", description="any Keras activation; smooth ones suit chains")
    objective: Literal[
        "contrastive_divergence",
        "persistent_contrastive_divergence",
        "noise_contrastive_estimation",
        "equilibrium_matching",
        "denoising_score_matching",
        "sliced_score_matching",
    ] = Field(default="persistent_contrastive_divergence", description="what the energy is trained by")
    steps: int = Field(default=40, ge=1, description="of chains, for each step of the optimizer")
    buffer_size: int = Field(default=10_000, ge=1, description="persistent chains")
    reinit_rate: float = Field(default=0.05, ge=0, le=1, description="share of persistent chains that start anew")
    reinit_from_data: float = Field(default=0.0, ge=0, le=1, description="share of those that start at data, not noise")
    regularization: float = Field(default=0.01, ge=0, description="of the squares of energies, beside chains")
    data_noise: float = Field(default=0.0, ge=0, description="standard deviation of noise in data, beside chains")
    kl_weight: float = Field(default=0.0, ge=0, description="of the loss of chains themselves")
    sampler: Literal["langevin", "descent", "nesterov"] = Field(default="langevin", description="what chains do")
    step_size: float = Field(default=1e-4, gt=0, description="of chains")
    noise_scale: float | None = Field(default=None, ge=0, description="of Langevin steps, where not sqrt(2 step_size)")
    gradient_clip: float | None = Field(
        default=None, gt=0, description="largest entry of a gradient, of Langevin steps"
    )
    sample_steps: int = Field(default=200, ge=1, description="of the chains that samples are drawn by")
    betas: tuple[float, float] = Field(default=(0.9, 0.999), description="of Adam")


class JEMSettings(EBMSettings):
    """A classifier that is an energy too."""

    kind: Literal["jem"] = "jem"  # pyright: ignore[reportIncompatibleVariableOverride]
    energy_weight: float = Field(default=1.0, ge=0, description="of the objective, beside the cross-entropy")


class ScoreSettings(_NetworkSettings):
    """A U-Net that denoises at all levels of noise."""

    kind: Literal["score"] = "score"
    filters: list[Size] = Field(min_length=1, max_length=6, description="filters at each half of the size before")
    blocks: int = Field(default=1, ge=1, description="residual blocks at each size, down and up")
    heads: int = Field(default=4, ge=0, description="of attention at the smallest size; 0: none")
    noise_levels: tuple[float, float] = Field(default=(0.01, 20.0), description="the smallest and the largest level")
    deviation: float = Field(default=0.5, gt=0, description="root mean square of pixels minus 0.5")
    level_median: float | None = Field(default=None, gt=0, description="of noise in training; none: 0.6 deviations")
    sample_steps: int = Field(default=40, ge=2, description="evaluations of the network for a sample")
    renewal: float = Field(default=0.0, ge=0, le=1, description="share of the noise of samples drawn anew at each step")


Kind = (
    Annotated[VAESettings, Tag("vae")]
    | Annotated[IWAESettings, Tag("iwae")]
    | Annotated[ConditionalVAESettings, Tag("cvae")]
    | Annotated[HierarchicalVAESettings, Tag("hvae")]
    | Annotated[VQVAESettings, Tag("vqvae")]
    | Annotated[GANSettings, Tag("gan")]
    | Annotated[RBMSettings, Tag("rbm")]
    | Annotated[EBMSettings, Tag("ebm")]
    | Annotated[JEMSettings, Tag("jem")]
    | Annotated[ScoreSettings, Tag("score")]
)
ModelSettings = Annotated[
    Kind, Discriminator(lambda model: model.get("kind", "vae") if isinstance(model, dict) else model.kind)
]
KINDS = ("vae", "iwae", "cvae", "hvae", "vqvae", "gan", "rbm", "ebm", "jem", "score")
