"""Products with weights in eight bits, by ONNX Runtime's own quantizer, in ops of ONNX alone.

Weights and activations are both unsigned: x86 processors without VNNI add products of signed and unsigned bytes in 16
bits, which overflow, and a file would give other values there. Weights have a scale for each output of theirs.

Weights that are only stored in eight bits are widened by Cast and Mul. Behind DequantizeLinear, which would be one
node, ONNX Runtime rounds what they are multiplied with too, though the file does not say so.
"""

import copy
import graphlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from export.bodies import read_by, read_inside
from export.errors import ExportError
from export.weights import PRODUCTS, store_weights, weights_of

Arrays = dict[str, np.ndarray]

_DYNAMIC = ["Conv", "Gemm", "MatMul"]  # no op of ONNX multiplies bytes in a transposed convolution
_LEVELS = 127


def in_int8(model: onnx.ModelProto, name: str, calibration: Sequence[Arrays] = ()) -> onnx.ModelProto | None:
    """Returns a model in eight bits, or None where there is nothing to quantize.

    Where an op cannot compute in eight bits (in the bodies of loops, and transposed convolutions without calibration),
    its weights are stored in them.

    Args:
        model: In float32; it is not changed.
        name: The signature, for messages.
        calibration: Inputs to measure ranges with, once; without any, each run measures its own.

    Raises:
        ExportError: ONNX Runtime's quantizer fails.
    """
    quantized = onnx.ModelProto.FromString(model.SerializeToString())
    if any(node.op_type in PRODUCTS for node in model.graph.node):
        quantized = _quantized(quantized, name, calibration)
    integers = any(node.op_type in ("DynamicQuantizeLinear", "QuantizeLinear") for node in quantized.graph.node)
    return quantized if store_weights(quantized, _narrow) or integers else None


def _quantized(model: onnx.ModelProto, name: str, calibration: Sequence[Arrays]) -> onnx.ModelProto:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static

    declared = onnx.GraphProto.FromString(model.graph.SerializeToString())
    # As constants, which they are in all that is measured, inputs with a default are no cause for ONNX Runtime to warn.
    overridable = {value.name for value in declared.input} & {tensor.name for tensor in declared.initializer}
    kept = [value for value in declared.input if value.name not in overridable]
    del model.graph.input[:]
    model.graph.input.extend(kept)

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(calibration)

        def get_next(self) -> Any:
            rows = next(self.left, None)
            return rows and {name: value for name, value in rows.items() if name not in overridable}

    # Says that shapes are inferred already; otherwise ONNX Runtime sets up logging to advise it.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    options: dict[str, Any] = {"per_channel": True, "weight_type": QuantType.QUInt8}
    options["nodes_to_exclude"] = _with_weights_of_two_axes(model.graph) + _with_stacked_weights(model.graph)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "quantized.onnx")
        try:
            if calibration:
                options |= {"op_types_to_quantize": list(PRODUCTS), "activation_type": QuantType.QUInt8}
                kept_whole = (_last_products, _constant_on_the_left, _read_in_bodies)
                options["nodes_to_exclude"] += [name for found in kept_whole for name in found(model.graph)]
                quantize_static(model, path, Reader(), **options)
            else:
                quantize_dynamic(model, path, op_types_to_quantize=_DYNAMIC, **options)
        except OSError:  # a disk that is full, which is not for want of another reduction
            raise
        except Exception as error:  # whatever the quantizer fails with
            raise ExportError(
                f"signature '{name}': ONNX Runtime does not quantize the graph ({type(error).__name__}: "
                f"{str(error).strip().splitlines()[0] if str(error).strip() else 'no reason given'}). Leave it out "
                "(signatures, --signatures), or take float16."
            ) from error
        quantized = onnx.load(path)
        _sort(quantized.graph)
    _keep_inputs(quantized.graph, declared)
    return quantized


def _keep_inputs(graph: onnx.GraphProto, declared: onnx.GraphProto) -> None:
    """Puts back inputs that have a default, also where nothing reads them: the quantizer drops what nothing reads."""
    there = {value.name for value in (*graph.input, *graph.initializer)}
    names = {value.name for value in declared.input} - there
    graph.initializer.extend(tensor for tensor in declared.initializer if tensor.name in names)
    del graph.input[:]
    graph.input.extend(declared.input)


def _last_products(graph: onnx.GraphProto) -> list[str]:
    """Returns products that no other follows, whose results would be rounded to 256 levels by static quantization.

    Logits of pixels range so far that a level of theirs is a visible step.
    """
    leads_on: set[str] = set()
    found = []
    for node in reversed(graph.node):
        follows = any(name in leads_on for name in node.output)
        if node.op_type in PRODUCTS and not follows:
            found.append(node.name)
        if node.op_type in PRODUCTS or follows:
            leads_on |= read_by(node)
    return found


def _constant_on_the_left(graph: onnx.GraphProto) -> list[str]:
    """Returns products of a constant with a tensor, as in resizing: their scales can only be of the second."""
    constants = {tensor.name for tensor in graph.initializer}
    return [node.name for node in graph.node if node.op_type in ("Gemm", "MatMul") and node.input[0] in constants]


def _read_in_bodies(graph: onnx.GraphProto) -> list[str]:
    """Returns products whose results, or what else is made of these without another product, a body reads or gives.

    ONNX Runtime takes the roundings of such results to those that read them, and does not know how in a body: it ends
    the process.
    """
    inside = {name for node in graph.node for name in read_inside(node)}
    found = []
    for node in reversed(graph.node):
        if not inside.isdisjoint(node.output):
            if node.op_type in PRODUCTS:
                found.append(node.name)
            else:
                inside |= read_by(node)
    return found


def _sort(graph: onnx.GraphProto) -> None:
    """Puts nodes behind all that they read: the quantizer does not look into bodies."""
    nodes = [copy.copy(node) for node in graph.node]
    makers = {name: place for place, node in enumerate(nodes) for name in node.output}
    before = {place: [makers[name] for name in read_by(node) & makers.keys()] for place, node in enumerate(nodes)}
    del graph.node[:]
    graph.node.extend(nodes[place] for place in graphlib.TopologicalSorter(before).static_order())


def _with_weights_of_two_axes(graph: onnx.GraphProto) -> list[str]:
    """Returns products whose weights another takes along another axis, as in gradients: scales fit one of them."""
    axes: dict[str, set[int]] = {}
    for _, weight, axis in weights_of(graph):
        axes.setdefault(weight, set()).add(axis)
    return sorted({node for node, weight, _ in weights_of(graph) if len(axes[weight]) > 1})


def _with_stacked_weights(graph: onnx.GraphProto) -> list[str]:
    """Returns products of stacks of matrices, of which ONNX Runtime takes no scale for each output."""
    ranks = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    return [
        node.name
        for node in graph.node
        if node.op_type == "MatMul" and any(ranks.get(name, 0) > 2 for name in node.input)
    ]


def _narrow(name: str, values: np.ndarray, axis: int) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    axis %= values.ndim
    others = tuple(place for place in range(values.ndim) if place != axis)
    scales = np.maximum(np.abs(values).max(axis=others, keepdims=True), np.finfo(np.float32).tiny * _LEVELS) / _LEVELS
    levels, scale = f"{name}/int8", f"{name}/scale"
    stored = [
        numpy_helper.from_array(np.rint(values / scales).astype(np.int8), levels),
        numpy_helper.from_array(scales.astype(np.float32), scale),
    ]
    wide = f"{name}/wide"
    return [
        helper.make_node("Cast", [levels], [wide], wide, to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [wide, scale], [name], f"{name}/float"),
    ], stored
