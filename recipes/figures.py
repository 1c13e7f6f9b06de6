"""A model's figures in one line."""

from collections.abc import Mapping
from typing import Any


def headline(figures: Mapping[str, Any]) -> str:
    """Returns the main figure of a model, with its standard error and how it was measured, or ""."""
    if "accuracy" in figures:
        return (
            f"accuracy {figures['accuracy']:.2%} +- {figures['standard_error']:.2%} ({figures['data']} test, "
            f"{figures['images']:,} images)"
        )
    if "nll" not in figures:
        return ""
    agreement = ""
    if "conditional_accuracy" in figures:
        share, error = figures["conditional_accuracy"], figures["conditional_accuracy_error"]
        agreement = (
            f"; {figures['classifier']} sees the class asked for in {share:.2%} +- {error:.2%} of "
            f"{figures['conditional_accuracy_samples']:,} samples"
        )
    return (
        f"NLL {figures['nll']:.2f} +- {figures['standard_error']:.2f} nats ({figures['data']} test, "
        f"{figures['images']:,} images, {figures['draws']:,} draws){agreement}"
    )
