"""Export to SavedModel and ONNX, and running what was exported.

export.save(model, "bundle")          needs TensorFlow
export.load("bundle").sample(16)      needs NumPy and ONNX Runtime alone
export.verify("bundle")               whether it still does what the model did
"""

import importlib
import os
from typing import Any

_WHERE = {
    "Bundle": ("export.runtime", "Bundle"),
    "ExportError": ("export.errors", "ExportError"),
    "Reduction": ("export.reduction", "Reduction"),
    "check_exportable": ("export.lint", "check_exportable"),
    "load": ("export.runtime", "load"),
    "register_op": ("export.ops", "register"),
    "save": ("export.bundle", "save"),
    "save_grid": ("export.pictures", "save_grid"),
    "side_by_side": ("export.pictures", "side_by_side"),
    "verify": ("export.verification", "verify"),
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    # Loaded on first use (PEP 562), so that `export.load` never pays for TensorFlow.
    if name not in _WHERE:
        raise AttributeError(f"module 'export' has no attribute '{name}'")
    module, attribute = _WHERE[name]
    if name in ("check_exportable", "save"):
        _check_environment()
    return getattr(importlib.import_module(module), attribute)


def _check_environment() -> None:
    """Refuses set-ups in which Keras would fail, or be Keras 2, before it is imported."""
    from export.errors import ExportError

    for variable, wanted in (("KERAS_BACKEND", "tensorflow"), ("TF_USE_LEGACY_KERAS", "0")):
        value = os.environ.get(variable, wanted)
        if value.lower() not in (wanted, "", "false"):
            raise ExportError(f"{variable} is '{value}', and export needs Keras 3 on TensorFlow. Unset {variable}.")


def __dir__() -> list[str]:
    return __all__
