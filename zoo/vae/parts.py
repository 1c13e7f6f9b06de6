"""What models that are put together from networks and layers check of their parts."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from zoo.errors import ZooError, a_kind, near_miss


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
        raise ZooError(f"{name} is {a_kind(choice)}, expected a name or a {base.__name__} layer.")
    if choice not in known:
        raise ZooError(f"unknown {name} '{choice}'. Known: {', '.join(known)}.{near_miss(choice, known)}")
    return known[choice](*arguments)
