"""The throughput of `zoo serve` beside that of ONNX Runtime in a bare loop: vae_mnist, `decode` at batch 16, as bytes.

python tests/benchmarks/serve_load.py [--requests 40] [--clients 4] [--rounds 15] [--bundle FOLDER]

All take turns in short rounds, so that a loaded machine slows all. The bare loop runs as ONNX Runtime is set up by
default, and with threads that do not spin while they wait; the server is held against the faster of the two in each
round. The clients run on the same machine, and keep one connection each; every one sends its next request once it has
read all of the last answer.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import onnxruntime

BATCH = 16


def request_for(latents: np.ndarray) -> bytes:
    """Returns a whole HTTP request to decode latents, with tensors as bytes both ways."""
    tensor = {"name": "latent", "datatype": "FP32", "shape": list(latents.shape)}
    tensor["parameters"] = {"binary_data_size": latents.nbytes}
    header = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    lines = (
        "POST /v2/models/decode/infer HTTP/1.1",
        "Host: benchmark",
        f"Inference-Header-Content-Length: {len(header)}",
        f"Content-Length: {len(header) + latents.nbytes}",
    )
    return "\r\n".join((*lines, "", "")).encode() + header + latents.tobytes()


def read_answer(connection: socket.socket) -> None:
    """Reads one answer to its end; stops where it is no success."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise SystemExit(f"the server answers {received[:300]!r}")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    left = int(length.split(b":")[1]) - len(body)
    if left:
        connection.recv(left, socket.MSG_WAITALL)


def clients(port: int, count: int, requests: int) -> Callable[[], list[float]]:
    """Returns a round of requests by clients that stay connected, which returns the seconds of each."""
    message = request_for(np.random.default_rng(0).normal(size=(BATCH, 40)).astype("<f4"))
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    pool = ThreadPoolExecutor(count)

    def client(connection: socket.socket) -> list[float]:
        return [timed(lambda: (connection.sendall(message), read_answer(connection))) for _ in range(requests // count)]

    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return lambda: list(chain.from_iterable(pool.map(client, connections)))


def loop(bundle: Path, spinning: bool, requests: int) -> Callable[[], list[float]]:
    """Returns a round of runs in a bare loop, which returns the seconds of each."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    session = onnxruntime.InferenceSession(bundle / "onnx" / "decode.onnx", options, providers=["CPUExecutionProvider"])
    latents = {"latent": np.random.default_rng(0).normal(size=(BATCH, 40)).astype(np.float32)}
    return lambda: [timed(lambda: session.run(None, latents)) for _ in range(requests)]


def timed(run: Callable[[], object]) -> float:
    """Returns the seconds that a call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def compare(bundle: Path, port: int, requests: int, count: int, rounds: int) -> None:
    """Prints throughput and latencies of all, and the ratios of the server's throughput with their spread."""
    loops = {"bare loop": loop(bundle, True, requests), "bare loop, no spinning": loop(bundle, False, requests)}
    served = {
        "zoo serve, one client": clients(port, 1, requests),
        f"zoo serve, {count} clients": clients(port, count, requests // count * count),
    }
    contenders = {**loops, **served}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for run in contenders.values():
        run()  # to warm up
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            found = run()
            rates[name].append(len(found) / (time.perf_counter() - started))
            seconds[name] += found
    print(f"decode of vae_mnist, batch {BATCH}; {rounds} rounds of {requests} requests, {os.cpu_count()} cores")
    for name in contenders:
        p50, p99 = np.percentile(seconds[name], [50, 99]) * 1e3
        print(f"{name:24} {np.median(rates[name]):7.1f} requests/s   p50 {p50:7.2f} ms   p99 {p99:7.2f} ms")
    fastest = np.max([rates[name] for name in loops], axis=0)
    for name in served:
        low, middle, high = np.percentile(np.array(rates[name]) / fastest, [25, 50, 75])
        print(f"{name:24} {middle:.2f} of the faster loop's throughput; half of the rounds {low:.2f} to {high:.2f}")


def exported(bundle: Path) -> Path:
    """Returns the folder of a bundle of vae_mnist, made there."""
    import export
    import zoo

    export.save(zoo.from_preset("vae_mnist"), bundle, ["onnx"])
    return bundle


def main() -> None:
    """Starts a server, compares, and stops it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=40, help="of each, a round")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--bundle", type=Path, help="of vae_mnist; by default one is exported")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = given.bundle or exported(Path(folder) / "bundle")
        command = [sys.executable, "-m", "recipes.cli", "serve", str(bundle), "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            port = urlsplit(server.stdout.readline().strip()).port
            compare(bundle, port, given.requests, given.clients, given.rounds)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


if __name__ == "__main__":
    main()
