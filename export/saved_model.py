"""Signatures as a SavedModel, with one endpoint each."""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from export.errors import ExportError
from zoo.signature import Signature


def write(model: keras.Model, signatures: Iterable[Signature], path: Path) -> None:
    """Writes a SavedModel whose `signatures` are those of the model.

    It loads with `tf.saved_model.load` where neither Keras nor the zoo is installed.

    Args:
        model: Owns the weights that the signatures use.
        signatures: What to export.
        path: The folder to make.

    Raises:
        ExportError: It cannot be written.
    """
    module = tf.Module()
    # Tracked, so that the graphs find their weights again.
    module.model_variables = [_variable(weight) for weight in model.variables]
    endpoints = {}
    for signature in signatures:
        specs = {spec.name: tf.TensorSpec(spec.free_shape, spec.dtype, spec.name) for spec in signature.inputs}
        function = tf.function(_outputs_only(signature), autograph=False)
        endpoints[signature.name] = function.get_concrete_function(**specs)
    try:
        with _quiet_tensorflow():
            tf.saved_model.save(module, str(path), signatures=endpoints)
    except tf.errors.OpError as error:
        reason = str(error.message).splitlines()[0]
        raise ExportError(f"the SavedModel cannot be written ({reason}). Is the disk full or read-only?") from error


def _outputs_only(signature: Signature) -> Any:
    def function(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = signature.function(**inputs)
        return {spec.name: outputs[spec.name] for spec in signature.outputs}

    return function


def _variable(weight: Any) -> tf.Variable:
    return weight.value if isinstance(weight, keras.Variable) else weight


@contextlib.contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
