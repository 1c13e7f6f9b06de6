"""Builds VAEs of all kinds from settings."""

from typing import Any

import zoo
from recipes.builders.labels import classes_of
from recipes.data import Dataset
from recipes.model_settings import (
    ConditionalVAESettings,
    HierarchicalVAESettings,
    IWAESettings,
    VAESettings,
    VQVAESettings,
)
from zoo.errors import ZooError
from zoo.model import GenerativeModel
from zoo.vae.likelihoods import LIKELIHOODS, Likelihood
from zoo.vae.likelihoods.levels import QuantizedLikelihood
from zoo.vae.parts import find_layer
from zoo.vae.quantizers import VectorQuantizer

Shape = tuple[int, int, int]


def vae(settings: VAESettings, data: Dataset, seed: int) -> GenerativeModel:
    """Returns an untrained VAE, IWAE or conditional VAE."""
    likelihood, parameters = _likelihood(settings, data.image_shape)
    parts: dict[str, Any] = {
        "likelihood": likelihood,
        **{name: getattr(settings, name) for name in ("posterior", "prior", "kl_warm_up")},
    }
    if isinstance(settings, ConditionalVAESettings):
        num_classes = classes_of(data)
        encoder, decoder = _networks(settings, data.image_shape, parameters, num_classes)
        return zoo.ConditionalVAE(encoder, decoder, **parts, free_bits=settings.free_bits, seed=seed)
    encoder, decoder = _networks(settings, data.image_shape, parameters)
    if isinstance(settings, IWAESettings):
        options = {"num_samples": settings.num_samples, "gradient": settings.gradient}
        if settings.free_bits:
            parts["free_bits"] = settings.free_bits  # refused, with the reason
        return zoo.IWAE(encoder, decoder, **parts, **options, seed=seed)
    return zoo.VAE(encoder, decoder, **parts, free_bits=settings.free_bits, seed=seed)


def hierarchical(settings: HierarchicalVAESettings, data: Dataset, seed: int) -> GenerativeModel:
    """Returns an untrained hierarchical VAE."""
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


def vector_quantized(settings: VQVAESettings, data: Dataset, seed: int) -> GenerativeModel:
    """Returns an untrained VQ-VAE."""
    likelihood, parameters = _likelihood(settings, data.image_shape)
    encoder = zoo.networks.grid_encoder(data.image_shape, settings.filters, settings.channels, settings.blocks)
    grid = encoder.output_shape[1:]
    decoder = zoo.networks.grid_decoder(grid, parameters, settings.filters[::-1], settings.blocks)
    prior = zoo.networks.pixelcnn(grid[:2], settings.codes, settings.prior_filters, settings.prior_blocks)
    quantizer = VectorQuantizer(settings.codes)
    return zoo.VQVAE(encoder, decoder, quantizer, prior, likelihood, settings.commitment, seed)


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
