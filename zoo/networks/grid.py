"""Convolutional networks between images and smaller grids of features, with residual blocks, for any size.

The architecture is that of van den Oord et al. (2017), section 4.1: strided convolutions with kernel 4, then blocks
of a 3x3 and a 1x1 convolution at the size of the grid, and the mirror of both. There are no batch statistics.
"""

from collections.abc import Sequence
from typing import Any

import keras

from zoo.networks.conv import KERNEL, STRIDE
from zoo.networks.sizes import crop_to
from zoo.validation import check_activation, check_sizes


def grid_encoder(
    image_shape: Sequence[int],
    filters: Sequence[int] = (32, 64),
    channels: int = 64,
    blocks: int = 2,
    activation: str = "elu",
    name: str = "encoder",
) -> keras.Model:
    """Returns a network from images [batch, height, width, channels] in [0, 1] to features [batch, rows, columns, d].

    Args:
        image_shape: Height, width and channels of the images.
        filters: Each entry is a convolution that halves height and width, rounding up.
        channels: d, the features at each place of the grid.
        blocks: Residual blocks at the size of the grid.
        activation: A Keras activation.
        name: Of the model.

    Raises:
        ZooError: A shape or `filters` is no list of sizes, or Keras has no such activation.
    """
    check_activation(activation)
    images = keras.Input(check_sizes(image_shape, "image_shape", 3), name="image")
    filters = check_sizes(filters, "filters")
    features = images
    for count in filters:
        features = keras.layers.Conv2D(count, KERNEL, STRIDE, padding="same", activation=activation)(features)
    features = _residual_blocks(features, blocks, filters[-1], activation)
    return keras.Model(images, keras.layers.Conv2D(channels, 1)(features), name=name)


def grid_decoder(
    grid_shape: Sequence[int],
    output_shape: Sequence[int],
    filters: Sequence[int] = (64, 32),
    blocks: int = 2,
    activation: str = "elu",
    name: str = "decoder",
) -> keras.Model:
    """Returns a network from features [batch, rows, columns, d] to real numbers [batch, height, width, channels].

    Args:
        grid_shape: Rows, columns and d: the `output_shape[1:]` of the encoder.
        output_shape: Height, width and channels. What goes past it is cut off, as much on both sides.
        filters: Each entry is a layer that doubles height and width.
        blocks: Residual blocks at the size of the grid.
        activation: A Keras activation.
        name: Of the model.

    Raises:
        ZooError: A shape or `filters` is no list of sizes, the grid is too small for the images, or Keras has no such
            activation.
    """
    check_activation(activation)
    height, width, channels = check_sizes(output_shape, "output_shape", 3)
    filters = check_sizes(filters, "filters")
    grid = keras.Input(check_sizes(grid_shape, "grid_shape", 3), name="features")
    features = keras.layers.Conv2D(filters[0], 3, padding="same")(grid)
    features = _residual_blocks(features, blocks, filters[0], activation)
    for count in filters[1:]:
        features = keras.layers.Conv2DTranspose(count, KERNEL, STRIDE, padding="same", activation=activation)(features)
    features = keras.layers.Conv2DTranspose(channels, KERNEL, STRIDE, padding="same", dtype="float32")(features)
    return keras.Model(grid, crop_to(features, height, width), name=name)


def _residual_blocks(features: Any, blocks: int, filters: int, activation: str) -> Any:
    for _ in range(blocks):
        change = keras.layers.Activation(activation)(features)
        change = keras.layers.Conv2D(filters // 2, 3, padding="same", activation=activation)(change)
        features = keras.layers.Add()([features, keras.layers.Conv2D(filters, 1)(change)])
    return keras.layers.Activation(activation)(features)
