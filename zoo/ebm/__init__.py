"""Energy-based models, and samplers of any energy function."""

import importlib
from typing import Any

from zoo.backend import check_environment

check_environment()  # before anything here imports Keras

_WHERE = {
    "Chains": "zoo.ebm.chains",
    "GeometricPath": "zoo.ebm.partition",
    "LogPartition": "zoo.ebm.partition",
    "annealed_importance_sampling": "zoo.ebm.partition",
    "diagnose_chains": "zoo.ebm.diagnostics",
    "plot_chains": "zoo.ebm.diagnostics",
    "run_chains": "zoo.ebm.chains",
}
_MODULES = ("objectives", "samplers")

__all__ = sorted([*_WHERE, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"zoo.ebm.{name}")
    raise AttributeError(f"module 'zoo.ebm' has no attribute '{name}'")
