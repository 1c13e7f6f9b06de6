"""What models are measured by: likelihoods, and classifiers of what they draw."""

import importlib
from typing import Any

from zoo.backend import check_environment

check_environment()  # before anything here imports Keras

_WHERE = {
    "Classifier": "zoo.metrics.classifier",
    "ConditionalAccuracy": "zoo.metrics.accuracy",
    "LogLikelihood": "zoo.metrics.likelihood",
    "conditional_accuracy": "zoo.metrics.accuracy",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'zoo.metrics' has no attribute '{name}'")
