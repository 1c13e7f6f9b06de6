"""The throughput of `zoo serve` beside that of ONNX Runtime in a bare loop: vae_mnist, `decode` at batch 16, as bytes.

python tests/benchmarks/serve_load.py [--requests 400] [--clients 4] [--rounds 5]

All take turns, so that a loaded machine slows all. The bare loop runs as ONNX Runtime is set up by default, and with
threads that do not spin while they wait; the server is held against the faster of the two. The clients are a process
of their own on the same machine, and keep one connection each; every one sends its next request once it has read all
of the last answer.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

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


def load(port: int, requests: int, clients: int) -> None:
    """Sends requests, and prints their number a second and the seconds of each as JSON: the process of the clients."""
    latents = np.random.default_rng(0).normal(size=(BATCH, 40)).astype("<f4")
    message, seconds = request_for(latents), []

    def client() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(requests // clients):
                started = time.perf_counter()
                connection.sendall(message)
                read_answer(connection)
                seconds.append(time.perf_counter() - started)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(seconds) != requests // clients * clients:
        raise SystemExit("a client failed")
    print(json.dumps({"rate": len(seconds) / (time.perf_counter() - started), "seconds": seconds}))


def bare(bundle: Path, requests: int, spinning: bool) -> None:
    """Prints the same of a loop around ONNX Runtime: a process of its own too."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    session = onnxruntime.InferenceSession(bundle / "onnx" / "decode.onnx", options, providers=["CPUExecutionProvider"])
    latents = {"latent": np.random.default_rng(0).normal(size=(BATCH, 40)).astype(np.float32)}
    for _ in range(20):
        session.run(None, latents)
    seconds = []
    begin = time.perf_counter()
    for _ in range(requests):
        started = time.perf_counter()
        session.run(None, latents)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"rate": requests / (time.perf_counter() - begin), "seconds": seconds}))


def measured(*arguments: object) -> dict:
    """Returns what this script prints for arguments, in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def described(name: str, rounds: list[dict]) -> str:
    """Returns a line of figures: the median rate of all rounds, and percentiles of all requests."""
    milliseconds = np.concatenate([each["seconds"] for each in rounds]) * 1e3
    p50, p99 = np.percentile(milliseconds, [50, 99])
    rate = statistics.median(each["rate"] for each in rounds)
    return f"{name:24} {rate:7.1f} requests/s   p50 {p50:7.2f} ms   p99 {p99:7.2f} ms"


def main() -> None:
    """Prints both in turns, and the ratio of their rates with its spread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=400, help="of each, a round")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bundle", type=Path, help="by default one is exported")
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bare", choices=["spinning", "waiting"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load:
        load(given.load, given.requests, given.clients)
    elif given.bare:
        bare(given.bundle, given.requests, given.bare == "spinning")
    else:
        with tempfile.TemporaryDirectory() as folder:
            bundle = given.bundle or exported(Path(folder) / "bundle")
            compare(bundle, given.requests, given.clients, given.rounds)


def exported(bundle: Path) -> Path:
    import export
    import zoo

    export.save(zoo.from_preset("vae_mnist"), bundle, ["onnx"])
    return bundle


def compare(bundle: Path, requests: int, clients: int, rounds: int) -> None:
    """Runs and prints the comparison on a bundle."""
    command = [sys.executable, "-m", "recipes.cli", "serve", str(bundle), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    loops = {"bare loop": "spinning", "bare loop, no spinning": "waiting"}
    served = {"zoo serve, one client": 1, f"zoo serve, {clients} clients": clients}
    results: dict[str, list[dict]] = {name: [] for name in (*loops, *served)}
    try:
        port = urlsplit(server.stdout.readline().strip()).port
        measured("--load", port, "--requests", 40, "--clients", clients)  # to warm up
        for _ in range(rounds):
            for name, how in loops.items():
                results[name].append(measured("--bare", how, "--bundle", bundle, "--requests", requests))
            for name, count in served.items():
                results[name].append(measured("--load", port, "--requests", requests, "--clients", count))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    print(f"decode of vae_mnist, batch {BATCH}; {rounds} rounds of {requests} requests, {os.cpu_count()} cores")
    for name, found in results.items():
        print(described(name, found))
    fastest = [max(rates) for rates in zip(*([each["rate"] for each in results[name]] for name in loops), strict=True)]
    for name in served:
        ratios = [each["rate"] / best for each, best in zip(results[name], fastest, strict=True)]
        print(
            f"{name:24} {statistics.median(ratios):.2f} of the faster loop's throughput, {min(ratios):.2f} to "
            f"{max(ratios):.2f} in single rounds"
        )


if __name__ == "__main__":
    main()
