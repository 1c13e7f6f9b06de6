"""What models that are put together from networks and layers check of their parts."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from zoo.errors import ZooError, near_miss


def known_shape(network: keras.Model, name: str, example: str, rank: int) -> tuple[int, ...]:
    """Returns the shape of a network's input, the first of several, without the batch axis.

    Raises:
        ZooError: It is no network, or its input shape is not known or of another rank.
    """
    if not isinstance(network, keras.Model):
        raise ZooError(f"the {name} is a {type(network).__name__}, expected a keras.Model.")
    try:
        shapes = network.input_shape
        shape = tuple((shapes[0] if isinstance(shapes, list) else shapes)[1:])
    except (AttributeError, ValueError):
        raise ZooError(f"the {name} does not know its input shape yet. Start it with {example}.") from None
    if len(shape) != rank or not all(isinstance(size, int) for size in shape):
        raise ZooError(f"the {name} takes inputs {list(shape)}, expected {rank} known sizes, as from {example}.")
    return shape


def copies(values: tf.Tensor, count: Any) -> tf.Tensor:
    """Returns [count * batch, ...]: the whole batch, again and again."""
    ones = tf.ones([tf.rank(values) - 1], tf.int32)
    return tf.ensure_shape(tf.tile(values, tf.concat([[count], ones], axis=0)), [None, *values.shape[1:]])


def find_layer(choice: Any, known: Mapping[str, type], base: type, name: str, *arguments: Any) -> Any:
    """Returns the layer that a name stands for, or the layer itself.

    Raises:
        ZooError: The name is not known, or it is neither a name nor a layer.
    """
    if isinstance(choice, base):
        return choice
    if not isinstance(choice, str):
        raise ZooError(f"{name} is a {type(choice).__name__}, expected a name or a {base.__name__} layer.")
    if choice not in known:
        raise ZooError(f"unknown {name} '{choice}'. Known: {', '.join(known)}.{near_miss(choice, known)}")
    return known[choice](*arguments)
