"""A model's figures in one line."""

from collections.abc import Mapping
from typing import Any


def headline(figures: Mapping[str, Any]) -> str:
    """Returns the main figure of a model, with its standard error and how it was measured, or ""."""
    if "nll" not in figures:
        return ""
    return (
        f"NLL {figures['nll']:.2f} +- {figures['standard_error']:.2f} nats ({figures['data']} test, "
        f"{figures['images']:,} images, {figures['draws']:,} draws)"
    )
