"""Fully connected networks."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from zoo.validation import check_activation, check_count, check_sizes


def mlp_encoder(
    image_shape: Sequence[int],
    hidden: Sequence[int] = (512, 512),
    activation: str = "elu",
    name: str = "encoder",
    num_classes: int | None = None,
) -> keras.Model:
    """Returns a network from images [batch, *image_shape], pixels in [0, 1], to features [batch, hidden[-1]].

    With `num_classes` it takes a second input, one-hot labels [batch, num_classes].

    Raises:
        ZooError: A size is no integer above 0, `hidden` is empty, or Keras has no such activation.
    """
    check_activation(activation)
    images = keras.Input(check_sizes(image_shape, "image_shape", 3), name="image")
    inputs, features = with_labels(images, keras.layers.Flatten()(images), num_classes)
    for width in check_sizes(hidden, "hidden"):
        features = keras.layers.Dense(width, activation)(features)
    return keras.Model(inputs, features, name=name)


def mlp_decoder(
    latent_size: int,
    output_shape: Sequence[int],
    hidden: Sequence[int] = (512, 512),
    activation: str = "elu",
    name: str = "decoder",
    num_classes: int | None = None,
) -> keras.Model:
    """Returns a network from latents [batch, latent_size] to real numbers [batch, *output_shape].

    With `num_classes` it takes a second input, one-hot labels [batch, num_classes].

    Raises:
        ZooError: A size is no integer above 0, `hidden` is empty, or Keras has no such activation.
    """
    check_activation(activation)
    latents = keras.Input((check_count(latent_size, "latent_size"),), name="latent")
    inputs, features = with_labels(latents, latents, num_classes)
    for width in check_sizes(hidden, "hidden"):
        features = keras.layers.Dense(width, activation)(features)
    output_shape = check_sizes(output_shape, "output_shape", 3)
    # Float32 whatever the policy: bfloat16 cannot tell neighbouring ones of 256 levels apart.
    features = keras.layers.Dense(math.prod(output_shape), dtype="float32")(features)
    return keras.Model(inputs, keras.layers.Reshape(output_shape, dtype="float32")(features), name=name)


def with_labels(values: Any, features: Any, num_classes: int | None) -> tuple[Any, Any]:
    """Returns the inputs of a network, and features [batch, size] with one-hot labels joined on where there are any."""
    if num_classes is None:
        return values, features
    labels = keras.Input((check_count(num_classes, "num_classes", least=2),), name="label")
    return [values, labels], keras.layers.Concatenate()([features, labels])
