"""Which losses, penalties and discriminators go together."""

import keras

from zoo.errors import ZooError
from zoo.gan.losses import LOSSES
from zoo.networks.inputs import check_gives_logits, layers_of
from zoo.networks.spectral import SpectralConv2D, SpectralDense


def check_game(
    loss: str,
    penalties: list[str],
    discriminator: keras.Model,
    label_smoothing: float,
    weight_clip: float | None,
) -> None:
    """Checks that the parts of a game go together.

    Raises:
        ZooError: They do not; the message says why, and what does.
    """
    layers = layers_of(discriminator)
    check_gives_logits(discriminator, "discriminator")
    if label_smoothing and not LOSSES[loss].smoothable:
        known = ", ".join(name for name, pair in LOSSES.items() if pair.smoothable)
        raise ZooError(f"loss '{loss}' has no targets to smooth. Losses that have: {known}.")
    if len(set(penalties)) < len(penalties):
        raise ZooError(f"penalties {penalties} hold one twice: give it once, with a larger weight.")
    if "gradient_penalty" in penalties and loss != "wasserstein":
        raise ZooError(
            f"the gradient penalty holds a critic to slopes of 1, which is what loss='wasserstein' needs, not "
            f"'{loss}'. Use R1 or R2 with it."
        )
    if penalties and any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers):
        raise ZooError(
            f"penalties {penalties} are on the gradient of D at each image, and a discriminator with "
            "BatchNormalization judges each by all others of the batch. Build it without, as dcgan_discriminator with "
            "normalization='none' or 'spectral'."
        )
    if loss == "wasserstein" and not penalties and weight_clip is None and not any(map(_holds, layers)):
        raise ZooError(
            "loss='wasserstein' needs a critic whose slopes are held, and nothing holds this one: give "
            "penalties=['gradient_penalty'], weight_clip=0.01, or a discriminator with normalization='spectral'."
        )


def _holds(layer: keras.layers.Layer) -> bool:
    """Returns whether a layer bounds the size of its own weights."""
    spectral = (SpectralConv2D, SpectralDense, keras.layers.SpectralNormalization)
    return isinstance(layer, spectral) or getattr(layer, "kernel_constraint", None) is not None
