"""Approximate posteriors q(z|x): Keras layers from the encoder's features to a distribution over latents."""

from zoo.vae.posteriors.base import Posterior
from zoo.vae.posteriors.normal import DiagonalNormal

__all__ = ["DiagonalNormal", "Posterior"]

POSTERIORS: dict[str, type[Posterior]] = {"diagonal_normal": DiagonalNormal}
