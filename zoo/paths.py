"""Paths in latent space."""

from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.validation import as_array, check_count, check_positive

_NEARLY_PARALLEL = 1e-4  # radians, below which the great circle and the straight line are the same in float32


def spherical(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Returns points between two latents along the great circle through them (Shoemake 1985, section 3.3).

    High-dimensional draws of a standard Normal lie near a sphere; the straight line between two would leave it. For
    other distributions it is a custom, not a law.

    Args:
        start: [batch, latent_size].
        end: [batch, latent_size].
        steps: Points a path, with both ends.

    Returns:
        [batch, steps, latent_size]. Where both point the same way, or one is 0, points on the straight line.
    """
    norms = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    cosine = np.divide((start * end).sum(axis=-1), norms, out=np.ones_like(norms), where=norms > 0)
    angle = np.arccos(np.clip(cosine, -1, 1))[:, None, None]
    share = np.linspace(0, 1, steps, dtype=start.dtype)[None, :, None]
    # Opposite points have no great circle of their own either.
    straight = (angle < _NEARLY_PARALLEL) | (angle > np.pi - _NEARLY_PARALLEL)
    sine = np.sin(np.where(straight, 1.0, angle))
    from_start = np.where(straight, 1 - share, np.sin((1 - share) * angle) / sine)
    from_end = np.where(straight, share, np.sin(share * angle) / sine)
    return (from_start * start[:, None] + from_end * end[:, None]).astype(start.dtype)


def straight(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Returns points [batch, steps, latent_size] on the straight lines between latents [batch, latent_size]."""
    share = np.linspace(0, 1, steps, dtype=start.dtype)[None, :, None]
    return (1 - share) * start[:, None] + share * end[:, None]


def along_dimensions(latent: np.ndarray, dimensions: Any, extent: float, steps: int) -> np.ndarray:
    """Returns copies of a latent [latent_size] with one dimension at a time moved from -extent to extent.

    Returns:
        [dimensions, steps, latent_size].

    Raises:
        ZooError: There is no such dimension, or a number is out of its range.
    """
    steps, extent = check_count(steps, "steps", least=2), check_positive(extent, "extent")
    chosen = np.arange(len(latent)) if dimensions is None else np.asarray(dimensions)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not ((chosen >= 0) & (chosen < len(latent))).all():
        raise ZooError(f"dimensions are {dimensions}, expected a list of integers from 0 to {len(latent) - 1}.")
    latents = np.tile(latent, (len(chosen), steps, 1))
    latents[np.arange(len(chosen)), :, chosen] = np.linspace(-extent, extent, steps)
    return latents


def check_ends(first: Any, second: Any, steps: int) -> int:
    """Returns the number of points of paths between two lots of images.

    Raises:
        ZooError: There are fewer than two, or not as many images in both.
    """
    first, second = as_array(first, "first images"), as_array(second, "second images")
    if not first.ndim or not second.ndim or len(first) != len(second):
        raise ZooError(f"first has shape {list(first.shape)} and second {list(second.shape)}: give as many of both.")
    return check_count(steps, "steps", least=2)
