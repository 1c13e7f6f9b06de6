"""Inputs and outputs that signatures of this family share."""

from zoo.signature import NamedTensor


def nats(**descriptions: str) -> tuple[NamedTensor, ...]:
    """Returns the declarations of values an image, in nats, by name."""
    return tuple(NamedTensor(name, ("batch",), description=f"{text}, in nats") for name, text in descriptions.items())
