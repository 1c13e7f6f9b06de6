"""Functions of signatures as graphs of TensorFlow."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from export.errors import cause_of
from export.obstacles import Layers, NotExportable, Obstacle, layers_of
from zoo.signature import Signature

_STATE = (
    "A file holds it as it is now. Draw with zoo.random from a seed that is an input, not from a SeedGenerator, and "
    "make recurrent layers without stateful=True."
)


def traced(
    signature: Signature,
    function: Callable[..., Any],
    layers: Layers,
    /,
    *specs: tf.TensorSpec,
    **named: tf.TensorSpec,
) -> Any:
    """Returns the concrete function of a function, which belongs to a signature of a model with such names of layers.

    Raises:
        NotExportable: It fails as a graph, as Python that depends on values does, or lacks an output, or what it gives
            depends on a variable that it changes.
    """
    try:
        concrete = tf.function(function, autograph=False).get_concrete_function(*specs, **named)
    except (AttributeError, KeyError, NotImplementedError, TypeError, ValueError) as error:  # of the model's own code
        cause = f"there is no {error}" if isinstance(error, KeyError) else cause_of(error)
        remedy = (
            "Python is not in a graph, and neither are sizes that it asks for: write it in TensorFlow ops, or give "
            "keras.Input the sizes of its axes, as bilinear UpSampling2D needs (nearest does not, nor Conv2DTranspose)."
        )
        if isinstance(error, KeyError):
            remedy = "Let its function give a dict with the outputs that the signature declares, by their names."
        raise NotExportable(
            [Obstacle(signature.name, "The graph", (), (), f"cannot be made ({cause})", remedy)]
        ) from error
    changed = _changed_before_next(concrete.graph)
    if changed:
        reason = "is changed by a call, and the next one reads it"
        where = layers_of(changed, layers)
        raise NotExportable([Obstacle(signature.name, "A variable", where, changed, reason, _STATE)])
    return concrete


def _changed_before_next(graph: Any) -> tuple[str, ...]:
    """Returns names of nodes that change variables on which outputs depend."""
    reached, waiting = set(), [output.op for output in graph.outputs]
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting += [value.op for value in node.inputs]
    read = {node.inputs[0].ref() for node in reached if node.type == "ReadVariableOp"}
    writers = (node for node in graph.get_operations() if node.type.startswith("Assign") and node.inputs)
    return tuple(node.name for node in writers if node.inputs[0].ref() in read)
