"""`zoo serve` as a process: it says where it listens, answers, and stops cleanly when told to."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

import export
from export import serving

# The command, in a process that says in the end which heavy packages it had loaded.
COMMAND = """
import sys
from recipes.cli import main
try:
    main()
finally:
    print(sorted({"tensorflow", "keras", "tf2onnx", "onnx"} & set(sys.modules)), flush=True)
"""


def start(*arguments: object) -> tuple[subprocess.Popen, str]:
    """Returns a process of `zoo serve`, and its address."""
    command = [sys.executable, "-c", COMMAND, "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def request(name: str, **inputs: int) -> dict:
    given = [{"name": key, "shape": [], "datatype": "INT64", "data": [value]} for key, value in inputs.items()]
    return {"url": f"/v2/models/{name}/infer", "json": {"inputs": given}}


def test_from_start_to_sigterm(small_bundle: Path):
    process, url = start(small_bundle, "--max-body", 1000)
    with httpx.Client(base_url=url, timeout=60) as client:
        assert client.get("/v2/health/ready").json()["ready"]
        response = client.post(**request("sample", n=2, seed=3))
        found = np.array(response.json()["outputs"][0]["data"], np.float32).reshape(2, 8, 8, 1)
        np.testing.assert_array_equal(found, export.load(small_bundle).sample(2, seed=3))
        assert client.post("/v2/models/sample/infer", content=b" " * 10_000_000).status_code == 413
        assert client.get("/v2/health/live").status_code == 200
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "[]\n", "")


def test_what_runs_finishes_within_its_time(odd_bundle: Path):
    process, url = start(odd_bundle, "--timeout", 3)
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.post(**{**(asked := request("walk", start=1, steps=2**40)), "url": url + asked["url"]}))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(1)  # so that it runs
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    thread.join()
    assert [each.status_code for each in answers] == [504]
    assert (process.returncode, errors) == (0, "")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/v2")


def connected(url: str) -> socket.socket:
    address = urlsplit(url)
    assert address.hostname and address.port
    return socket.create_connection((address.hostname, address.port), timeout=30)


def stop(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "[]\n", "")


def raw(name: str, body: bytes, header: str = "X-Nothing: 1") -> bytes:
    return (
        f"POST /v2/models/{name}/infer HTTP/1.1\r\nHost: x\r\n{header}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def ended(connection: socket.socket) -> bytes:
    """Returns what comes until the connection is closed."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(2**16):
            received += part
    return received


def test_requests_that_never_come_whole_are_dropped(odd_bundle: Path):
    process, url = start(odd_bundle, "--idle", 1, "--timeout", 4)
    silent, half, slow, second, endless = (connected(url) for _ in range(5))
    half.sendall(b"GET /v2 HTTP/1.1\r\nHost: ")
    second.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /v2 HTTP")  # one, and half of another
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        endless.sendall(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(10_000):
            endless.sendall(b"x" * 10_000)
        pytest.fail("headers of 100 MB were read")
    began = time.monotonic()
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        slow.sendall(b"GET /v2 HTTP/1.1\r\n")
        while time.monotonic() - began < 20:  # a byte now and then
            slow.sendall(b"X")
            time.sleep(0.1)
    assert time.monotonic() - began < 5
    assert ended(silent) == ended(half) == b""
    assert ended(second).endswith(b'{"live":true}')
    # What runs is left alone, for as long as it may.
    body = json.dumps(request("walk", start=1, steps=2**40)["json"]).encode()
    with connected(url) as working:
        working.sendall(raw("walk", body))
        assert working.recv(100).startswith(b"HTTP/1.1 504")
    stop(process)


@pytest.mark.parametrize(
    "part", [b"x" * 10_000, b"X: y\r\n" * 1000, b"3;" + b"x" * 10_000], ids=["one", "many", "chunk"]
)
def test_what_is_neither_header_nor_body_is_bounded(odd_bundle: Path, part: bytes):
    """Trailers after a body in chunks, which were kept in memory, and extensions of a chunk."""
    process, url = start(odd_bundle)
    body = b"1\r\n{\r\n" if part.startswith(b"3;") else b"1\r\n{\r\n0\r\nX: "
    asked = b"POST /v2/models/walk/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(url) as endless, contextlib.suppress(ConnectionResetError, BrokenPipeError):
        endless.sendall(asked + body)
        for _ in range(2000):
            endless.sendall(part)
        pytest.fail("12 MB or more that are no body were read")
    with connected(url) as chunks:  # with trailers that are meant
        chunks.sendall(asked + b"1\r\n{\r\n" * 100_000 + b"0\r\nX: y\r\n\r\n")
        assert chunks.recv(100).startswith(b"HTTP/1.1 400")
    stop(process)


def test_bodies_that_arrive_slowly_take_no_place(odd_bundle: Path):
    process, url = start(odd_bundle, "--concurrency", 2, "--idle", 2)
    asked = request("walk", start=1, steps=2)
    asked["url"] = url + asked["url"]
    slow = [connected(url) for _ in range(4)]
    for connection in slow:
        connection.sendall(raw("walk", b" " * 1000)[:-999])
    time.sleep(0.5)  # so that they are read
    began = time.monotonic()
    assert httpx.post(**asked, timeout=60).json()["outputs"][0]["data"] == [3]
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while time.monotonic() - began < 20:  # a byte now and then
            slow[0].sendall(b" ")
            time.sleep(0.1)
    assert time.monotonic() - began < 5
    for connection in slow[1:]:
        answer = ended(connection)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"brought less than 65536 bytes in 2 s. Send less, or over a faster connection." in answer
    stop(process)


def test_bodies_that_bring_enough_are_waited_for(odd_bundle: Path):
    process, url = start(odd_bundle, "--idle", 1, "--max-rows", 10**6)
    asked = squares(np.ones(500_000, np.float32))
    with connected(url) as sending:
        for first in range(0, len(asked), 100_000):  # slower than a request may be idle
            sending.sendall(asked[first : first + 100_000])
            time.sleep(0.1)
        assert sending.recv(100).startswith(b"HTTP/1.1 200")
    stop(process)


def test_bodies_are_bounded_together_while_they_arrive(odd_bundle: Path):
    process, url = start(odd_bundle, "--max-body", 100_000, "--max-arriving", 100_000)
    asked = squares(np.ones(20_000, np.float32))
    with connected(url) as first, connected(url) as second:
        for connection in (first, second):
            connection.sendall(asked[:60_000])
            time.sleep(0.5)
        answer = ended(second)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"100000 bytes of bodies are arriving, as many as allowed. Come again" in answer
        first.sendall(asked[60_000:])
        assert b"asks for 20000 rows" in ended(first)
    with connected(url) as third:
        third.sendall(asked)
        assert b"asks for 20000 rows" in ended(third)
    stop(process)


def squares(values: np.ndarray) -> bytes:
    """Returns a request for the squares of many numbers, as bytes."""
    tensor = {"name": "x", "datatype": "FP32", "shape": values.shape, "parameters": {"binary_data_size": values.nbytes}}
    text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return raw("square", text + values.tobytes(), f"Inference-Header-Content-Length: {len(text)}\r\nConnection: close")


def test_answers_that_are_not_taken_are_dropped(odd_bundle: Path):
    process, url = start(odd_bundle, "--idle", 1, "--max-rows", 10**8)
    values = np.ones(8_000_000, np.float32)
    asked = squares(values)
    with connected(url) as reading, connected(url) as waiting:
        for connection in (reading, waiting):
            connection.sendall(asked)
        received, began = reading.recv(1000), time.monotonic()
        while len(received) < values.nbytes:  # slower than a request may be idle, but all of it
            received += reading.recv(1_500_000)
            time.sleep(0.1)
        assert time.monotonic() - began > 1.5
        time.sleep(1)
        assert len(ended(waiting)) < values.nbytes
    stop(process)


def test_connections_are_bounded_in_number(small_bundle: Path):
    process, url = start(small_bundle, "--connections", 2)
    with connected(url), connected(url) as second, connected(url) as third:
        answer = ended(third)
        assert answer.startswith(b"HTTP/1.1 503")
        assert answer.endswith(b'{"error":"2 connections are open, as many as allowed. Come again in a second."}')
        second.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert ended(second).endswith(b'{"live":true}')
    assert httpx.get(f"{url}/v2/health/live").status_code == 200
    stop(process)


def test_clients_that_ask_for_another_protocol_are_answered_without_a_word(small_bundle: Path):
    process, url = start(small_bundle)
    with connected(url) as client:
        wanted = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        client.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n" + wanted + b"Sec-WebSocket-Key: x\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    stop(process)


def test_nothing_runs_for_clients_that_have_left(odd_bundle: Path):
    process, url = start(odd_bundle, "--threads", 1, "--timeout", 50, "--concurrency", 3)
    body = json.dumps(request("walk", start=1, steps=2**40)["json"]).encode()
    running, waiting, other = (connected(url) for _ in range(3))
    for connection in (running, waiting, other):
        connection.sendall(raw("walk", body))
        time.sleep(0.5)
    asked = request("walk", start=1, steps=2)
    asked["url"] = url + asked["url"]
    assert httpx.post(**asked).status_code == 503  # all places are taken
    waiting.close()
    time.sleep(0.5)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, **asked, timeout=60)  # takes the place of the one that left
        time.sleep(0.5)
        for connection in (other, running):
            connection.close()
        assert answer.result().json()["outputs"][0]["data"] == [3]
    assert time.monotonic() - began < 20
    stop(process)


def test_the_request_in_the_readme(small_bundle: Path, tmp_path: Path):
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    (block,) = [text for text in re.findall(r"```py\n(.*?)```", readme, re.DOTALL) if "import requests" in text]
    process, url = start(small_bundle)
    code = block.replace("http://127.0.0.1:8000", url) + "np.save('images.npy', images)\n"
    try:
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    finally:
        process.terminate()
        process.communicate(timeout=60)
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), export.load(small_bundle).sample(16, seed=0))


def test_serving_outside_the_main_thread_is_refused(small_bundle: Path):
    with ThreadPoolExecutor(1) as pool, pytest.raises(export.ExportError, match="Call it from the main thread, or"):
        pool.submit(serving.serve, small_bundle, port=0).result(timeout=60)


def test_what_the_command_refuses(user_error, small_bundle: Path, tmp_path: Path):
    assert "is no bundle" in user_error("serve", tmp_path, "--port", 0)
    assert "max_arriving is 10, expected at least max_body" in user_error("serve", small_bundle, "--max-arriving", 10)
    assert "timeout is 0.0" in user_error("serve", small_bundle, "--timeout", 0, "--port", 0)
    assert "Invalid value for '--threads'" in user_error("serve", small_bundle, "--threads", 0, "--port", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = user_error("serve", small_bundle, "--port", port)
    assert f"cannot listen on 127.0.0.1, port {port}" in message
    assert "Choose another --host or --port" in message
