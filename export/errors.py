"""The error of everything that can go wrong between a model and a bundle that works."""

import re

OTHER_DTYPE = (
    "Cast it in the model. A Lambda layer is taken to give the dtype of its policy, whatever its function gives: "
    "keras.ops in its place say what they give."
)


class ExportError(ValueError):
    """An export, a bundle or a request to one cannot be trusted; the message names the op, tensor or file."""


def first_line(error: Exception) -> str:
    """Returns the first line of a message."""
    return str(error).strip().splitlines()[0]


def cause_of(error: Exception) -> str:
    """Returns the line with which TensorFlow or Keras says what is wrong, without colours and names of kernels.

    Where Keras says in which layer it went wrong, the line ends in the layer's class.
    """
    plain = re.sub(r"\x1b\[\d*m|\{\{.*?\}\} ?| ?\[Op:.*|\. You can attempt .*", "", str(error))
    lines = [line for line in plain.splitlines() if line.strip() and not line.startswith("Exception encountered")]
    layer = re.search(r"Exception encountered when calling (?!Functional|Sequential)(\w+)\.call", plain)
    where = f", in {layer.group(1)}" if layer else ""
    return (lines[0].rstrip(".") if lines else type(error).__name__) + where
