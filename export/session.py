"""ONNX Runtime, set up the same everywhere."""

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

RUNTIME_ERRORS = (
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NotImplemented,
    errors.RuntimeException,
)


def open_session(model: bytes | str) -> onnxruntime.InferenceSession:
    """Returns a session on CPU for the bytes of a model, or for a path. It logs errors only."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
