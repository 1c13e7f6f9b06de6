"""The U-Net: an image goes down to a small grid and up again, with what was seen at each size handed across.

(Ronneberger et al. 2015; blocks and levels as in Ho et al. 2020, appendix B, without normalization.) Sizes are halved
by averages and doubled by repetition, both followed by convolutions, so that no place in the image differs from its
neighbours by more than its content: strided and transposed convolutions leave checkerboards in fields.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from zoo.errors import ZooError
from zoo.networks.sizes import crop_to
from zoo.validation import check_activation, check_count, check_sizes


@keras.saving.register_keras_serializable(package="zoo")
class LevelFeatures(keras.layers.Layer):
    """Waves of the logarithm of a level, [batch, 1] to [batch, size] (Tancik et al. 2020, equation 5).

    Args:
        size: How many, an even number. Wavelengths go from 32 down to 1 in the logarithm.

    Raises:
        ZooError: The size is odd.
    """

    def __init__(self, size: int = 32, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = check_count(size, "size", 2)
        if size % 2:
            raise ZooError(f"size is {size}, expected an even number.")
        self.autocast = False  # bfloat16 would round levels before waves are made of them

    def call(self, levels: tf.Tensor) -> tf.Tensor:
        """Returns cosines and sines of the levels."""
        frequencies = [2 * math.pi / 32 ** (1 - place / (self.size // 2)) for place in range(self.size // 2)]
        angles = tf.cast(levels, tf.float32) * tf.constant([frequencies], tf.float32)
        return tf.cast(tf.concat([tf.cos(angles), tf.sin(angles)], axis=-1), self.compute_dtype)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Returns [batch, size]."""
        return (*shape[:-1], self.size)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="zoo")
class UNetBlock(keras.layers.Layer):
    """x + two 3x3 convolutions; with levels, what lies between them is scaled and shifted by these.

    The last convolution starts at 0, so that a stack of blocks starts as the identity.

    Args:
        filters: Of the result; where x has others, it is projected.
        activation: Any Keras activation.
    """

    def __init__(self, filters: int, activation: str = "swish", **kwargs: Any):
        super().__init__(**kwargs)
        self.filters, self.activation = check_count(filters, "filters"), check_activation(activation)

    def build(self, shapes: Any) -> None:
        """Creates the weights for features [batch, height, width, channels], and levels [batch, size] where given."""
        shape, levels = shapes if isinstance(shapes[0], tuple | list) else (shapes, None)
        made: Any = keras.layers.Conv2D
        options = {"padding": "same", "dtype": self.dtype_policy}
        self._first = made(self.filters, 3, name="first", **options)
        self._last = made(self.filters, 3, kernel_initializer="zeros", name="last", **options)
        self._first.build(shape)
        self._last.build((*shape[:-1], self.filters))
        self._projection = self._modulation = None
        if shape[-1] != self.filters:
            self._projection = made(self.filters, 1, name="projection", **options)
            self._projection.build(shape)
        if levels is not None:
            self._modulation = keras.layers.Dense(2 * self.filters, name="modulation", dtype=self.dtype_policy)
            self._modulation.build(levels)

    def call(self, inputs: Any) -> tf.Tensor:
        """Maps features, or (features, levels), to [batch, height, width, filters]."""
        activation = keras.activations.get(self.activation)
        values, levels = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        features: Any = self._first(activation(values))
        if self._modulation is not None:
            scale, shift = tf.split(self._modulation(levels)[:, None, None], 2, axis=-1)
            features = features * (1 + scale) + shift
        features = self._last(activation(features))
        return features + (values if self._projection is None else self._projection(values))

    def compute_output_shape(self, shapes: Any) -> tuple:
        """Returns [batch, height, width, filters]."""
        shape = shapes[0] if isinstance(shapes[0], tuple | list) else shapes
        return (*shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "filters": self.filters, "activation": self.activation}


def unet(
    image_shape: Sequence[int],
    filters: Sequence[int] = (32, 64, 128),
    blocks: int = 1,
    heads: int = 4,
    levels: bool = True,
    activation: str = "swish",
    name: str = "unet",
) -> keras.Model:
    """Returns a network from images [batch, height, width, channels] to real numbers in their shape.

    Args:
        image_shape: Height, width and channels.
        filters: Those at each size; every one is half of the one before, rounded up, and the first is the image's.
        blocks: Residual blocks at each size, on the way down and again on the way up.
        heads: Of attention between the places of the smallest grid, so that all see all; 0 for none.
        levels: Whether a second input, [batch, 1], says at which level of noise; its logarithm, rather.
        activation: Any Keras activation; smooth ones have gradients without steps.
        name: The network's name.

    Raises:
        ZooError: A size is no integer above 0, `filters` is empty, or Keras has no such activation.
    """
    image_shape, filters = check_sizes(image_shape, "image_shape", 3), check_sizes(filters, "filters")
    blocks, heads = check_count(blocks, "blocks"), check_count(heads, "heads", least=0)
    check_activation(activation)
    images = keras.Input(image_shape, name="image")
    inputs: Any = images
    told = None
    if levels:
        level = keras.Input((1,), name="level")
        inputs = [images, level]
        told = LevelFeatures()(level)
        told = keras.layers.Dense(4 * filters[0], activation)(told)
        told = keras.layers.Dense(4 * filters[0], activation)(told)

    def block(features: Any, count: int) -> Any:
        return UNetBlock(count, activation)(features if told is None else [features, told])

    features, across = keras.layers.Conv2D(filters[0], 3, padding="same")(images), []
    for place, count in enumerate(filters):
        if place:
            features = keras.layers.AveragePooling2D(2, padding="same")(features)
        for _ in range(blocks):
            features = block(features, count)
        across.append(features)
    if heads:
        attention = keras.layers.MultiHeadAttention(heads, max(1, filters[-1] // heads), attention_axes=(1, 2))
        features = keras.layers.Add()([features, attention(features, features)])
    for place, count in reversed(list(enumerate(filters))):
        features = keras.layers.Concatenate()([features, across[place]])
        for _ in range(blocks):
            features = block(features, count)
        if place:
            features = keras.layers.UpSampling2D(2)(features)
            features = crop_to(features, *across[place - 1].shape[1:3])
    features = keras.layers.Activation(activation)(features)
    last = keras.layers.Conv2D(image_shape[-1], 3, padding="same", kernel_initializer="zeros", dtype="float32")
    return keras.Model(inputs, last(features), name=name)


def unet_energy(
    image_shape: Sequence[int],
    filters: Sequence[int] = (32, 64, 128),
    blocks: int = 1,
    heads: int = 4,
    activation: str = "swish",
    name: str = "energy",
) -> keras.Model:
    """Returns a network from images [batch, height, width, channels] in [0, 1], and beyond, to energies [batch, 1].

    E(x) = |x - f(x)|^2 / 2, with f a U-Net and pixels from -1 to 1: how badly it reproduces the image (Salimans and Ho
    2021, section 3). It is bounded below, and about |x|^2 / 2 to begin with.

    Args:
        image_shape: Height, width and channels.
        filters, blocks, heads, activation: As in `unet`.
        name: The network's name.

    Raises:
        ZooError: As in `unet`.
    """
    network = unet(image_shape, filters, blocks, heads, False, activation)
    images = keras.Input(network.input_shape[1:], name="image")
    pixels = keras.layers.Rescaling(2.0, -1.0, dtype="float32")(images)
    rest = keras.layers.Flatten(dtype="float32")(keras.layers.Subtract(dtype="float32")([pixels, network(pixels)]))
    squares = keras.layers.Dot(axes=1, dtype="float32")([rest, rest])
    return keras.Model(images, keras.layers.Rescaling(0.5, dtype="float32")(squares), name=name)
