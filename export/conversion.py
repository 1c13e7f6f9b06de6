"""Signatures as graphs of tf2onnx: traced, frozen and converted op by op, before any pass."""

import collections
from collections.abc import Callable, Iterator
from typing import Any

import onnx
import tensorflow as tf
from tf2onnx import tf_loader
from tf2onnx.tf_utils import TF_TO_ONNX_DTYPE
from tf2onnx.tfonnx import process_tf_graph

from export.errors import ExportError, first_line
from export.graphdef.branches import give_shapes
from export.graphdef.dilations import keep_apart, pad_before
from export.graphdef.loops import in_reverse, keep_lengths, placed_by_data, read_one_by_one
from export.obstacles import (
    BACKWARDS,
    MISPLACED,
    UNFILLED,
    Kind,
    Layers,
    NotExportable,
    Obstacle,
    Refusal,
    collected_errors,
    obstacles_of,
    of_kind,
    other_dtype,
    refused_graph,
    unfrozen,
    unsupported,
)
from export.ops import handlers
from export.tracing import traced
from zoo.signature import Signature

_DTYPES = TF_TO_ONNX_DTYPE.keys() - {tf.bfloat16.as_datatype_enum}


def concrete_function(signature: Signature, layers: Layers) -> Any:
    """Returns the concrete function of a signature.

    Functions that XLA compiles, as it does in Keras with convolutions in groups, stay closed to TensorFlow. Where there
    are any, all functions are traced in place.
    """
    concrete, eagerly = _concrete(signature, layers), tf.config.functions_run_eagerly()
    if not _has_compiled(concrete.graph.as_graph_def()):
        return concrete
    tf.config.run_functions_eagerly(True)
    try:
        return _concrete(signature, layers)
    except NotExportable:  # a function that autograph has to rewrite
        return concrete
    finally:
        tf.config.run_functions_eagerly(eagerly)


def _has_compiled(graph: Any) -> bool:
    functions = (function.node_def for function in graph.library.function)
    return any(node.attr["_XlaMustCompile"].b for nodes in (graph.node, *functions) for node in nodes)


def _concrete(signature: Signature, layers: Layers) -> Any:
    names = [spec.name for spec in signature.inputs]

    def function(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = signature.function(**dict(zip(names, values, strict=True)))
        # Each output gets a node of its own, so that two names for one tensor stay two outputs.
        return {spec.name: tf.identity(outputs[spec.name]) for spec in signature.outputs}

    specs = [tf.TensorSpec(spec.free_shape, spec.dtype, spec.name) for spec in signature.inputs]
    concrete = traced(signature, function, layers, *specs)
    given = {name: output.dtype.name for name, output in concrete.structured_outputs.items()}
    other = [spec for spec in signature.outputs if given[spec.name] != spec.dtype]
    if other:
        raise NotExportable(other_dtype(signature, spec.name, given[spec.name], spec.dtype) for spec in other)
    return concrete


def graph_of(signature: Signature, concrete: Any, layers: Layers, opset: int) -> tuple[Any, list[Obstacle]]:
    """Returns tf2onnx's graph of a signature with the names that it declares, and what could not be converted.

    These are the steps of `tf2onnx.convert.from_function` up to its passes.
    """
    # What a function captures, variables and constants, comes after its inputs, and is turned into constants.
    inputs = [value.name for value in concrete.inputs[: len(signature.inputs)]]
    outputs = [concrete.structured_outputs[spec.name].name for spec in signature.outputs]
    names = dict(zip(inputs + outputs, (spec.name for spec in (*signature.inputs, *signature.outputs)), strict=True))
    refused: list[Refusal] = []
    with collected_errors() as errors, tf.device("/cpu:0"):
        try:
            frozen = tf_loader.from_function(concrete, inputs, outputs)
        except (ValueError, tf.errors.OpError) as error:  # what it has compiled as a whole, and it must take apart
            return None, [unfrozen(signature, first_line(error), layers)]
        found = _refused(frozen)
        if found:
            return None, [of_kind(kind, signature, nodes, layers) for kind, nodes in found.items()]
        keep_lengths(frozen)
        pad_before(frozen)
        keep_apart(frozen)
        tf_graph = _with_shapes(frozen, concrete.graph)
        if give_shapes(frozen, tf_graph):
            tf_graph = _with_shapes(frozen, concrete.graph)
        try:
            with tf_graph.as_default():
                graph = process_tf_graph(
                    tf_graph,
                    continue_on_error=True,  # so that all ops without a counterpart are named at once
                    opset=opset,
                    custom_op_handlers={op: (_adapted(handler, refused), []) for op, handler in handlers().items()},
                    input_names=inputs,
                    output_names=outputs,
                    tensors_to_rename=names,
                )
        except ValueError as error:  # what it does not go on after
            remedy = "Gradients of loops inside of branches do this: leave the signature out, or use other ops."
            refusal = refused_graph(signature.name, "tf2onnx", first_line(error), layers, remedy)
            return None, obstacles_of(signature, errors, refused, (), layers) or [refusal]
    return graph, obstacles_of(signature, errors, refused, _nodes_of(graph), layers)


def _refused(graph: Any) -> dict[Kind, list[str]]:
    """Returns the names of nodes that are refused before the conversion, by the first kind that there are any of."""
    dtypes = {unsupported(dtype): nodes for dtype, nodes in _of_unsupported_dtypes(graph).items()}
    if dtypes:
        return dtypes
    for kind, find in ((BACKWARDS, in_reverse), (MISPLACED, placed_by_data), (UNFILLED, read_one_by_one)):
        nodes = list(find(graph))
        if nodes:
            return {kind: nodes}
    return {}


def _of_unsupported_dtypes(graph: Any) -> dict[str, list[str]]:
    """Returns the names of nodes that have to do with dtypes that tf2onnx does not know, or bfloat16, by dtype.

    It takes bfloat16 for float16.
    """
    found = collections.defaultdict(list)
    functions = (function.node_def for function in graph.library.function)
    for node in (node for nodes in (graph.node, *functions) for node in nodes):
        kinds = {kind for attribute in node.attr.values() for kind in (attribute.type, *attribute.list.type) if kind}
        for kind in kinds - _DTYPES:
            found[tf.dtypes.as_dtype(kind).name].append(node.name)
    return found


def _with_shapes(frozen: Any, known: tf.Graph) -> tf.Graph:
    """Returns a GraphDef as a graph, whose tensors have the shapes that they have in another graph."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen, name="")
        _copy_shapes(known, graph)
    return graph


def _copy_shapes(known: tf.Graph, graph: tf.Graph) -> None:
    """Gives the tensors of a graph the shapes that those of the same names have, which a graph in a file has not."""
    names = {operation.name for operation in known.get_operations()}
    for operation in graph.get_operations():
        if operation.name in names:
            same = known.get_operation_by_name(operation.name)
            for output, other in zip(operation.outputs, same.outputs, strict=False):
                if output.dtype == other.dtype and output.shape.is_compatible_with(other.shape):
                    output.set_shape(other.shape)


def _nodes_of(graph: Any) -> Iterator[Any]:
    """Yields the nodes of a graph of tf2onnx's and of the bodies of its loops and branches."""
    for node in graph.get_nodes():
        yield node
        for body in (node.get_body_graphs() or {}).values():
            yield from _nodes_of(body)


def _adapted(handler: Callable[[Any, Any], None], refused: list[Refusal]) -> Callable[[Any, Any, str, list], None]:
    """Returns a handler as tf2onnx calls it, with two arguments more, whose errors are kept: tf2onnx drops them."""

    def handle(graph: Any, node: Any, *_: Any) -> None:
        name, op = node.name, node.type
        try:
            handler(graph, node)
        except ExportError as error:
            refused.append((op, name, str(error).removeprefix(f"{name}: ")))
            raise
        except Exception as error:  # of a handler that a user registered, whatever it is
            refused.append((op, name, f"its handler fails with {error!r}"))
            raise
        if node.type == op and graph.get_node_by_name(name) is node and not onnx.defs.has(op):
            refused.append((op, name, "its handler leaves it in the graph, where it is to replace it: see docs/ops.md"))

    return handle
