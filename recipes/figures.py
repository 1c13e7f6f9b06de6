"""A model's figures in one line, and in several."""

from collections.abc import Mapping
from typing import Any

GIVEN_LABEL = "given the label"  # in what the likelihood of a conditional model is of


def headline(figures: Mapping[str, Any]) -> str:
    """Returns the main figures of a model, with their standard errors and how they were measured, or ""."""
    if "accuracy" in figures:
        return (
            f"accuracy {figures['accuracy']:.2%} +- {figures['standard_error']:.2%} ({figures['data']} test, "
            f"{figures['images']:,} images)"
        )
    return "; ".join(part for part in (_likelihood(figures), _samples(figures), _agreement(figures)) if part)


def _likelihood(figures: Mapping[str, Any]) -> str:
    if "nll" not in figures:
        return ""
    bits = f", {figures['bits_per_dimension']:.3f} bits/dim" if has_levels(figures) else ""
    bounds = "bounds {:.2f} and {:.2f}; ".format(*figures["nll_bounds"]) if "nll_bounds" in figures else ""
    return (
        f"NLL {nats(figures)}{bits}{given_label(figures)} "
        f"({bounds}{figures['data']} test, {figures['images']:,} images, {draws(figures)})"
    )


def nats(figures: Mapping[str, Any]) -> str:
    """Returns "86.36 +- 0.24 nats", or "at most" so many where it is the bound itself, of one draw."""
    at_most = "at most " if figures["draws"] == 1 else ""
    return f"{at_most}{figures['nll']:.2f} +- {figures['standard_error']:.2f} nats"


def has_levels(figures: Mapping[str, Any]) -> bool:
    """Returns whether a likelihood is of pixels with more than two levels, of which nats say little."""
    return "bits_per_dimension" in figures and "binary" not in figures.get("likelihood_of", "")


def given_label(figures: Mapping[str, Any]) -> str:
    """Returns " given the label" where that is what a likelihood is of: log p(x|y), not log p(x)."""
    return f" {GIVEN_LABEL}" if GIVEN_LABEL in figures.get("likelihood_of", "") else ""


def of_prior(settings: Any) -> str:
    """Returns " and 30 of the prior" for settings of a model whose prior is trained on its own."""
    epochs = getattr(settings.model, "prior_epochs", None)
    return "" if epochs is None else f" and {epochs} of the prior"


def draws(figures: Mapping[str, Any]) -> str:
    """Returns "1,000 draws", or what else an estimate is made with."""
    return f"{figures['draws']:,} {figures.get('draws_are', 'draw')}{'' if figures['draws'] == 1 else 's'}"


def _samples(figures: Mapping[str, Any]) -> str:
    if "frechet_distance" not in figures:
        return ""
    return (
        f"Frechet distance {figures['frechet_distance']:.2f} +- {figures['frechet_distance_error']:.2f} "
        f"({figures['samples']:,} samples, {figures['real_images']:,} {figures['data']} test images, "
        f"{figures['features']}, resizing: {figures['resizing']}; "
        f"training images {figures['train_frechet_distance']:.2f})"
    )


def _agreement(figures: Mapping[str, Any]) -> str:
    if "conditional_accuracy" not in figures:
        return ""
    share, error = figures["conditional_accuracy"], figures["conditional_accuracy_error"]
    judged = f"{share:.2%} +- {error:.2%} of {figures['samples']:,} samples"
    return f"{figures['features']} sees the class asked for in {judged}"


def sample_table(figures: Mapping[str, Any]) -> str:
    """Returns all measures of samples beside those of training images, a line each, or ""."""
    if "frechet_distance" not in figures:
        return ""
    lines = [f"{'':20}{'samples':>22}{'training images':>22}"]
    for name in ("frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage"):
        cells = (f"{figures[prefix + name]:.4f} +- {figures[f'{prefix}{name}_error']:.4f}" for prefix in ("", "train_"))
        lines.append(f"{name.replace('_', ' '):20}" + "".join(f"{cell:>22}" for cell in cells))
    if "class_shares" in figures:
        lines.append("shares of classes   " + " ".join(f"{share:.1%}" for share in figures["class_shares"]))
    lines.append(
        f"{figures['samples']:,} samples, in turn of classes where there are, and as many training images, against "
        f"{figures['real_images']:,} {figures['data']} test images;\n"
        f"features of {figures['features']}, resizing: {figures['resizing']}; {figures['neighbours']} neighbours; "
        f"kernel distance in blocks of {figures['kernel_block']:,}; seed {figures['seed']}\n"
        "errors are over the images judged, given those that they are compared with"
    )
    return "\n".join(lines)
