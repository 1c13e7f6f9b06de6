"""A warning when the posterior collapses onto the prior, so that latents carry nothing."""

import warnings

import keras

_NATS = 0.1


class PosteriorCollapse(UserWarning):
    """The latents of a model carry next to nothing of the images."""


class PosteriorCollapseWarning(keras.callbacks.Callback):
    """Warns at the end of training if the mean KL of the last epoch is below `nats`, an image.

    Args:
        remedies: What helps, in a few words.
        nats: The smallest KL that is no collapse.
    """

    def __init__(self, remedies: str, nats: float = _NATS):
        super().__init__()
        self._remedies, self._nats = remedies, nats
        self._kl: float | None = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Notes the KL."""
        self._kl = (logs or {}).get("kl")

    def on_train_end(self, logs: dict | None = None) -> None:
        """Warns."""
        if self._kl is not None and self._kl < self._nats:
            warnings.warn(
                f"the posterior has collapsed onto the prior: the KL is {self._kl:.2g} nats an image, so that latents "
                f"carry nothing and the decoder does without them. Usual remedies: {self._remedies}.",
                PosteriorCollapse,
                stacklevel=2,
            )
