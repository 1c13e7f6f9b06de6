"""Generative adversarial networks."""

import importlib
from typing import Any

from zoo.backend import check_environment

check_environment()  # before anything here imports Keras

_WHERE: dict[str, str] = {}
_MODULES = ("augmentation", "designs", "inversion", "losses", "monitors", "penalties")

__all__ = sorted([*_WHERE, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"zoo.gan.{name}")
    raise AttributeError(f"module 'zoo.gan' has no attribute '{name}'")
