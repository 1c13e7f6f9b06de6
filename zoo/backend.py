"""Refuses, with a reason, the Keras set-ups in which the zoo cannot work."""

import os

from zoo.errors import ZooError


def check_environment() -> None:
    """Checks the environment variables that choose Keras's version and backend.

    They are read before Keras is imported, because a backend that is not installed would fail there with an
    error that names neither the variable nor the remedy.

    Raises:
        ZooError: `KERAS_BACKEND` names another backend, or `TF_USE_LEGACY_KERAS` asks for Keras 2.
    """
    if os.environ.get("TF_USE_LEGACY_KERAS", "").lower() in ("1", "true"):
        raise ZooError(
            "TF_USE_LEGACY_KERAS switches Keras 2 on, and the zoo needs Keras 3. Unset it: unset TF_USE_LEGACY_KERAS"
        )
    chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
    if chosen != "tensorflow":
        raise ZooError(
            f"KERAS_BACKEND is '{chosen}', and the zoo runs on 'tensorflow' only. "
            "Set KERAS_BACKEND=tensorflow, or unset it, before Python starts."
        )


def require_keras_on_tensorflow() -> None:
    """Checks that Keras 3 runs on TensorFlow.

    Raises:
        ZooError: The environment, or Keras's own configuration file, says otherwise.
    """
    check_environment()
    import keras

    if keras.config.backend() != "tensorflow":
        raise ZooError(
            f"Keras is configured for the backend '{keras.config.backend()}' in its keras.json, and the zoo runs on "
            "'tensorflow' only. Set KERAS_BACKEND=tensorflow before Python starts."
        )
