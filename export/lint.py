"""Whether a model can be exported to ONNX, before it is trained."""

import keras

from export import onnx
from export.obstacles import Obstacle, layer_names
from export.precision import in_float32
from export.signatures import no_new_weights, signatures_of


def check_exportable(model: keras.Model) -> list[Obstacle]:
    """Converts the signatures of a model, and returns what keeps them from being ONNX files: nothing, if all are.

    Weights need no training, and nothing is kept. Each signature is converted, checked and opened by ONNX Runtime, as
    in `export.save`, and what is found is what that would be stopped by, but for values that are not the model's: it
    alone compares these.

    Args:
        model: Any built Keras model, or one with a method `signatures`.

    Raises:
        ExportError: The model is not a Keras model, does not know its inputs yet, was not built, or computes in less
            than float32 and cannot be rebuilt.
    """
    model = in_float32(model)
    signatures = signatures_of(model)  # which says so where it is no model
    names = layer_names(model)
    with no_new_weights(model):
        return [
            obstacle
            for signature in signatures.values()
            if "onnx" in signature.formats
            for obstacle in onnx.obstacles(signature, names)
        ]
