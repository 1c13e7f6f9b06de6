"""Approximate posteriors q(z|x): Keras layers from the encoder's features to a distribution over latents."""

from zoo.vae.posteriors.autoregressive import InverseAutoregressiveFlow
from zoo.vae.posteriors.base import Posterior
from zoo.vae.posteriors.normal import DiagonalNormal, FullCovarianceNormal

__all__ = ["DiagonalNormal", "FullCovarianceNormal", "InverseAutoregressiveFlow", "Posterior"]

POSTERIORS: dict[str, type[Posterior]] = {
    "diagonal_normal": DiagonalNormal,
    "full_covariance_normal": FullCovarianceNormal,
    "inverse_autoregressive_flow": InverseAutoregressiveFlow,
}
