"""A convolutional network for energies: smooth, without batch statistics, since chains follow its gradient."""

from collections.abc import Sequence

import keras

from zoo.networks.conv import KERNEL, STRIDE
from zoo.validation import check_activation, check_count, check_sizes


def conv_energy(
    image_shape: Sequence[int],
    filters: Sequence[int] = (32, 64, 128),
    hidden: int = 128,
    activation: str = "swish",
    outputs: int = 1,
    name: str = "energy",
) -> keras.Model:
    """Returns a network from images [batch, height, width, channels] to energies or logits [batch, outputs].

    Args:
        image_shape: Height, width and channels. Pixels are in [0, 1], and a little beyond.
        filters: Each entry is a convolution that halves height and width, rounding up.
        hidden: Width of a dense layer that sees the whole image.
        activation: Any Keras activation; smooth ones have gradients without steps.
        outputs: One for an energy; as many as classes for logits.
        name: The network's name.

    Raises:
        ZooError: A size is no integer above 0, `filters` is empty, or Keras has no such activation.
    """
    check_activation(activation)
    height, width, channels = check_sizes(image_shape, "image_shape", 3)
    images = keras.Input((height, width, channels), name="image")
    features = keras.layers.Rescaling(2.0, -1.0)(images)
    for width_of in check_sizes(filters, "filters"):
        features = keras.layers.Conv2D(width_of, KERNEL, STRIDE, padding="same", activation=activation)(features)
    count = check_count(outputs, "outputs")
    features = keras.layers.Dense(check_count(hidden, "hidden"), activation)(keras.layers.Flatten()(features))
    return keras.Model(images, keras.layers.Dense(count, dtype="float32", name="value")(features), name=name)
