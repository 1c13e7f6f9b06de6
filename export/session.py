"""ONNX Runtime, set up the same everywhere, with errors that name what failed."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from export import manifest as manifests
from export.errors import ExportError, first_line
from export.external_data import files_of

ONNX_FILE, WEIGHTS_FILE = "onnx/{name}.onnx", "onnx/{name}.onnx.data"  # in a bundle; the second of large models alone
CPU = "CPUExecutionProvider"
_ERRORS = (
    errors.EPFail,
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NotImplemented,
    errors.RuntimeException,
)


def open_session(
    model: bytes | Path, name: str, provider: str = CPU, threads: int | None = None, spinning: bool = True
) -> onnxruntime.InferenceSession:
    """Returns a session. It logs nothing: what fails is raised.

    Args:
        model: An ONNX file's content, or its path where it keeps its weights in another file.
        name: The signature, for messages.
        provider: Where ONNX Runtime computes, by its name for it.
        threads: How many an op may use; by default one a core.
        spinning: Whether threads that wait for work keep their cores busy: quickest where nothing else needs these.

    Raises:
        ExportError: ONNX Runtime does not load it, has no such provider here, or cannot start it.
    """
    check_provider(provider)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if threads is not None:
        options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    try:
        content = str(model) if isinstance(model, Path) else model
        # By default, it would run on the CPU what a provider fails at, and only print that it does.
        session = onnxruntime.InferenceSession(content, options, providers=[provider], enable_fallback=0)
    except _ERRORS as error:
        raise ExportError(f"signature '{name}': ONNX Runtime refuses the graph: {first_line(error)}") from error
    except RuntimeError as error:
        raise _not_started(provider, f": {first_line(error).rstrip('.')}") from error
    started = session.get_providers()
    if provider not in started:  # one that is compiled in, and whose libraries or device are not here
        raise _not_started(provider, f", and would compute on {', '.join(started)}")
    return session


def check_provider(provider: str) -> None:
    """Raises an `ExportError` where ONNX Runtime has no such provider."""
    known = onnxruntime.get_available_providers()
    if provider not in known:
        raise ExportError(f"ONNX Runtime has no provider '{provider}' here. It has: {', '.join(known)}.")


def _not_started(provider: str, what: str) -> ExportError:
    return ExportError(
        f"ONNX Runtime cannot start '{provider}'{what}. Install what it needs, a driver and libraries, as "
        f"https://onnxruntime.ai/docs/execution-providers says, or choose another provider, such as {CPU}."
    )


def onnx_file(directory: Path, name: str, recorded: Mapping[str, dict[str, Any]] | None = None) -> bytes | Path:
    """Returns what to open for a signature of a bundle: the content of its file, or its path if it has weights beside.

    Content is what was checked: nothing can change it any more. A file of weights, which ONNX Runtime reads by itself
    and by the path of the graph, is checked before.

    Args:
        directory: The bundle.
        name: The signature.
        recorded: The files of its manifest, or None where their hashes are known to be right.

    Raises:
        ExportError: A file is missing or altered, or weights are to come from any other file.
    """
    file, weights = ONNX_FILE.format(name=name), WEIGHTS_FILE.format(name=name)
    unknown = {"sha256": None}
    path = manifests.path_of(directory, file)
    content = (
        path.read_bytes() if recorded is None else manifests.read_file(directory, file, recorded.get(file, unknown))
    )
    sources = files_of(content, str(path))
    if not sources:
        return content
    beside = PurePosixPath(weights).name
    if sources != {beside}:
        raise ExportError(
            f"{path} takes weights from {', '.join(map(repr, sorted(sources - {beside})))}, expected from '{beside}' "
            "beside it alone. Export the model again."
        )
    if recorded is None:
        manifests.path_of(directory, weights)
    else:
        manifests.check_file(directory, weights, recorded.get(weights, unknown))
    return path


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
        ExportError: A node fails, the run was stopped, the graph is not one of the signature, or it gives other shapes
            than are declared.
    """
    names = [output.name for output in session.get_outputs()]
    try:
        outputs = session.run(names, dict(inputs), options)
    except _ERRORS as error:
        raise ExportError(f"signature '{name}': ONNX Runtime fails on it: {first_line(error)}") from error
    except ValueError as error:  # of its Python part, where the graph has other inputs
        raise ExportError(
            f"signature '{name}': its graph takes other inputs than are declared: {first_line(error)} Export the "
            "model again."
        ) from error
    found = {key: np.asarray(value) for key, value in zip(names, outputs, strict=True)}
    for output in session.get_outputs():
        value, declared = found[output.name], output.shape
        fits = value.ndim == len(declared) and all(
            not isinstance(size, int) or size == given for size, given in zip(declared, value.shape, strict=True)
        )
        if not fits:
            raise ExportError(
                f"signature '{name}': output '{output.name}' has shape {list(value.shape)}, declared is {declared}. A "
                "graph holds one way through a model, and for inputs of these sizes the model takes another: give "
                "inputs of the sizes that it is for."
            )
    return found
