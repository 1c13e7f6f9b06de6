"""Generative models for Keras 3 on TensorFlow: train with `model.fit`, sample, ship."""

import importlib
from typing import Any

_WHERE = {
    "Autoencoder": "zoo.vae.autoencoder",
    "BetaTCVAE": "zoo.vae.beta_tc",
    "BetaVAE": "zoo.vae.beta",
    "ConditionalGAN": "zoo.gan.conditional",
    "ConditionalVAE": "zoo.vae.conditional",
    "EBM": "zoo.ebm.ebm",
    "GAN": "zoo.gan.gan",
    "GenerativeModel": "zoo.model",
    "HierarchicalVAE": "zoo.vae.hierarchical",
    "IWAE": "zoo.vae.iwae",
    "InfoVAE": "zoo.vae.info",
    "JointEnergyModel": "zoo.ebm.joint",
    "NamedTensor": "zoo.signature",
    "RBM": "zoo.ebm.rbm",
    "ScoreModel": "zoo.ebm.score_model",
    "Signature": "zoo.signature",
    "VAE": "zoo.vae.vae",
    "VQVAE": "zoo.vae.vqvae",
    "ZooError": "zoo.errors",
    "from_preset": "zoo.presets",
    "list_presets": "zoo.presets",
    "load_model": "zoo.loading",
}
_MODULES = ("ebm", "gan", "metrics", "networks", "presets", "random", "sampling", "signature", "vae")

__all__ = sorted([*_WHERE, *_MODULES])


def __getattr__(name: str) -> Any:
    # Loaded on first use (PEP 562), so that `import zoo` costs nothing and sets no global state.
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"zoo.{name}")
    raise AttributeError(f"module 'zoo' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
