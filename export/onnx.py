"""Signatures as ONNX files: converted by tf2onnx, then distrusted until shown to work.

tf2onnx goes on after an op that it does not know, and writes a file that no runtime loads. So every message
of error that it logs counts as a failure here, every op of the result is looked up in ONNX's own schemas, and
the checker and ONNX Runtime both have to accept the graph.
"""

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper
from tf2onnx import tf_loader
from tf2onnx.tfonnx import process_tf_graph

from export.errors import ExportError
from export.ops import handlers
from export.passes import optimized
from export.session import open_session
from zoo.signature import NamedTensor, Signature

OPSET = 18  # the newest that tf2onnx writes, and the oldest with the bitwise ops that random numbers need


def write(signature: Signature, path: Path) -> None:
    """Writes one signature as an ONNX file.

    Args:
        signature: What to export.
        path: The file; its folder exists.

    Raises:
        ExportError: An op has no counterpart, or the checker or ONNX Runtime refuses the graph. No file is
            left then.
    """
    model = convert(signature)
    check(model, signature.name)
    path.write_bytes(model.SerializeToString())


def convert(signature: Signature) -> onnx.ModelProto:
    """Returns a signature as an ONNX model with the declared names.

    Raises:
        ExportError: tf2onnx knows an op not, or failed to convert one; the message names them.
    """
    specs = [tf.TensorSpec(spec.free_shape, spec.dtype, spec.name) for spec in signature.inputs]
    names = [spec.name for spec in signature.inputs]

    def function(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = signature.function(**dict(zip(names, values, strict=True)))
        # Each output gets a node of its own, so that two names for one tensor stay two outputs.
        return {spec.name: tf.identity(outputs[spec.name]) for spec in signature.outputs}

    traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    with _collected_errors() as errors:
        graph = _as_onnx(traced)
        model = None if errors else optimized(graph, lambda: _as_onnx(traced)).make_model(signature.name)
    if model is None or errors:
        raise ExportError(_explained(signature.name, errors))
    _declare(model.graph.input, signature.inputs)
    _declare(model.graph.output, signature.outputs)
    for spec in signature.inputs:
        if spec.default is not None:
            # An initializer with the name of an input is what the input is when it is left out.
            model.graph.initializer.append(numpy_helper.from_array(np.array(spec.default, spec.dtype), spec.name))
    model.producer_name = "genzoo"
    model.doc_string = signature.description
    return model


def check(model: onnx.ModelProto, name: str) -> None:
    """Makes sure that a graph is valid ONNX and that ONNX Runtime loads it.

    Raises:
        ExportError: It is not, with the op or the reason.
    """
    for node in _nodes(model.graph):
        if node.op_type in _STATEFUL:
            raise ExportError(
                f"signature '{name}' draws random numbers without a seed (op {node.op_type}, node {node.name}), so no "
                "two runs can be compared. Draw with zoo.random from an input named 'seed'."
            )
        if not onnx.defs.has(node.op_type, node.domain):
            raise ExportError(f"signature '{name}': op {node.op_type} (node {node.name}) is not an ONNX op. {_REMEDY}")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"signature '{name}': the ONNX checker refuses the graph: {_first_line(error)}") from error
    open_session(model.SerializeToString(), name)


_STATEFUL = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
_REMEDY = "Use another op, or add a handler with export.register_op."


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yields the nodes of a graph and of the bodies of its loops and branches."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _nodes(body)


def _as_onnx(traced: Any) -> Any:
    """Returns tf2onnx's graph of a concrete function, with inputs named by its specs and outputs by its keys.

    These are the steps of `tf2onnx.convert.from_function` up to its passes.
    """
    inputs = [value.name for value in traced.inputs if value.dtype != tf.resource]
    names = {value.name: name for name, value in traced.structured_outputs.items()}
    names.update(zip(inputs, (spec.name for spec in traced.structured_input_signature[0]), strict=True))
    with tf.device("/cpu:0"):
        frozen = tf_loader.from_function(traced, inputs, [value.name for value in traced.outputs])
        with tf.Graph().as_default() as tf_graph:
            tf.import_graph_def(frozen, name="")
            return process_tf_graph(
                tf_graph,
                continue_on_error=True,  # so that all ops without a counterpart are named at once
                opset=OPSET,
                custom_op_handlers={op: (_adapted(handler), []) for op, handler in handlers().items()},
                input_names=inputs,
                output_names=[value.name for value in traced.outputs],
                tensors_to_rename=names,
            )


def _adapted(handler: Callable[[Any, Any], None]) -> Callable[[Any, Any, str, list], None]:
    """Returns a handler as tf2onnx calls it, with two arguments more."""
    return lambda graph, node, *_: handler(graph, node)


@contextlib.contextmanager
def _collected_errors() -> Iterator[list[str]]:
    """Collects what tf2onnx logs as errors, and keeps its log off the terminal."""
    errors: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            errors.append(record.getMessage())

    logger, collector = logging.getLogger("tf2onnx"), Collector(logging.ERROR)
    before = logger.level, logger.propagate
    logger.addHandler(collector)
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    try:
        yield errors
    finally:
        logger.removeHandler(collector)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def _explained(name: str, errors: list[str]) -> str:
    unknown = [re.search(r"Tensorflow op \[(.*): (\w+)\] is not supported", error) for error in errors]
    places: dict[str, list[str]] = {}
    for match in filter(None, unknown):
        places.setdefault(match.group(2), []).append(match.group(1))
    if not places:
        return f"signature '{name}': conversion to ONNX failed: {errors[0].splitlines()[0]}"
    listed = "; ".join(f"{op} (at {', '.join(where[:3])})" for op, where in places.items())
    return f"signature '{name}' has TensorFlow ops that ONNX has no counterpart for: {listed}. {_REMEDY}"


def _declare(values: Any, specs: tuple[NamedTensor, ...]) -> None:
    """Puts inputs or outputs in the declared order, with the declared names of their axes."""
    by_name = {value.name: onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in values}
    del values[:]
    for spec in specs:
        shape = by_name[spec.name].type.tensor_type.shape
        shape.Clear()
        for size in spec.shape:
            dimension = shape.dim.add()
            if isinstance(size, str):
                dimension.dim_param = size
            else:
                dimension.dim_value = size
        values.append(by_name[spec.name])


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
