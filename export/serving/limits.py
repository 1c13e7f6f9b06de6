"""What one server allows, so that no request takes it down."""

from dataclasses import dataclass, fields

from export.errors import ExportError


@dataclass(frozen=True)
class Limits:
    """The limits of a server; a request beyond one is refused with a message that names it.

    Args:
        max_rows: The most rows of a request: the size of its first axis where that is free, or of what it asks to draw.
        max_axis: The largest size of any other free axis, such as the height of an image. Outputs, and what is between,
            may be as large as the product of two: a body that is small does not keep them small. Scalars that say how
            much to do otherwise have the range that the signature declares, and `timeout`.
        max_body: The largest body of a request, in bytes.
        max_json: The largest JSON of a request, in bytes: all of the body, or what is before the bytes of its tensors.
            It is parsed in one go, while nothing else is answered: for hundredths of a second a MiB, or tenths where it
            was made to be slow.
        max_numbers: The most numbers of an answer as JSON; more have to be asked for as bytes. They too are written in
            one go: for less than a tenth of a second a million.
        max_arriving: Bytes of all bodies of which more is to come; one that would bring more is asked to come again.
        timeout: Seconds from the arrival of a request to its answer.
        concurrency: Requests in progress, running and waiting, whose bodies have arrived; one more is asked to come
            again.
        threads: Requests that run at once. The others wait.
        connections: Open ones; one more is asked to come again. Of `serve`: an ASGI server of your own has its limits.
        idle: Seconds in which a body has to end or to bring 64 KiB more; of `serve`, in which a connection has to bring
            the headers of a request, or to take some of an answer, too.

    Raises:
        ExportError: One is not positive, or no body of the largest size could arrive.
    """

    max_rows: int = 1024
    max_axis: int = 4096
    max_body: int = 64 * 2**20
    max_json: int = 2**20
    max_numbers: int = 2**20
    max_arriving: int = 2**30
    timeout: float = 60.0
    concurrency: int = 32
    threads: int = 2
    connections: int = 256
    idle: float = 10.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not 0 < value < float("inf"):
                raise ExportError(f"{each.name} is {value}, expected a positive number.")
        if self.max_arriving < self.max_body:
            raise ExportError(f"max_arriving is {self.max_arriving}, expected at least max_body, {self.max_body}.")
