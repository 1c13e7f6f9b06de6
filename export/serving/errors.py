"""A request that is refused, with the HTTP status that says why."""

from collections.abc import Mapping

from export.errors import ExportError


class RequestError(ExportError):
    """A request that is not answered.

    Args:
        status: Of HTTP: 400 not of the protocol, 408 too slow to arrive, 413 too large, 422 not what the signature
            takes, 503 too busy, 504 too long.
        message: What was wrong, and what to do.
        headers: To send with it.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
