"""Residual networks for GANs without batch statistics, for any height and width.

The blocks are those of `zoo.networks.residual`, whose last convolution starts at 0, as in the networks of R3GAN
(Huang et al. 2024, section 4): no normalization, and a variance that does not grow with depth at the start.
"""

from collections.abc import Sequence

import keras

from zoo.networks.conv import KERNEL, STRIDE
from zoo.networks.judgement import judged_inputs, judgement
from zoo.networks.mlp import with_labels
from zoo.networks.residual import ResidualBlock
from zoo.networks.sizes import crop_to, grid_of
from zoo.validation import check_count, check_sizes

_ACTIVATION = "leaky_relu"


def residual_generator(
    output_shape: Sequence[int],
    latent_size: int = 64,
    filters: Sequence[int] = (128, 64),
    blocks: int = 1,
    num_classes: int | None = None,
    name: str = "generator",
) -> keras.Model:
    """Returns a network from latents [batch, latent_size] to images [batch, height, width, channels] in [0, 1].

    Args:
        output_shape: Height, width and channels.
        latent_size: The size of the latents.
        filters: Each entry is the width of residual blocks before a doubling of height and width; what goes past
            `output_shape` is cut off.
        blocks: Residual blocks at each size.
        num_classes: If given, a second input are one-hot labels [batch, num_classes].
        name: The network's name.

    Raises:
        ZooError: A size is no integer above 0, or `filters` is empty.
    """
    height, width, channels = check_sizes(output_shape, "output_shape", 3)
    filters, blocks = check_sizes(filters, "filters"), check_count(blocks, "blocks", least=0)
    latents = keras.Input((check_count(latent_size, "latent_size"),), name="latent")
    inputs, features = with_labels(latents, latents, num_classes)
    features = grid_of(features, (height, width), len(filters), filters[0])
    for count in (*filters[1:], None):
        for _ in range(blocks):
            features = ResidualBlock(_ACTIVATION)(features)
        features = keras.layers.Activation(_ACTIVATION)(features)
        if count is not None:
            features = keras.layers.Conv2DTranspose(count, KERNEL, STRIDE, padding="same")(features)
    images = keras.layers.Conv2DTranspose(channels, KERNEL, STRIDE, padding="same", dtype="float32")(features)
    images = keras.layers.Activation("sigmoid", dtype="float32")(crop_to(images, height, width))
    return keras.Model(inputs, images, name=name)


def residual_discriminator(
    image_shape: Sequence[int],
    filters: Sequence[int] = (64, 128),
    blocks: int = 1,
    num_classes: int | None = None,
    conditioning: str = "projection",
    name: str = "discriminator",
) -> keras.Model:
    """Returns a network from images [batch, height, width, channels] in [0, 1] to logits [batch, 1].

    Args:
        image_shape: Height, width and channels.
        filters: Each entry is a convolution that halves height and width, rounding up, and residual blocks.
        blocks: Residual blocks at each size.
        num_classes: The number of classes, or None.
        conditioning: As in `dcgan_discriminator`.
        name: The network's name.

    Raises:
        ZooError: A size is no integer above 0, `filters` is empty, or the conditioning is not known.
    """
    images, labels, features = judged_inputs(image_shape, num_classes, conditioning)
    blocks = check_count(blocks, "blocks", least=0)
    for count in check_sizes(filters, "filters"):
        features = keras.layers.Conv2D(count, KERNEL, STRIDE, padding="same")(features)
        for _ in range(blocks):
            features = ResidualBlock(_ACTIVATION)(features)
        features = keras.layers.Activation(_ACTIVATION)(features)
    return judgement(images, labels, keras.layers.Flatten()(features), conditioning, False, name)
