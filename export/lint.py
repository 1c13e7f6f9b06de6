"""Whether a model can be exported to ONNX, before it is trained."""

import keras

from export import onnx
from export.obstacles import Obstacle, layer_names
from export.signatures import signatures_of


def check_exportable(model: keras.Model) -> list[Obstacle]:
    """Traces the signatures of a model, and returns what would not convert to ONNX: nothing, if all does.

    Weights need no training, and nothing is written. What is found is what `export.save` would be stopped by; whether
    values agree is seen only there.

    Args:
        model: Any built Keras model, or one with a method `signatures`.

    Raises:
        ExportError: The model is not a Keras model, or does not know its inputs yet.
    """
    names = layer_names(model)
    return [
        obstacle
        for signature in signatures_of(model).values()
        if "onnx" in signature.formats
        for obstacle in onnx.obstacles(signature, names)
    ]
