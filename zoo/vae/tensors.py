"""Inputs and outputs that signatures of this family share."""

import numpy as np

from zoo.signature import NamedTensor

TEMPERATURE = NamedTensor(
    "temperature", (), "float32", (0.0, np.inf), "spread of the latents", examples=(0.3, 1.0), default=1.0
)


def nats(**descriptions: str) -> tuple[NamedTensor, ...]:
    """Returns the declarations of values an image, in nats, by name."""
    return tuple(NamedTensor(name, ("batch",), description=f"{text}, in nats") for name, text in descriptions.items())
