"""The error of everything that can go wrong between a model and a bundle that works."""


class ExportError(ValueError):
    """An export, a bundle or a request to one cannot be trusted; the message names the op, tensor or file."""
