"""Residual convolutional networks, without batch statistics, for images of any height and width."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from zoo.errors import ZooError
from zoo.networks.mlp import with_labels
from zoo.networks.sizes import crop_to, grid_of
from zoo.validation import check_activation, check_count, check_sizes


@keras.saving.register_keras_serializable(package="zoo")
class ResidualBlock(keras.layers.Layer):
    """x + a bottleneck of 1x1, 3x3, 3x3 and 1x1 convolutions, half as wide (He et al. 2016; Child 2021, figure 3).

    The last convolution starts at 0, so that a deep stack of blocks starts as the identity.

    Args:
        activation: Any Keras activation.
    """

    def __init__(self, activation: str = "elu", **kwargs):
        super().__init__(**kwargs)
        self.activation = activation

    def build(self, shape: tuple) -> None:
        """Creates the weights for [batch, height, width, filters]."""
        filters = shape[-1]
        narrow, kernel = max(1, filters // 2), 1 if shape[1] == shape[2] == 1 else 3
        sizes = ((narrow, 1, "glorot_uniform"), (narrow, kernel, "glorot_uniform"), (narrow, kernel, "glorot_uniform"))
        self._convolutions = [
            keras.layers.Conv2D(
                count,
                size,
                padding="same",
                kernel_initializer=initializer,
                dtype=self.dtype_policy,
                name=f"conv_{index}",
            )
            for index, (count, size, initializer) in enumerate((*sizes, (filters, 1, "zeros")))
        ]
        for convolution in self._convolutions:
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Maps [batch, height, width, filters] to the same shape."""
        activation, features = keras.activations.get(self.activation), values
        for convolution in self._convolutions:
            features = convolution(activation(features))
        return values + features

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Returns the shape, which stays."""
        return shape

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "activation": self.activation}


def residual_encoder(
    image_shape: Sequence[int],
    filters: Sequence[int] = (32, 64),
    blocks: int = 2,
    hidden: int = 0,
    resolutions: int | None = None,
    activation: str = "elu",
    name: str = "encoder",
    num_classes: int | None = None,
) -> keras.Model:
    """Returns a network from images to features at several resolutions, the coarsest first.

    Args:
        image_shape: Height, width and channels.
        filters: For each resolution, every one half of the one before it, rounded up; the first is half the image.
        blocks: Residual blocks a resolution.
        hidden: If above 0, the width of one more output, [batch, 1, 1, hidden], that sees the whole image.
        resolutions: How many of the coarsest of `filters` are outputs; None for all; 0 for one output alone,
            [batch, hidden], which is what the encoder of a `VAE` gives.
        activation: Any Keras activation.
        name: The network's name.
        num_classes: If given, with resolutions=0, a second input are one-hot labels [batch, num_classes].

    Raises:
        ZooError: A size is no integer above 0, `filters` is empty, labels have no place, or Keras has no such
            activation.
    """
    check_activation(activation)
    if num_classes is not None and resolutions != 0:
        raise ZooError("labels are joined to the features of the whole image: give resolutions=0, and `hidden`.")
    images = keras.Input(check_sizes(image_shape, "image_shape", 3), name="image")
    features, outputs, inputs = images, [], images
    for count in check_sizes(filters, "filters"):
        features = keras.layers.Conv2D(count, 4, 2, padding="same")(features)
        for _ in range(blocks):
            features = ResidualBlock(activation)(features)
        outputs.insert(0, features)
    outputs = outputs[:resolutions]
    if resolutions == 0 and hidden == 0:
        raise ZooError("resolutions=0 leaves no output: give `hidden`, the width of the features of the whole image.")
    if check_count(hidden, "hidden", least=0):
        flat = keras.layers.Flatten()(keras.layers.Activation(activation)(features))
        inputs, flat = with_labels(images, flat, num_classes)
        whole = keras.layers.Dense(hidden)(keras.layers.Dense(hidden, activation)(flat))
        if resolutions == 0:
            return keras.Model(inputs, keras.layers.Activation(activation)(whole), name=name)
        outputs.insert(0, keras.layers.Reshape((1, 1, hidden))(whole))
    return keras.Model(images, outputs, name=name)


def residual_decoder(
    features_shape: Sequence[int] | int,
    output_shape: Sequence[int],
    filters: Sequence[int] = (32,),
    blocks: int = 0,
    activation: str = "elu",
    name: str = "decoder",
    num_classes: int | None = None,
) -> keras.Model:
    """Returns a network from features [batch, height, width, channels] to real numbers [batch, *output_shape].

    Args:
        features_shape: Height, width and channels of the features; or one integer, the size of latents [batch,
            latent_size], from which a dense layer makes the coarsest features.
        output_shape: Height, width and channels of what it gives.
        filters: Each entry is a layer that doubles height and width; what goes past `output_shape` is cut off.
        blocks: Residual blocks after each; each costs four times one at the resolution before.
        activation: Any Keras activation.
        name: The network's name.
        num_classes: If given, with latents, a second input are one-hot labels [batch, num_classes].

    Raises:
        ZooError: A size is no integer above 0, `filters` is empty, labels have no place, or Keras has no such
            activation.
    """
    check_activation(activation)
    height, width, channels = check_sizes(output_shape, "output_shape", 3)
    filters = check_sizes(filters, "filters")
    if isinstance(features_shape, int):
        latents = keras.Input((check_count(features_shape, "latent_size"),), name="latent")
        inputs, features = with_labels(latents, latents, num_classes)
        features = grid_of(features, (height, width), len(filters), filters[0])
    elif num_classes is not None:
        raise ZooError("labels are joined to latents: give features_shape as their number.")
    else:
        inputs = features = keras.Input(check_sizes(features_shape, "features_shape", 3), name="features")
    features = keras.layers.Activation(activation)(features)
    for index, count in enumerate(filters):
        shrink = 2 ** (len(filters) - 1 - index)
        features = keras.layers.Conv2DTranspose(count, 4, 2, padding="same")(features)
        features = crop_to(features, -(-height // shrink), -(-width // shrink))
        for _ in range(blocks):
            features = ResidualBlock(activation)(features)
        features = keras.layers.Activation(activation)(features)
    outputs = keras.layers.Conv2D(channels, 3, padding="same", dtype="float32")(features)
    return keras.Model(inputs, outputs, name=name)
