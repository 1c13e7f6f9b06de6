"""`zoo serve` as a process: it says where it listens, answers, and stops cleanly when told to."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

import export

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


def test_what_the_command_refuses(user_error, small_bundle: Path, tmp_path: Path):
    assert "is no bundle" in user_error("serve", tmp_path, "--port", 0)
    assert "timeout is 0.0" in user_error("serve", small_bundle, "--timeout", 0, "--port", 0)
    assert "Invalid value for '--threads'" in user_error("serve", small_bundle, "--threads", 0, "--port", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = user_error("serve", small_bundle, "--port", port)
    assert f"cannot listen on 127.0.0.1, port {port}" in message
    assert "Choose another --host or --port" in message
