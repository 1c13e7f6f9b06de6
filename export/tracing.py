"""Functions of signatures as graphs of TensorFlow."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from export.errors import cause_of
from export.obstacles import NotExportable, Obstacle
from zoo.signature import Signature


def traced(signature: Signature, function: Callable[..., Any], /, *specs: tf.TensorSpec, **named: tf.TensorSpec) -> Any:
    """Returns the concrete function of a function, which belongs to a signature.

    Raises:
        NotExportable: It fails as a graph, as Python that depends on values does, or lacks an output.
    """
    try:
        return tf.function(function, autograph=False).get_concrete_function(*specs, **named)
    except (AttributeError, KeyError, NotImplementedError, TypeError, ValueError) as error:  # of the model's own code
        cause = f"there is no {error}" if isinstance(error, KeyError) else cause_of(error)
        remedy = (
            "Python is not in a graph, and neither are sizes that it asks for: write it in TensorFlow ops, or give "
            "keras.Input the sizes of its axes."
        )
        raise NotExportable(
            [Obstacle(signature.name, "The graph", (), (), f"cannot be made ({cause})", remedy)]
        ) from error
