"""What a graph in half precision gives where every value in it is rounded, in ops of float32 that any processor has.

ONNX Runtime has few kernels of half precision for CPUs. It computes most nodes in float32, and leaves the casts between
two of them out, so that what overflows or loses its digits on other hardware does not there. Sums inside of products
are float32 here too, as they are on most hardware.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.half import HALF

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
        model: It is not changed. What was in half precision before stays so.
    """
    result = onnx.ModelProto.FromString(model.SerializeToString())
    graph = result.graph
    stored = [tensor for tensor in graph.initializer if tensor.name.endswith(HALF)]
    for tensor in stored:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
        name = node.output[0]
        if name.endswith(HALF):
            if node.op_type == "Cast":
                nodes[-1].CopyFrom(helper.make_node("Cast", node.input, node.output, node.name, to=TensorProto.FLOAT))
            nodes[-1].output[0] = f"{name}/exact"
            nodes.extend(_rounded(f"{name}/exact", name))
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.float32), name) for name, value in _CONSTANTS.items()
    )
    del graph.value_info[:]
    return result


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
