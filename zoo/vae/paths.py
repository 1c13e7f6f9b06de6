"""Paths in latent space."""

import numpy as np

_NEARLY_PARALLEL = 1e-4  # radians, below which the great circle and the straight line are the same in float32


def spherical(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Returns points between two latents along the great circle through them (Shoemake 1985, section 3.3).

    High-dimensional Normal draws lie near a sphere; the straight line between two would leave it.

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
