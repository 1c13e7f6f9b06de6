"""Export to SavedModel and ONNX, and running what was exported.

export.save(model, "bundle")          needs TensorFlow
export.load("bundle").sample(16)      needs NumPy and ONNX Runtime alone
export.verify("bundle")               whether it still does what the model did
"""

import importlib
from typing import Any

_WHERE = {
    "Bundle": ("export.runtime", "Bundle"),
    "ExportError": ("export.errors", "ExportError"),
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
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
