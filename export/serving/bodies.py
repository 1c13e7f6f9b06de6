"""Bodies of requests while they arrive: bounded in size, in time, and all of them together."""

import anyio
from starlette.requests import ClientDisconnect, Request

from export.serving import protocol
from export.serving.errors import RequestError
from export.serving.limits import Limits

_PROGRESS = 2**16  # bytes that a body has to bring, or its end, in the time that a connection may be idle
_CLOSING = {"Connection": "close"}  # what is not read would be taken for the next request


class Bodies:
    """Reads bodies. One that arrives slowly takes no place from requests that are there, and is not waited for.

    Args:
        limits: Of the server.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self._arriving = 0  # bytes, of all bodies of which more is to come

    async def read(self, request: Request) -> bytes:
        """Returns the body of a request, of which no more is read than is allowed.

        Raises:
            RequestError: It is compressed, too large, too slow to arrive, or too many bytes are arriving.
        """
        most, refusal = self._most(request)
        encoding, length = (
            request.headers.get("content-encoding", "identity"),
            request.headers.get("content-length", ""),
        )
        if encoding.lower() != "identity":
            raise RequestError(415, f"the body is compressed ({encoding[:20]}). Send it as it is.", _CLOSING)
        if length.isdecimal() and (len(length) > 18 or int(length) > most):
            raise refusal

        limits, chunks, size, seen = self.limits, [], 0, 0
        try:
            end = anyio.current_time() + limits.timeout
            with anyio.fail_after(min(limits.timeout, limits.idle)) as scope:
                async for chunk in request.stream():
                    size += len(chunk)
                    self._arriving += len(chunk)
                    if size > most:
                        raise refusal
                    if self._arriving > limits.max_arriving:
                        message = f"{limits.max_arriving} bytes of bodies are arriving, as many as allowed."
                        raise RequestError(503, f"{message} Come again in a second.", {**_CLOSING, "Retry-After": "1"})
                    if size - seen >= _PROGRESS:
                        seen, scope.deadline = size, min(end, anyio.current_time() + limits.idle)
                    chunks.append(chunk)
        except TimeoutError:
            slow = f"the body did not arrive within {limits.timeout:g} s, or brought less than {_PROGRESS} bytes in"
            message = f"{slow} {limits.idle:g} s. Send less, or over a faster connection."
            raise RequestError(408, message, _CLOSING) from None
        except ClientDisconnect:
            raise RequestError(400, "the connection ended before the body did. Send all of it.") from None
        finally:
            self._arriving -= size
        return b"".join(chunks)

    def _most(self, request: Request) -> tuple[int, RequestError]:
        """Returns how large a body may be, and what to say of a larger one."""
        limits = self.limits
        if protocol.HEADER_LENGTH not in request.headers and limits.max_json < limits.max_body:  # all of it is JSON
            return limits.max_json, protocol.too_much_json(limits, _CLOSING)
        message = f"the body is larger than {limits.max_body} bytes, the most allowed here. Send fewer rows."
        return limits.max_body, RequestError(413, message, _CLOSING)
