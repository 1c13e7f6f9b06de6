"""Which output of a signature is a picture."""

from zoo.signature import Signature


def image_output(signature: Signature) -> str | None:
    """Returns the name of the one output that is a batch of grey or colour images in [0, 1], or None."""
    images = [
        spec.name
        for spec in signature.outputs
        if len(spec.shape) == 4 and spec.shape[-1] in (1, 3) and spec.dtype == "float32" and spec.range == (0, 1)
    ]
    return images[0] if len(images) == 1 else None
