"""Fully connected networks."""

import math
from collections.abc import Sequence

import keras


def mlp_encoder(
    image_shape: Sequence[int], hidden: Sequence[int] = (512, 512), activation: str = "elu", name: str = "encoder"
) -> keras.Model:
    """Returns a network from images [batch, *image_shape], pixels in [0, 1], to features [batch, hidden[-1]]."""
    images = keras.Input(tuple(image_shape), name="image")
    features = keras.layers.Flatten()(images)
    for width in hidden:
        features = keras.layers.Dense(width, activation)(features)
    return keras.Model(images, features, name=name)


def mlp_decoder(
    latent_size: int,
    output_shape: Sequence[int],
    hidden: Sequence[int] = (512, 512),
    activation: str = "elu",
    name: str = "decoder",
) -> keras.Model:
    """Returns a network from latents [batch, latent_size] to real numbers [batch, *output_shape]."""
    latents = keras.Input((latent_size,), name="latent")
    features = latents
    for width in hidden:
        features = keras.layers.Dense(width, activation)(features)
    features = keras.layers.Dense(math.prod(output_shape))(features)
    return keras.Model(latents, keras.layers.Reshape(tuple(output_shape))(features), name=name)
