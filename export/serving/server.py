"""The process: listens, serves until it is told to stop, and lets what runs finish."""

import contextlib
import math
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from export.errors import ExportError
from export.serving.app import create_app
from export.serving.connections import connections_within
from export.serving.limits import Limits

_STOPS = (signal.SIGINT, signal.SIGTERM)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]):
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The inherited one raises the signal again in the end, so that the exit code would not be 0.
        before = {number: signal.signal(number, self.handle_exit) for number in _STOPS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    directory: str | Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    listening: Callable[[str], None] | None = None,
) -> None:
    """Serves a bundle until SIGTERM or SIGINT. Requests in progress then finish, within their time-out.

    Args:
        directory: A folder written by `export.save`.
        host: The address to listen on; "0.0.0.0" for all of IPv4.
        port: 0 for any that is free.
        limits: What to allow, by default `Limits()`.
        listening: Called with the address, as a URL, once it answers.

    Raises:
        ExportError: It is no bundle, has no ONNX files, one is missing or altered, the address is not free, or this is
            not the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise ExportError(
            "serve runs until a signal, and Python takes signals in the main thread alone. Call it from the main "
            "thread, or run what export.serving.create_app returns in an ASGI server of your own."
        )
    limits = limits or Limits()
    app = create_app(directory, limits)
    with _bound(host, port) as listener:
        config = uvicorn.Config(
            app,
            http=connections_within(limits),
            ws="none",
            timeout_keep_alive=math.ceil(limits.idle),
            log_config=None,  # errors go where logging sends them, by default to stderr
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(limits.timeout) + 1,
        )
        url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        _Server(config, lambda: listening(url) if listening else None).run(sockets=[listener])


def _bound(host: str, port: int) -> socket.socket:
    """Returns a socket that has the address, and does not listen yet."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ExportError(f"cannot listen on {host}, port {port} ({error}). Choose another --host or --port.") from None
    return listener
