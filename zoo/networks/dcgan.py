"""The networks of DCGAN (Radford et al. 2016), for any height and width."""

from collections.abc import Sequence

import keras

from zoo.networks.conv import KERNEL, STRIDE
from zoo.networks.residual import crop_to
from zoo.validation import check_count, check_sizes

_SLOPE, _MOMENTUM = 0.2, 0.9


def dcgan_generator(
    output_shape: Sequence[int],
    latent_size: int = 64,
    filters: Sequence[int] = (128, 64),
    name: str = "generator",
) -> keras.Model:
    """Returns a network from latents [batch, latent_size] to images [batch, height, width, channels] in [0, 1].

    Each entry of `filters` is the width of a normalized layer before a doubling of height and width; what goes past
    `output_shape` is cut off.

    Raises:
        ZooError: A size is no integer above 0, or `filters` is empty.
    """
    height, width, channels = check_sizes(output_shape, "output_shape", 3)
    filters = check_sizes(filters, "filters")
    scale = STRIDE ** len(filters)
    rows, columns = -(-height // scale), -(-width // scale)
    latents = keras.Input((check_count(latent_size, "latent_size"),), name="latent")
    features = keras.layers.Dense(rows * columns * filters[0], use_bias=False)(latents)
    features = keras.layers.Reshape((rows, columns, filters[0]))(features)
    for count in (*filters[1:], None):
        features = keras.layers.BatchNormalization(momentum=_MOMENTUM)(features)
        features = keras.layers.ReLU()(features)
        if count is not None:
            features = keras.layers.Conv2DTranspose(count, KERNEL, STRIDE, padding="same", use_bias=False)(features)
    images = keras.layers.Conv2DTranspose(channels, KERNEL, STRIDE, padding="same", dtype="float32")(features)
    images = keras.layers.Activation("sigmoid", dtype="float32")(crop_to(images, height, width))
    return keras.Model(latents, images, name=name)


def dcgan_discriminator(
    image_shape: Sequence[int],
    filters: Sequence[int] = (64, 128),
    normalization: bool = True,
    name: str = "discriminator",
) -> keras.Model:
    """Returns a network from images [batch, height, width, channels] in [0, 1] to logits [batch, 1].

    Each entry of `filters` is a convolution that halves height and width, normalized over the batch but for the
    first one, where `normalization` is.

    Raises:
        ZooError: A size is no integer above 0, or `filters` is empty.
    """
    images = keras.Input(check_sizes(image_shape, "image_shape", 3), name="image")
    features = keras.layers.Rescaling(2.0, -1.0)(images)
    for index, count in enumerate(check_sizes(filters, "filters")):
        features = keras.layers.Conv2D(count, KERNEL, STRIDE, padding="same")(features)
        if normalization and index:
            features = keras.layers.BatchNormalization(momentum=_MOMENTUM)(features)
        features = keras.layers.LeakyReLU(_SLOPE)(features)
    logits = keras.layers.Dense(1, dtype="float32")(keras.layers.Flatten()(features))
    return keras.Model(images, logits, name=name)
