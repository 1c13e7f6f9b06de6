"""TensorFlow, imported without the lines that it prints on a terminal."""

import os

from zoo.backend import check_environment


def import_tensorflow_quietly() -> None:
    """Imports TensorFlow for a command line.

    Its C++ part writes notices straight to the standard error stream before any setting could reach it, so
    the stream is set aside for the time of the import. A failing import still raises its exception.

    Raises:
        ZooError: Keras is set up for another backend.
    """
    check_environment()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
