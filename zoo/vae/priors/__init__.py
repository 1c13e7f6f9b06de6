"""Priors p(z): Keras layers, for a prior may have weights, that give a distribution over latents."""

from zoo.vae.priors.base import Prior
from zoo.vae.priors.standard_normal import StandardNormal
from zoo.vae.priors.vamp import VampPrior

__all__ = ["Prior", "StandardNormal", "VampPrior"]

PRIORS: dict[str, type[Prior]] = {"standard_normal": StandardNormal, "vamp": VampPrior}
