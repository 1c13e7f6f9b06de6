"""The opsets that files may have, and how a model gets to one."""

import functools

import onnx
import onnxruntime
from onnx import version_converter

from export.errors import ExportError, first_line
from export.session import open_session

OPSET = 18  # the newest that tf2onnx writes, and the oldest with the bitwise ops that random numbers need
_OLDEST = 13  # before it, axes and shapes were written otherwise


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
