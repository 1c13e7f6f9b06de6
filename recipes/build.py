"""Builds the models that settings describe."""

from collections.abc import Callable
from typing import Any

import zoo
from recipes.data import Dataset
from recipes.settings import (
    ConditionalVAESettings,
    GANSettings,
    HierarchicalVAESettings,
    IWAESettings,
    VAESettings,
    VQVAESettings,
)
from zoo.errors import ZooError
from zoo.gan.penalties import R1, R2, GradientPenalty
from zoo.model import GenerativeModel
from zoo.vae.likelihoods import LIKELIHOODS, Likelihood
from zoo.vae.likelihoods.levels import QuantizedLikelihood
from zoo.vae.parts import find_layer
from zoo.vae.quantizers import VectorQuantizer
from zoo.validation import check_activation

Shape = tuple[int, int, int]


def build(settings: Any, data: Dataset, seed: int) -> GenerativeModel:
    """Returns an untrained model for images of this data.

    Raises:
        ZooError: A name is not known, the parts do not fit together, or labels are needed and there are none.
    """
    if hasattr(settings, "activation"):
        check_activation(settings.activation)
    return _BUILDERS[type(settings)](_widened(settings), data, seed)


def _widened(settings: Any) -> Any:
    """Returns settings with `width` times the filters and hidden units."""

    def wider(value: Any) -> Any:
        return [wider(each) for each in value] if isinstance(value, list) else round(value * settings.width)

    names = ("filters", "hidden", "decoder_filters", "prior_filters")
    return settings.model_copy(
        update={name: wider(getattr(settings, name)) for name in names if hasattr(settings, name)}
    )


def _likelihood(settings: Any, image_shape: Shape) -> tuple[Likelihood, Shape]:
    """Returns the likelihood, and the shape of its parameters."""
    layer = find_layer(settings.likelihood, LIKELIHOODS, Likelihood, "likelihood")
    if settings.levels is not None:
        if not isinstance(layer, QuantizedLikelihood):
            quantized = [name for name, kind in LIKELIHOODS.items() if issubclass(kind, QuantizedLikelihood)]
            raise ZooError(
                f"setting model.levels is for likelihoods of quantized pixels, {' and '.join(quantized)}, and "
                f"model.likelihood is {settings.likelihood}. Leave it out."
            )
        layer = type(layer)(levels=settings.levels)
    height, width, channels = image_shape
    return layer, (height, width, layer.parameters_for(channels))


def _networks(settings: VAESettings, image_shape: Shape, parameters: Shape, num_classes: int | None = None) -> Any:
    size, hidden, activation, networks = settings.latent_size, settings.hidden, settings.activation, zoo.networks
    labels = {"num_classes": num_classes}
    if settings.network == "conv":
        filters = settings.filters
        return (
            networks.conv_encoder(image_shape, filters, hidden, activation, **labels),
            networks.conv_decoder(size, parameters, filters[::-1], hidden, activation, **labels),
        )
    if settings.network == "residual":
        filters = settings.filters
        return (
            networks.residual_encoder(image_shape, filters, 1, hidden, 0, activation, **labels),
            networks.residual_decoder(size, parameters, filters[::-1], 1, activation, **labels),
        )
    return (
        networks.mlp_encoder(image_shape, (hidden, hidden), activation, **labels),
        networks.mlp_decoder(size, parameters, (hidden, hidden), activation, **labels),
    )


def _vae(settings: VAESettings, data: Dataset, seed: int) -> GenerativeModel:
    likelihood, parameters = _likelihood(settings, data.image_shape)
    parts: dict[str, Any] = {
        "likelihood": likelihood,
        **{name: getattr(settings, name) for name in ("posterior", "prior", "kl_warm_up")},
    }
    if isinstance(settings, ConditionalVAESettings):
        num_classes = _classes(data)
        encoder, decoder = _networks(settings, data.image_shape, parameters, num_classes)
        return zoo.ConditionalVAE(encoder, decoder, **parts, free_bits=settings.free_bits, seed=seed)
    encoder, decoder = _networks(settings, data.image_shape, parameters)
    if isinstance(settings, IWAESettings):
        options = {"num_samples": settings.num_samples, "gradient": settings.gradient}
        if settings.free_bits:
            parts["free_bits"] = settings.free_bits  # refused, with the reason
        return zoo.IWAE(encoder, decoder, **parts, **options, seed=seed)
    return zoo.VAE(encoder, decoder, **parts, free_bits=settings.free_bits, seed=seed)


def _classes(data: Dataset) -> int:
    if data.train_labels is None:
        raise ZooError(
            f"{data.name} has no labels, which a conditional model needs. An npz holds them as y or y_train."
        )
    if data.test_labels is None:
        raise ZooError(f"{data.name} has labels of training images alone. An npz holds those of x_test as y_test.")
    return int(max(data.train_labels.max(), data.test_labels.max())) + 1


def _hierarchical(settings: HierarchicalVAESettings, data: Dataset, seed: int) -> GenerativeModel:
    likelihood, parameters = _likelihood(settings, data.image_shape)
    encoder = zoo.networks.residual_encoder(
        data.image_shape,
        settings.filters,
        settings.encoder_blocks,
        settings.hidden,
        settings.resolutions,
        settings.activation,
    )
    shapes = encoder.output_shape
    finest = shapes[-1] if isinstance(shapes, list) else shapes  # Keras unpacks a list of one output
    decoder = zoo.networks.residual_decoder(
        finest[1:], parameters, settings.decoder_filters, activation=settings.activation
    )
    return zoo.HierarchicalVAE(
        encoder,
        decoder,
        settings.latents,
        likelihood,
        settings.blocks,
        settings.activation,
        settings.kl_warm_up,
        settings.free_bits,
        seed,
    )


def _vector_quantized(settings: VQVAESettings, data: Dataset, seed: int) -> GenerativeModel:
    likelihood, parameters = _likelihood(settings, data.image_shape)
    encoder = zoo.networks.grid_encoder(data.image_shape, settings.filters, settings.channels, settings.blocks)
    grid = encoder.output_shape[1:]
    decoder = zoo.networks.grid_decoder(grid, parameters, settings.filters[::-1], settings.blocks)
    prior = zoo.networks.pixelcnn(grid[:2], settings.codes, settings.prior_filters, settings.prior_blocks)
    quantizer = VectorQuantizer(settings.codes)
    return zoo.VQVAE(encoder, decoder, quantizer, prior, likelihood, settings.commitment, seed)


def _gan(settings: GANSettings, data: Dataset, seed: int) -> GenerativeModel:
    networks, filters, shape = zoo.networks, settings.filters, data.image_shape
    num_classes = None if settings.conditioning is None else _classes(data)
    told = {} if settings.conditioning is None else {"num_classes": num_classes, "conditioning": settings.conditioning}
    options = {"num_classes": num_classes}
    if settings.network == "dcgan":
        generator = networks.dcgan_generator(shape, settings.latent_size, filters[::-1], **options)
        told["hidden"] = settings.hidden
        discriminator = networks.dcgan_discriminator(shape, filters, settings.normalization, **told)
    else:
        if settings.normalization != "none":
            raise ZooError(
                f"residual networks have no normalization={settings.normalization}: leave model.normalization out, or "
                "take model.network=dcgan"
            )
        generator = networks.residual_generator(shape, settings.latent_size, filters[::-1], **options)
        discriminator = networks.residual_discriminator(shape, filters, **told)
    held = [
        penalty(weight, settings.penalty_every)
        for penalty, weight in ((R1, settings.r1), (R2, settings.r2), (GradientPenalty, settings.gradient_penalty))
        if weight
    ]
    shared = ("loss", "discriminator_steps", "average", "augmentation", "label_smoothing", "weight_clip")
    return (zoo.GAN if num_classes is None else zoo.ConditionalGAN)(
        generator, discriminator, penalties=held, seed=seed, **{name: getattr(settings, name) for name in shared}
    )


_BUILDERS: dict[type, Callable[[Any, Dataset, int], GenerativeModel]] = {
    VAESettings: _vae,
    IWAESettings: _vae,
    ConditionalVAESettings: _vae,
    HierarchicalVAESettings: _hierarchical,
    VQVAESettings: _vector_quantized,
    GANSettings: _gan,
}
