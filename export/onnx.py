"""Signatures as ONNX files: converted by tf2onnx, then distrusted until shown to work.

tf2onnx goes on after an op that it does not know, and writes a file that no runtime loads. So every message
of error that it logs counts as a failure here, every op of the result is looked up in ONNX's own schemas, and
the checker and ONNX Runtime both have to accept the graph.
"""

import contextlib
import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import numpy_helper

from export.axes import count_from_front
from export.bodies import graphs_of
from export.compaction import compact
from export.conversion import concrete_function, graph_of
from export.errors import ExportError, first_line
from export.manifest import describe
from export.obstacles import (
    Layers,
    NotExportable,
    Obstacle,
    collected_errors,
    obstacles_of,
    refused_graph,
    too_large,
)
from export.opsets import OPSET, at_opset
from export.pads import keep_pads
from export.passes import optimized, plain
from export.session import open_session
from zoo.signature import NamedTensor, Signature

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
    concrete = concrete_function(signature, layers)
    size = sum(variable.shape.num_elements() * variable.dtype.size for variable in concrete.graph.variables)
    if size >= LARGEST:
        raise NotExportable([too_large(signature, size, LARGEST)])
    graph, found = graph_of(signature, concrete, layers, opset)
    if not found:
        with collected_errors() as errors:
            again = lambda: graph_of(signature, concrete, layers, opset)[0]  # noqa: E731
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
    count_from_front(model)
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
