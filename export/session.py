"""ONNX Runtime, set up the same everywhere, with errors that name what failed."""

from collections.abc import Mapping

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from export.errors import ExportError

_ERRORS = (
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NotImplemented,
    errors.RuntimeException,
)


def open_session(model: bytes, name: str, spinning: bool = True) -> onnxruntime.InferenceSession:
    """Returns a session on CPU for the bytes of a model. It logs errors only.

    Args:
        model: An ONNX file's content.
        name: The signature, for messages.
        spinning: Whether threads that wait for work keep their cores busy: quickest where nothing else needs these.

    Raises:
        ExportError: ONNX Runtime does not load it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except _ERRORS as error:
        raise ExportError(f"signature '{name}': ONNX Runtime refuses the graph: {_first_line(error)}") from error


def run_session(
    session: onnxruntime.InferenceSession,
    inputs: Mapping[str, np.ndarray],
    name: str,
    options: onnxruntime.RunOptions | None = None,
) -> dict[str, np.ndarray]:
    """Returns the outputs of a session by name.

    Args:
        session: Of the signature.
        inputs: By name, as declared.
        name: The signature, for messages.
        options: Of this run. Another thread may set their `terminate`, to stop it between two nodes.

    Raises:
        ExportError: A node fails, or the run was stopped.
    """
    names = [output.name for output in session.get_outputs()]
    try:
        outputs = session.run(names, dict(inputs), options)
    except _ERRORS as error:
        raise ExportError(f"signature '{name}': ONNX Runtime fails on it: {_first_line(error)}") from error
    return {key: np.asarray(value) for key, value in zip(names, outputs, strict=True)}


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
