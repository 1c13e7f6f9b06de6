"""Signatures as ONNX files: converted by tf2onnx, then distrusted until shown to work.

tf2onnx goes on after an op that it does not know, and writes a file that no runtime loads. So every message
of error that it logs counts as a failure here, every op of the result is looked up in ONNX's own schemas, and
the checker and ONNX Runtime both have to accept the graph.
"""

import contextlib
import functools
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from onnx import numpy_helper, version_converter
from tf2onnx import tf_loader
from tf2onnx.tfonnx import process_tf_graph

from export.bodies import graphs_of
from export.branches import give_shapes
from export.compaction import compact
from export.dilations import keep_apart
from export.errors import ExportError, first_line
from export.manifest import describe
from export.obstacles import (
    Layers,
    NotExportable,
    Obstacle,
    Refusal,
    collected_errors,
    obstacles_of,
    other_dtype,
    refused_graph,
    too_coarse,
    too_large,
    unfrozen,
)
from export.ops import handlers
from export.pads import keep_pads
from export.passes import optimized, plain
from export.session import open_session
from export.tracing import traced
from zoo.signature import NamedTensor, Signature

OPSET = 18  # the newest that tf2onnx writes, and the oldest with the bitwise ops that random numbers need
_OLDEST = 13  # before it, axes and shapes were written otherwise
EXTERNAL_ABOVE = 2**30  # bytes of a file; Protobuf allows 2**31
LARGEST = 2**31  # bytes of the weights of a signature, which TensorFlow makes one Protobuf of on the way

Passes = Literal["lean", "tf2onnx", "none"]


def write(
    signature: Signature,
    path: Path,
    layers: Layers = frozenset(),
    opset: int = OPSET,
    properties: Mapping[str, str] | None = None,
    accept: Callable[[], None] | None = None,
) -> None:
    """Writes one signature as an ONNX file.

    A file above `EXTERNAL_ABOVE` bytes keeps its weights in another beside it, NAME.onnx.data. Where the passes that
    make a graph lean have made one that is not accepted, it is written as tf2onnx's own passes leave it.

    Args:
        signature: What to export.
        path: The file; its folder exists.
        layers: Names of layers, to say where an op comes from.
        opset: One of `opsets()`.
        properties: More texts for the metadata of the file, by name.
        accept: Raises ExportError where the file that is there now does not give what it should.

    Raises:
        ExportError: The opset cannot be had, or the file is not accepted.
        NotExportable: An op has no counterpart, or the checker or ONNX Runtime refuses the graph. No file is
            left then.

    Warns:
        UserWarning: The file is as tf2onnx leaves it.
    """
    texts = {"signature": json.dumps({"name": signature.name, **describe(signature)}), **(properties or {})}

    def write_once(model: onnx.ModelProto) -> None:
        model = at_opset(model, opset, signature.name)
        onnx.helper.set_model_props(model, texts)
        save(model, path, signature.name, layers)
        if accept is not None:
            accept()

    lean = convert(signature, layers, min(opset, OPSET))
    try:
        write_once(lean)
    except ExportError as refused:
        try:
            write_once(convert(signature, layers, min(opset, OPSET), "tf2onnx"))
        except ExportError:  # it is not for the passes
            _remove(path)
            raise refused from None
        warnings.warn(
            f"The ONNX file of '{signature.name}' is as tf2onnx leaves it: right, but larger and slower. Made lean, it "
            f"was refused: {refused}",
            stacklevel=2,
        )


def save(model: onnx.ModelProto, path: Path, name: str, layers: Layers = frozenset()) -> None:
    """Checks a model, and writes it in place of what is there. Errors are those of `check`; no file is left then."""
    _remove(path)
    if model.ByteSize() > EXTERNAL_ABOVE:
        onnx.save_model(model, path, save_as_external_data=True, location=f"{path.name}.data")
        try:
            check(path, name, layers)
        except ExportError:
            _remove(path)
            raise
    else:
        check(model, name, layers)
        path.write_bytes(model.SerializeToString())


def _remove(path: Path) -> None:
    for file in (path, path.with_name(f"{path.name}.data")):  # onnx appends to weights that are there
        file.unlink(missing_ok=True)


def convert(
    signature: Signature, layers: Layers = frozenset(), opset: int = OPSET, passes: Passes = "lean"
) -> onnx.ModelProto:
    """Returns a signature as an ONNX model with the declared names.

    Args:
        signature: What to convert.
        layers: Names of layers, to say where an op comes from.
        opset: From 13 to 18.
        passes: What makes the graph smaller: our passes, those of tf2onnx alone, or nothing.

    Raises:
        NotExportable: Ops have no counterpart, or failed to convert; the message names them all.
    """
    concrete = _traced(signature, layers)
    size = sum(variable.shape.num_elements() * variable.dtype.size for variable in concrete.graph.variables)
    if size >= LARGEST:
        raise NotExportable([too_large(signature, size, LARGEST)])
    graph, found = _as_onnx(signature, concrete, layers, opset)
    if not found:
        with collected_errors() as errors:
            again = lambda: _as_onnx(signature, concrete, layers, opset)[0]  # noqa: E731
            if passes != "none":
                graph = optimized(graph, again) if passes == "lean" else plain(graph)
            refused = keep_pads(graph)
            model = graph.make_model(signature.name)
        found = obstacles_of(signature, errors, refused, (), layers)
    if found:
        raise NotExportable(found)
    compact(model)
    _declare(model.graph.input, signature.inputs)
    _declare(model.graph.output, signature.outputs)
    for spec in signature.inputs:
        if spec.default is not None:
            # An initializer with the name of an input is what the input is when it is left out.
            model.graph.initializer.append(numpy_helper.from_array(np.array(spec.default, spec.dtype), spec.name))
    model.producer_name = "genzoo"
    used = {node.domain for graph in graphs_of(model.graph) for node in graph.node}
    for opset_id in [each for each in model.opset_import if each.domain and each.domain not in used]:
        model.opset_import.remove(opset_id)  # tf2onnx's habit, which some runtimes refuse
    model.doc_string = signature.description
    return model


def obstacles(signature: Signature, layers: Layers = frozenset()) -> list[Obstacle]:
    """Returns what keeps a signature from being written.

    A graph that is accepted as it is converted will be after the passes, which take longer than all else. One that is
    not may be after them: it is written to a folder that is not kept.
    """
    try:
        model = convert(signature, layers, passes="none")
    except NotExportable as error:
        return list(error.obstacles)
    if model.ByteSize() <= EXTERNAL_ABOVE:
        with contextlib.suppress(NotExportable):
            check(model, signature.name, layers)
            return []
    with tempfile.TemporaryDirectory() as folder:
        try:
            write(signature, Path(folder) / f"{signature.name}.onnx", layers)
        except NotExportable as error:
            return list(error.obstacles)
    return []


def check_opset(opset: int) -> None:
    """Raises an ExportError where an opset is not one of `opsets()`."""
    known = opsets()
    if isinstance(opset, bool) or not isinstance(opset, int) or opset not in known:
        raise ExportError(
            f"opset is {opset!r}, expected an integer from {known.start} to {known.stop - 1}, the newest that ONNX "
            f"Runtime {onnxruntime.__version__} loads; {OPSET} is the default."
        )


@functools.cache
def opsets() -> range:
    """Returns the opsets that files may have: up to the newest that the ONNX Runtime that is installed loads."""
    newest = onnx.defs.onnx_opset_version()
    while not _loads(newest):
        newest -= 1
    return range(_OLDEST, newest + 1)


def _loads(opset: int) -> bool:
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch"]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "probe", values[:1], values[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)
    try:
        open_session(model.SerializeToString(), "probe")
    except ExportError:
        return False
    return True


def at_opset(model: onnx.ModelProto, opset: int, name: str) -> onnx.ModelProto:
    """Returns a model at an opset, by ONNX's version converter.

    Raises:
        ExportError: It knows no way there.
    """
    if model.opset_import[0].version == opset:
        return model
    try:
        converted = version_converter.convert_version(model, opset)
    except (RuntimeError, version_converter.ConvertError) as error:
        raise ExportError(
            f"signature '{name}': ONNX's version converter does not bring it to opset {opset} ({first_line(error)}). "
            f"Export with opset {OPSET}."
        ) from error
    del converted.graph.value_info[:]  # shapes of all tensors, which no file of ours has
    least = onnx.helper.find_min_ir_version_for(list(converted.opset_import))
    converted.ir_version = max(converted.ir_version, least)
    return converted


def check(model: onnx.ModelProto | Path, name: str, layers: Layers = frozenset()) -> None:
    """Makes sure that a graph, or a file with one, is valid ONNX and that ONNX Runtime loads it.

    Args:
        model: The graph, or the file.
        name: The signature, for messages.
        layers: Names of layers, to say where a node comes from.

    Raises:
        NotExportable: It is not, with the op or the reason.
    """
    loaded = onnx.load(model, load_external_data=False) if isinstance(model, Path) else model
    for node in (node for graph in graphs_of(loaded.graph) for node in graph.node):
        if not onnx.defs.has(node.op_type, node.domain):
            raise NotExportable([Obstacle(name, node.op_type, (), (), "is not an ONNX op", "Use other ops.")])
    try:
        onnx.checker.check_model(str(model) if isinstance(model, Path) else model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        opset = loaded.opset_import[0].version
        remedy = "Use other ops: tf2onnx does not convert these as ONNX has them."
        if opset < OPSET:
            remedy = f"Opset {opset} may lack an op that opset {OPSET} has: export with that."
        raise NotExportable([refused_graph(name, "The ONNX checker", first_line(error), layers, remedy)]) from error
    try:
        open_session(model if isinstance(model, Path) else model.SerializeToString(), name)
    except ExportError as error:
        reason = str(error).partition("refuses the graph: ")[2]
        opset = loaded.opset_import[0].version
        other = "" if opset == OPSET else f", or opset {OPSET}"
        remedy = f"Use other ops, or another dtype{other}."
        raise NotExportable([refused_graph(name, "ONNX Runtime", reason, layers, remedy)]) from error


def _traced(signature: Signature, layers: Layers) -> Any:
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


def _as_onnx(signature: Signature, concrete: Any, layers: Layers, opset: int) -> tuple[Any, list[Obstacle]]:
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
        except ValueError as error:  # TensorFlow's, where it has compiled as a whole what it must take apart
            return None, [unfrozen(signature, first_line(error), layers)]
        in_bfloat16 = list(_in_bfloat16(frozen))
        if in_bfloat16:
            return None, [too_coarse(signature, in_bfloat16, layers)]
        keep_apart(frozen)
        tf_graph = _with_shapes(frozen, concrete.graph)
        if give_shapes(frozen, tf_graph):
            tf_graph = _with_shapes(frozen, concrete.graph)
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
    return graph, obstacles_of(signature, errors, refused, _graph_nodes(graph), layers)


def _in_bfloat16(graph: Any) -> Iterator[str]:
    """Yields the names of nodes that have anything to do with bfloat16, which tf2onnx takes for float16."""
    functions = (function.node_def for function in graph.library.function)
    for node in (node for nodes in (graph.node, *functions) for node in nodes):
        kinds = (kind for attribute in node.attr.values() for kind in (attribute.type, *attribute.list.type))
        if tf.bfloat16.as_datatype_enum in kinds:
            yield node.name


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


def _graph_nodes(graph: Any) -> Iterator[Any]:
    """Yields the nodes of a graph of tf2onnx's and of the bodies of its loops and branches."""
    for node in graph.get_nodes():
        yield node
        for body in (node.get_body_graphs() or {}).values():
            yield from _graph_nodes(body)


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

    return handle


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
