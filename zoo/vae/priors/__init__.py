"""Priors p(z): Keras layers, for a prior may have weights, that give a distribution over latents."""

from zoo.vae.priors.base import Prior
from zoo.vae.priors.flows import AutoregressiveFlow, CouplingFlow
from zoo.vae.priors.gaussian_mixture import GaussianMixture
from zoo.vae.priors.standard_normal import StandardNormal
from zoo.vae.priors.vamp import VampPrior

__all__ = ["AutoregressiveFlow", "CouplingFlow", "GaussianMixture", "Prior", "StandardNormal", "VampPrior"]

PRIORS: dict[str, type[Prior]] = {
    "standard_normal": StandardNormal,
    "gaussian_mixture": GaussianMixture,
    "vamp": VampPrior,
    "autoregressive_flow": AutoregressiveFlow,
    "coupling_flow": CouplingFlow,
}
