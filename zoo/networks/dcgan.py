"""The networks of DCGAN (Radford et al. 2016), for any height and width, with labels where they are asked for."""

from collections.abc import Sequence

import keras

from zoo.networks.conv import KERNEL, STRIDE
from zoo.networks.judgement import judged_inputs, judgement
from zoo.networks.mlp import with_labels
from zoo.networks.sizes import crop_to, grid_of
from zoo.networks.spectral import SpectralConv2D, SpectralDense
from zoo.validation import check_choice, check_count, check_sizes

_SLOPE, _MOMENTUM = 0.2, 0.9
NORMALIZATIONS = ("batch", "spectral", "none")


def dcgan_generator(
    output_shape: Sequence[int],
    latent_size: int = 64,
    filters: Sequence[int] = (128, 64),
    num_classes: int | None = None,
    name: str = "generator",
) -> keras.Model:
    """Returns a network from latents [batch, latent_size] to images [batch, height, width, channels] in [0, 1].

    Each entry of `filters` is the width of a normalized layer before a doubling of height and width; what goes past
    `output_shape` is cut off. With `num_classes` it takes a second input, one-hot labels [batch, num_classes].

    Raises:
        ZooError: A size is no integer above 0, or `filters` is empty.
    """
    height, width, channels = check_sizes(output_shape, "output_shape", 3)
    filters = check_sizes(filters, "filters")
    latents = keras.Input((check_count(latent_size, "latent_size"),), name="latent")
    inputs, features = with_labels(latents, latents, num_classes)
    features = grid_of(features, (height, width), len(filters), filters[0], use_bias=False)
    for count in (*filters[1:], None):
        features = keras.layers.BatchNormalization(momentum=_MOMENTUM)(features)
        features = keras.layers.ReLU()(features)
        if count is not None:
            features = keras.layers.Conv2DTranspose(count, KERNEL, STRIDE, padding="same", use_bias=False)(features)
    images = keras.layers.Conv2DTranspose(channels, KERNEL, STRIDE, padding="same", dtype="float32")(features)
    images = keras.layers.Activation("sigmoid", dtype="float32")(crop_to(images, height, width))
    return keras.Model(inputs, images, name=name)


def dcgan_discriminator(
    image_shape: Sequence[int],
    filters: Sequence[int] = (64, 128),
    normalization: str = "batch",
    num_classes: int | None = None,
    conditioning: str = "projection",
    name: str = "discriminator",
    hidden: int = 0,
) -> keras.Model:
    """Returns a network from images [batch, height, width, channels] in [0, 1] to logits [batch, 1].

    Args:
        image_shape: Height, width and channels.
        filters: Each entry is a convolution that halves height and width, rounding up.
        normalization: "batch", over the batch, but for the first convolution; "spectral", of all weights; or "none".
        num_classes: The number of classes, or None.
        conditioning: Where there are classes: "projection" and "concatenation" take one-hot labels [batch,
            num_classes] as a second input; "classifier" gives a second output, class logits [batch, num_classes].
        name: The network's name.
        hidden: Width of a dense layer that sees the whole image, before the logits; 0, as in the paper, for none.

    Raises:
        ZooError: A size is no integer above 0, `filters` is empty, or a name is not known.
    """
    check_choice(normalization, NORMALIZATIONS, "normalization")
    images, labels, features = judged_inputs(image_shape, num_classes, conditioning)
    spectral = normalization == "spectral"
    convolution = SpectralConv2D if spectral else keras.layers.Conv2D
    for index, count in enumerate(check_sizes(filters, "filters")):
        features = convolution(count, KERNEL, STRIDE, padding="same")(features)
        if normalization == "batch" and index:
            features = keras.layers.BatchNormalization(momentum=_MOMENTUM)(features)
        features = keras.layers.LeakyReLU(_SLOPE)(features)
    features = keras.layers.Flatten()(features)
    if check_count(hidden, "hidden", least=0):
        features = (SpectralDense if spectral else keras.layers.Dense)(hidden)(features)
        features = keras.layers.LeakyReLU(_SLOPE)(features)
    return judgement(images, labels, features, conditioning, spectral, name)
