"""What models are measured by: likelihoods, distances between features, and classifiers of what they draw."""

import importlib
from typing import Any

from zoo.backend import check_environment

check_environment()  # before anything here imports Keras

_WHERE = {
    "Classifier": "zoo.metrics.classifier",
    "ConditionalAccuracy": "zoo.metrics.accuracy",
    "Estimate": "zoo.metrics.estimate",
    "FeatureNetwork": "zoo.metrics.features",
    "FidelityAndDiversity": "zoo.metrics.neighbours",
    "KernelDiscrepancy": "zoo.metrics.kernel",
    "LogLikelihood": "zoo.metrics.likelihood",
    "Moments": "zoo.metrics.moments",
    "calibration_error": "zoo.metrics.calibration",
    "conditional_accuracy": "zoo.metrics.accuracy",
    "feature_network": "zoo.metrics.features",
    "fidelity_and_diversity": "zoo.metrics.neighbours",
    "frechet_distance": "zoo.metrics.frechet",
    "frechet_increase": "zoo.metrics.frechet",
    "kernel_distance": "zoo.metrics.kernel",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'zoo.metrics' has no attribute '{name}'")
