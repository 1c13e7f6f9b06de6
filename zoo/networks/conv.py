"""Convolutional networks that halve the image at every layer, and their mirror, for any height and width."""

from collections.abc import Sequence

import keras

from zoo.networks.mlp import with_labels
from zoo.networks.sizes import crop_to, grid_of
from zoo.validation import check_activation, check_count, check_sizes

# Kernels twice the stride cover each pixel equally often, so that transposed ones leave no checkerboard.
KERNEL, STRIDE = 4, 2


def conv_encoder(
    image_shape: Sequence[int],
    filters: Sequence[int] = (32, 64),
    hidden: int = 256,
    activation: str = "elu",
    name: str = "encoder",
    num_classes: int | None = None,
) -> keras.Model:
    """Returns a network from images [batch, height, width, channels], in [0, 1], to features [batch, hidden].

    Each entry of `filters` is a convolution that halves height and width, rounding up. With `num_classes` it takes a
    second input, one-hot labels [batch, num_classes].

    Raises:
        ZooError: A size is no integer above 0, `filters` is empty, or Keras has no such activation.
    """
    check_activation(activation)
    images = keras.Input(check_sizes(image_shape, "image_shape", 3), name="image")
    filters, hidden = check_sizes(filters, "filters"), check_count(hidden, "hidden")
    features = images
    for count in filters:
        features = keras.layers.Conv2D(count, KERNEL, STRIDE, padding="same", activation=activation)(features)
    inputs, features = with_labels(images, keras.layers.Flatten()(features), num_classes)
    return keras.Model(inputs, keras.layers.Dense(hidden, activation)(features), name=name)


def conv_decoder(
    latent_size: int,
    output_shape: Sequence[int],
    filters: Sequence[int] = (64, 32),
    hidden: int = 256,
    activation: str = "elu",
    name: str = "decoder",
    num_classes: int | None = None,
) -> keras.Model:
    """Returns a network from latents [batch, latent_size] to real numbers [batch, height, width, channels].

    Each entry of `filters` is a layer that doubles height and width; what goes past `output_shape` is cut off. With
    `num_classes` it takes a second input, one-hot labels [batch, num_classes].

    Raises:
        ZooError: A size is no integer above 0, `filters` is empty, or Keras has no such activation.
    """
    height, width, channels = check_sizes(output_shape, "output_shape", 3)
    filters, hidden = check_sizes(filters, "filters"), check_count(hidden, "hidden")
    check_activation(activation)
    latents = keras.Input((check_count(latent_size, "latent_size"),), name="latent")
    inputs, features = with_labels(latents, latents, num_classes)
    features = keras.layers.Dense(hidden, activation)(features)
    features = grid_of(features, (height, width), len(filters), filters[0], activation=activation)
    for count in filters[1:]:
        features = keras.layers.Conv2DTranspose(count, KERNEL, STRIDE, padding="same", activation=activation)(features)
    features = keras.layers.Conv2DTranspose(channels, KERNEL, STRIDE, padding="same", dtype="float32")(features)
    features = crop_to(features, height, width)
    return keras.Model(inputs, features, name=name)
