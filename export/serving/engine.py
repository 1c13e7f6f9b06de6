"""Runs requests in threads, so that the event loop stays alive; bounded in number and in time."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import onnxruntime

from export.serving.errors import RequestError
from export.serving.limits import Limits

Result = TypeVar("Result")


class Engine:
    """A pool of threads with a bound on what waits for them.

    Args:
        limits: Of the server.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self._pool = self._new_pool()
        self._jobs: set[_Job[Any]] = set()  # waiting or running, with those that nobody waits for any more

    def check_place(self) -> None:
        """Makes sure that a place is free, which `run` takes where nothing is awaited in between.

        Raises:
            RequestError: 503, all places are taken.
        """
        if len(self._jobs) >= self.limits.concurrency:
            message = f"{self.limits.concurrency} requests are in progress, as many as allowed. Come again in a second."
            raise RequestError(503, message, {"Retry-After": "1"})

    async def run(
        self, work: Callable[[onnxruntime.RunOptions], Result], seconds: float, left: Coroutine[Any, Any, None]
    ) -> Result:
        """Returns what the work returns, which is stopped between two nodes of its graph when nobody waits any more.

        Args:
            work: Takes the options to run a session with.
            seconds: How long to wait for it.
            left: Returns when the client does not wait any more.

        Raises:
            RequestError: 503 where no thread was free in time, 504 where it takes longer, 400 where the client left.
        """
        job = _Job(work)
        queued = self._pool.submit(job)
        self._jobs.add(job)
        # In its thread, as the event loop may be gone by then.
        queued.add_done_callback(lambda _: self._jobs.discard(job))
        future, leaving = asyncio.wrap_future(queued), asyncio.ensure_future(left)
        future.add_done_callback(_forget)
        try:
            await asyncio.wait((future, leaving), timeout=max(0, seconds), return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                return future.result()
        finally:
            leaving.cancel()
            job.stop()
            queued.cancel()  # where it has not begun: its place is free then
        if leaving.done():
            raise RequestError(400, "the connection ended before the answer. Wait for it.")
        limit = f"{self.limits.timeout:g} s"
        if job.started:
            raise RequestError(504, f"the request took longer than {limit}, and was stopped. Ask for less at once.")
        again = {"Retry-After": str(math.ceil(self.limits.timeout))}
        raise RequestError(503, f"no thread was free for {limit}. Come again later.", again)

    def close(self) -> None:
        """Stops what still runs, and waits for its threads. An app may be started again after that."""
        for job in list(self._jobs):
            job.stop()
        self._pool.shutdown(cancel_futures=True)
        self._pool = self._new_pool()

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.limits.threads, "inference")


def _forget(done: asyncio.Future) -> None:
    """Takes note of an error: where nobody waits any more, that of having been stopped is nobody's concern."""
    if not done.cancelled():
        done.exception()


class _Job(Generic[Result]):
    def __init__(self, work: Callable[[onnxruntime.RunOptions], Result]):
        self._work, self._options = work, onnxruntime.RunOptions()
        self._stopped = self.started = False

    def __call__(self) -> Result:
        self.started = True
        if self._stopped:
            raise RequestError(503, "nobody waits for this request any more.")
        return self._work(self._options)

    def stop(self) -> None:
        self._stopped = self._options.terminate = True
