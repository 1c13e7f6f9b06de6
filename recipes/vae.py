"""Builds the VAE that a recipe's settings describe."""

import keras

import zoo
from recipes.settings import VAESettings
from zoo.errors import ZooError


def build(settings: VAESettings, image_shape: tuple[int, int, int], seed: int) -> "zoo.VAE":
    """Returns an untrained VAE for images of this height, width and channels.

    Raises:
        ZooError: Keras does not know the activation.
    """
    networks = zoo.networks
    try:
        keras.activations.get(settings.activation)
    except ValueError:
        raise ZooError(
            f"setting model.activation: Keras has no activation '{settings.activation}'. For example: elu, relu."
        ) from None
    size, hidden, activation = settings.latent_size, settings.hidden, settings.activation
    if settings.network == "conv":
        filters = settings.filters
        encoder = networks.conv_encoder(image_shape, filters, hidden, activation)
        decoder = networks.conv_decoder(size, image_shape, filters[::-1], hidden, activation)
    else:
        encoder = networks.mlp_encoder(image_shape, (hidden, hidden), activation)
        decoder = networks.mlp_decoder(size, image_shape, (hidden, hidden), activation)
    return zoo.VAE(encoder, decoder, likelihood=settings.likelihood, seed=seed)
