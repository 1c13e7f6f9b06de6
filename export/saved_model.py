"""Signatures as a SavedModel, with one endpoint each."""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from export.errors import ExportError
from export.obstacles import Layers, layer_names
from export.tracing import traced
from zoo.signature import Signature


def write(model: keras.Model, signatures: Iterable[Signature], path: Path) -> None:
    """Writes a SavedModel whose `signatures` are those of the model.

    `serving_default`, which servers run where no endpoint is named, is `sample`, or the first where there is none.
    TensorFlow's loader knows no inputs that may be left out. A signature that has some becomes two endpoints:
    one under its name without them, and one with all inputs, under the name that `endpoint_of` gives.

    It loads with `tf.saved_model.load` where neither Keras nor the zoo is installed.

    Args:
        model: Owns the weights that the signatures use.
        signatures: What to export.
        path: The folder to make.

    Raises:
        ExportError: It cannot be written, or has more than weights: lookup tables.
        NotExportable: A signature runs Python.
    """
    module = tf.Module()
    # Tracked, so that the graphs find their weights again.
    module.model_variables = [_variable(weight) for weight in model.variables]
    endpoints, layers = {}, layer_names(model)
    for signature in signatures:
        endpoints[endpoint_of(signature)] = whole = _endpoint(signature, signature.function, {}, layers)
        if signature.defaults:
            endpoints[signature.name] = _endpoint(signature, whole, signature.defaults, layers)
    module.other_variables = _others(endpoints, module.model_variables)
    endpoints[_SERVING_DEFAULT] = endpoints["sample" if "sample" in endpoints else next(iter(endpoints))]
    try:
        with _quiet_tensorflow():
            tf.saved_model.save(module, str(path), endpoints, _OPTIONS)
    except tf.errors.OpError as error:
        reason = str(error.message).splitlines()[0]
        raise ExportError(f"the SavedModel cannot be written ({reason}). Is the disk full or read-only?") from error
    except AssertionError as error:
        if "untracked" not in str(error):
            raise
        raise ExportError(
            "a SavedModel holds weights and constants, and the model has something else, such as the table of a layer "
            "that looks values up. Do that before the model: a bundle takes what is found."
        ) from error


# A file to run, not to train on: without the gradients of its functions it is smaller, and made faster.
_OPTIONS = tf.saved_model.SaveOptions(experimental_custom_gradients=False)


_SERVING_DEFAULT = "serving_default"


def endpoint_of(signature: Signature) -> str:
    """Returns the name of the endpoint that takes all inputs of a signature."""
    return f"{signature.name}_with_options" if signature.defaults else signature.name


def check_names(signatures: Iterable[Signature]) -> None:
    """Makes sure that each endpoint has a name of its own.

    Raises:
        ExportError: Two would have one, or one that of the default.
    """
    known = {_SERVING_DEFAULT}
    for signature in signatures:
        for name in {signature.name, endpoint_of(signature)}:
            if name in known:
                raise ExportError(
                    f"signature '{signature.name}': a SavedModel has something else named '{name}'. A signature that "
                    "has inputs with defaults is there as NAME_with_options too. Rename it."
                )
            known.add(name)


def _endpoint(signature: Signature, whole: Any, fixed: dict[str, float], layers: Layers) -> Any:
    """Returns a concrete function of the inputs that are not fixed, where `whole` is one of all."""
    specs = [spec for spec in signature.inputs if spec.name not in fixed]
    dtypes = {spec.name: spec.dtype for spec in signature.inputs}

    def function(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        constants = {name: tf.constant(value, dtypes[name]) for name, value in fixed.items()}
        outputs = whole(**inputs, **constants)
        return {spec.name: outputs[spec.name] for spec in signature.outputs}

    tensors = {spec.name: tf.TensorSpec(spec.free_shape, spec.dtype, spec.name) for spec in specs}
    return traced(signature, function, layers, **tensors)


def _others(endpoints: Mapping[str, Any], known: Iterable[tf.Variable]) -> list[tf.Variable]:
    """Returns the variables that endpoints use beyond those that are known: Keras does not know all of a layer's."""
    used = {id(variable): variable for endpoint in endpoints.values() for variable in endpoint.graph.variables}
    others = used.keys() - set(map(id, known))
    return [variable for each, variable in used.items() if each in others]


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
