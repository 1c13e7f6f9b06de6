"""What stops training on a loss that is not finite, and how callbacks are joined."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.errors import ZooError

DIVERGED = "Training diverged: lower the learning rate, or clip gradients (optimizer argument global_clipnorm)."


def stopped_unless(good: tf.Tensor, loss: tf.Tensor) -> tf.Tensor:
    """Returns a loss, or NaN, which stops training."""
    return tf.where(good, loss, tf.constant(np.nan, loss.dtype))


def with_callback(callback: keras.callbacks.Callback, callbacks: Any) -> Any:
    """Returns the callbacks given to `fit` or `evaluate`, one, several or none, after one more."""
    if isinstance(callbacks, keras.callbacks.CallbackList):  # of evaluation inside of `fit`, or the user's own
        if not any(type(each) is type(callback) for each in callbacks.callbacks):
            callback.set_model(callbacks.model)
            callbacks.callbacks.append(callback)
        return callbacks
    given = callbacks if isinstance(callbacks, list | tuple) else [callbacks] if callbacks else []
    return [callback, *given]


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Stops training with an error, at the first batch whose loss is NaN or infinite, or epoch with such a metric.

    Args:
        why: Returns the likely cause and the remedy, given the names of metrics that are not finite.
    """

    def __init__(self, why: Callable[[list[str]], str]):
        super().__init__()
        self._why = why

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Checks the running loss; to read all metrics would cost a wait for the device for each."""
        self._check("training", f"batch {batch + 1}", logs or {}, ("loss",))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Checks all metrics."""
        self._check("training", f"the end of epoch {epoch + 1}", logs or {})

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Checks the running loss."""
        self._check("evaluation", f"batch {batch + 1}", logs or {}, ("loss",))

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Checks all metrics."""
        self._check("evaluation", "its end", logs or {})

    def _check(self, what: str, where: str, values: dict[str, float], watched: tuple[str, ...] | None = None) -> None:
        if all(np.isfinite(values[name]) for name in watched or values if name in values):
            return
        broken = sorted(name for name, value in values.items() if not np.isfinite(value))
        names = f"{', '.join(broken)} {'is' if len(broken) == 1 else 'are'}"
        raise ZooError(f"{what} stopped at {where}: {names} not finite. {self._why(broken)}")
