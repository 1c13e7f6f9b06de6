"""Variational autoencoders and their kin."""

import importlib
from typing import Any

from zoo.backend import check_environment

check_environment()  # before anything here imports Keras

_WHERE = {
    "LatentDiagnostics": "zoo.vae.diagnostics",
    "PosteriorCollapse": "zoo.vae.collapse",
    "diagnose": "zoo.vae.diagnostics",
    "maximum_mean_discrepancy": "zoo.vae.info",
}
_MODULES = ("likelihoods", "posteriors", "priors", "quantizers")

__all__ = sorted([*_WHERE, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"zoo.vae.{name}")
    raise AttributeError(f"module 'zoo.vae' has no attribute '{name}'")
