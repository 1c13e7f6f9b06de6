"""What is known of the inputs of a network that someone gives."""

import math
from typing import Any

import keras

from zoo.errors import ZooError, a_kind

_SQUASHING = ("sigmoid", "softmax", "tanh", "hard_sigmoid")


def known_shape(network: keras.Model, name: str, example: str, rank: int) -> tuple[int, ...]:
    """Returns the shape of a network's input, the first of several, without the batch axis.

    Raises:
        ZooError: It is no network, or its input shape is not known or of another rank.
    """
    shapes = _shapes(network, name, example)
    shape = tuple((shapes[0] if isinstance(shapes, list) else shapes)[1:])
    if len(shape) != rank or not all(isinstance(size, int) for size in shape):
        raise ZooError(f"the {name} takes inputs {list(shape)}, expected {rank} known sizes, as from {example}.")
    return shape


def known_classes(network: keras.Model, name: str, owner: str) -> int:
    """Returns the number of classes of a network whose second input are one-hot labels [batch, num_classes].

    Args:
        network: Any network.
        name: What it is called in messages.
        owner: The class of the model that it is part of, for messages.

    Raises:
        ZooError: It takes no labels.
    """
    shapes = _shapes(network, name)
    if not isinstance(shapes, list) or len(shapes) != 2 or len(shapes[1]) != 2 or not shapes[1][1]:
        raise ZooError(
            f"the {name} of a {owner} takes two inputs, values and one-hot labels [batch, num_classes]. "
            "Those of zoo.networks for such models do with num_classes=10."
        )
    return shapes[1][1]


def check_takes_one(network: keras.Model, name: str, owner: str, conditional: str) -> None:
    """Checks that a network has a single input.

    Raises:
        ZooError: It has more; the message names the conditional model that gives them.
    """
    shapes = _shapes(network, name)
    if isinstance(shapes, list):
        raise ZooError(
            f"the {name} takes {len(shapes)} inputs, and a {owner} gives it one. With labels as the "
            f"second, use {conditional}."
        )


def check_takes_levels(network: keras.Model, name: str, example: str) -> None:
    """Checks that a network has two inputs, images and levels [batch, 1].

    Raises:
        ZooError: It has others.
    """
    shapes = _shapes(network, name, example)
    if not isinstance(shapes, list) or len(shapes) != 2 or tuple(shapes[1][1:]) != (1,):
        raise ZooError(
            f"the {name} takes inputs {shapes}, expected two, images and the logarithms of levels [batch, 1], as from "
            f"{example}."
        )


def known_output(network: keras.Model, name: str, remedy: str) -> tuple[int | None, ...]:
    """Returns the shape of a network's only output, with the batch axis.

    Raises:
        ZooError: It is no network, or has several outputs; the message ends with the remedy.
    """
    _shapes(network, name)
    shape = network.output_shape
    if not isinstance(shape, tuple):
        raise ZooError(f"the {name} gives {len(shape)} outputs, expected one. {remedy}")
    return shape


def check_gives_logits(network: keras.Model, name: str) -> None:
    """Checks that a network does not end as those for losses of probabilities do.

    Raises:
        ZooError: Its last activation has bounds.
    """
    last = getattr(getattr(network.layers[-1], "activation", None), "__name__", "")
    if not isinstance(network.output_shape, list) and last in _SQUASHING:
        raise ZooError(
            f"the {name} ends with a {last}, and all losses take logits, which have no bounds: leave the last "
            "activation out."
        )


def layers_of(network: keras.Model) -> list[keras.layers.Layer]:
    """Returns all layers of a network, those of networks inside of it too."""
    own = [layer for layer in network.layers if not isinstance(layer, keras.Model)]
    inner = [layers_of(layer) for layer in network.layers if isinstance(layer, keras.Model)]
    return sum(inner, own)


def widest(network: keras.Model) -> int:
    """Returns how many values an image the largest output of a layer has, as far as layers say."""
    outputs = keras.tree.flatten([layer.output for layer in layers_of(network) if hasattr(layer, "output")])
    return max((math.prod(size for size in output.shape[1:] if size) for output in outputs), default=1)


def _shapes(network: keras.Model, name: str, example: str = "keras.Input(shape)") -> Any:
    """Returns the shape of a network's input, or a list of several."""
    if not isinstance(network, keras.Model):
        raise ZooError(f"the {name} is {a_kind(network)}, expected a keras.Model.")
    try:
        return network.input_shape
    except (AttributeError, ValueError):
        raise ZooError(f"the {name} does not know its input shape yet. Start it with {example}.") from None
