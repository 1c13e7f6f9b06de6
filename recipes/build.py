"""Builds the models that settings describe."""

from collections.abc import Callable
from typing import Any

from recipes.builders import ebm, gan, vae
from recipes.data import Dataset
from recipes.model_settings import (
    ConditionalVAESettings,
    EBMSettings,
    GANSettings,
    HierarchicalVAESettings,
    IWAESettings,
    JEMSettings,
    RBMSettings,
    ScoreSettings,
    VAESettings,
    VQVAESettings,
)
from zoo.model import GenerativeModel
from zoo.validation import check_activation


def build(settings: Any, data: Dataset, seed: int) -> GenerativeModel:
    """Returns an untrained model for images of this data.

    Raises:
        ZooError: A name is not known, the parts do not fit together, or labels are needed and there are none.
    """
    if hasattr(settings, "activation"):
        check_activation(settings.activation)
    return _BUILDERS[type(settings)](_widened(settings), data, seed)


def _widened(settings: Any) -> Any:
    """Returns settings with `width` times the filters and hidden units."""

    def wider(value: Any) -> Any:
        return [wider(each) for each in value] if isinstance(value, list) else round(value * settings.width)

    names = ("filters", "hidden", "decoder_filters", "prior_filters")
    return settings.model_copy(
        update={name: wider(getattr(settings, name)) for name in names if hasattr(settings, name)}
    )


_BUILDERS: dict[type, Callable[[Any, Dataset, int], GenerativeModel]] = {
    VAESettings: vae.vae,
    IWAESettings: vae.vae,
    ConditionalVAESettings: vae.vae,
    HierarchicalVAESettings: vae.hierarchical,
    VQVAESettings: vae.vector_quantized,
    GANSettings: gan.gan,
    RBMSettings: ebm.rbm,
    EBMSettings: ebm.ebm,
    JEMSettings: ebm.jem,
    ScoreSettings: ebm.score,
}
