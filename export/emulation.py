"""What a graph in half precision gives where every value in it is rounded, in ops of float32 that any processor has.

ONNX Runtime has few kernels of half precision for CPUs. It computes most nodes in float32, and leaves the casts between
two of them out, so that what overflows or loses its digits on other hardware does not there. Sums inside of products
are float32 here too, as they are on most hardware.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# x c - (x c - x) keeps the 11 digits that half precision has of the 24 of float32 (Dekker 1971, with c = 2^13 + 1).
_SPLIT = float(2**13 + 1)
_OVERFLOWS = 65520.0  # what rounds beyond the largest number
# Below the smallest normal number digits end at 2^-24, as those of float32 do between 0.5 and 1.
_SUBNORMAL, _COARSE = float(2**-14), 0.75
_CONSTANTS = {
    "half/split": _SPLIT,
    "half/overflows": _OVERFLOWS,
    "half/subnormal": _SUBNORMAL,
    "half/coarse": _COARSE,
    "half/infinity": np.inf,
}


def emulated(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a model of `export.half.in_half` that computes in float32, and rounds as it says.

    Args:
        model: One whose main graph alone has tensors in half precision. It is not changed.
    """
    result = onnx.ModelProto.FromString(model.SerializeToString())
    graph = result.graph
    halves = _in_half(result)
    stored = [tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT16]
    for tensor in stored:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
        if node.op_type == "Cast" and _target(node) in (TensorProto.FLOAT, TensorProto.FLOAT16):
            nodes[-1].CopyFrom(helper.make_node("Cast", node.input, node.output, node.name, to=TensorProto.FLOAT))
        if node.output[0] in halves:
            name = node.output[0]
            nodes[-1].output[0] = f"{name}/exact"
            nodes.extend(_rounded(f"{name}/exact", name))
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.float32), name) for name, value in _CONSTANTS.items()
    )
    del graph.value_info[:]
    return result


def _in_half(model: onnx.ModelProto) -> set[str]:
    """Returns the names of what nodes of the main graph give in half precision."""
    values = onnx.shape_inference.infer_shapes(model).graph.value_info
    return {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT16}


def _target(cast: onnx.NodeProto) -> int:
    return next(attribute.i for attribute in cast.attribute if attribute.name == "to")


def _rounded(given: str, result: str) -> Iterator[onnx.NodeProto]:
    """Yields nodes that round a float32 tensor to the nearest number of half precision."""

    def name(part: str) -> str:
        return f"{result}/{part}"

    for op, inputs, output in (
        ("Mul", (given, "half/split"), name("large")),
        ("Sub", (name("large"), given), name("rest")),
        ("Sub", (name("large"), name("rest")), name("normal")),
        ("Add", (given, "half/coarse"), name("raised")),
        ("Sub", (name("raised"), "half/coarse"), name("subnormal")),
        ("Abs", (given,), name("size")),
        ("Less", (name("size"), "half/subnormal"), name("is_small")),
        ("Where", (name("is_small"), name("subnormal"), name("normal")), name("finite")),
        ("GreaterOrEqual", (name("size"), "half/overflows"), name("is_large")),
        ("Mul", (given, "half/infinity"), name("infinite")),
        ("Where", (name("is_large"), name("infinite"), name("finite")), result),
    ):
        yield helper.make_node(op, inputs, [output], f"{output}/made")
