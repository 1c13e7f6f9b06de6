"""Connections that are bounded in number, and in what they take: uvicorn itself waits for any number without end."""

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from export.serving.limits import Limits

_MOST_BESIDE = 2**16  # bytes in a row that are no body: headers, trailers, and extensions of chunks
_LOOKS = 4  # at a connection, while it may be idle


def connections_within(limits: Limits) -> type[asyncio.Protocol]:
    """Returns what uvicorn is to take for its connections."""
    return type("LimitedConnection", (Connection,), {"limits": limits})


class Connection(HttpToolsProtocol):
    """HTTP/1.1 over a connection that is closed where nothing comes of it.

    One beyond those allowed is answered with 503. One is dropped that brings no whole request, after `limits.idle`
    seconds, whether it is silent or sends headers byte by byte; one that takes nothing of an answer for as long; and
    one whose headers, or trailers after a body in chunks, are larger than any that are meant. Bodies and work have
    limits of their own, in `bodies` and `engine`.

    Args:
        **how: What uvicorn passes.

    Attributes:
        limits: Of the server.
    """

    limits: Limits

    def __init__(self, **how: Any):
        super().__init__(**how)
        self._look: asyncio.TimerHandle | None = None
        self._state: tuple[Any, ...] = ()
        self._since = self.loop.time()
        self._in_request = self._brought_body = False
        self._beside = 0  # bytes since the last of a body

    def connection_made(self, transport: Any) -> None:
        """Refuses one connection too many, and watches the others."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.write(_refusal(f"{self.limits.connections} connections are open, as many as allowed."))
            transport.close()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops watching."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on, and drops the connection where headers do not end, or what else is no body."""
        self._brought_body = False
        super().data_received(data)
        self._beside = self._beside + len(data) if self._in_request and not self._brought_body else 0
        if self._beside > _MOST_BESIDE:
            self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        """Says nothing of clients that ask for another protocol: uvicorn advises a package that is not for this."""

    def on_message_begin(self) -> None:
        """Begins to count."""
        self._in_request = True
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Counts anew."""
        self._brought_body = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stops counting."""
        self._in_request = False
        super().on_message_complete()

    def _look_later(self) -> None:
        self._look = self.loop.call_later(self.limits.idle / _LOOKS, self._drop_if_idle)

    def _drop_if_idle(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        works = self.cycle is not None and not self.cycle.response_complete
        state = (self.cycle, works, unsent)
        if state != self._state or (works and not unsent):
            self._state, self._since = state, self.loop.time()
        if self.loop.time() - self._since >= self.limits.idle:
            self.transport.abort()
        else:
            self._look_later()


def _refusal(reason: str) -> bytes:
    body = orjson.dumps({"error": f"{reason} Come again in a second."})
    headers = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nretry-after: 1\r\nconnection: close"
    return f"HTTP/1.1 503 Service Unavailable\r\n{headers}\r\n\r\n".encode() + body
