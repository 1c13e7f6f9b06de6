"""The server's behaviour: what the protocol says, pictures, and clear refusals after which it still answers."""

import io
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import export
from export.serving import Limits, create_app
from export.serving.protocol import HEADER_LENGTH

NAMES = ["encode", "decode", "reconstruct", "sample"]


def tensor(name: str, array: object, datatype: str = "FP32", **more: object) -> dict:
    array = np.asarray(array)
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": array.ravel().tolist(), **more}


def drawing(n: object = 2, seed: object = 0, **options: float) -> dict:
    given = [tensor("n", n, "INT64"), tensor("seed", seed, "INT64")]
    return {"inputs": given + [tensor(name, value) for name, value in options.items()]}


def output(response, name: str) -> np.ndarray:
    assert response.status_code == 200, response.text
    found = next(each for each in response.json()["outputs"] if each["name"] == name)
    return np.array(found["data"], np.float32).reshape(found["shape"])


def error(response) -> str:
    assert response.headers["content-type"] == "application/json"
    return response.json()["error"]


def test_health_and_metadata(client):
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert set(NAMES) <= set(client.get("/v2").json()["models"])
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.head("/v2/health/live").status_code == client.head("/v2/health/ready").status_code == 200
    assert client.get("/v2/health/ready").json()["ready"]
    for name in NAMES:
        for path in (f"/v2/models/{name}", f"/v2/models/{name}/versions/1"):
            assert client.get(path).json()["name"] == name
            assert client.get(f"{path}/ready").json() == {"name": name, "ready": True}
    described = client.get("/v2/models/sample").json()
    assert described["versions"] == ["1"]
    assert described["outputs"][0]["shape"] == [-1, 8, 8, 1]
    by_name = {each["name"]: each for each in described["inputs"]}
    assert (by_name["n"]["datatype"], by_name["n"]["shape"]) == ("INT64", [])
    assert by_name["temperature"]["parameters"]["default"] == 1.0


def test_values_are_those_of_the_bundle(client, small_bundle):
    bundle = export.load(small_bundle)
    expected = bundle.sample(2, seed=5)
    for path in ("/v2/models/sample/infer", "/v2/models/sample/versions/1/infer"):
        response = client.post(path, json={"id": "mine", **drawing(2, 5)})
        np.testing.assert_array_equal(output(response, "image"), expected)
        assert response.json()["id"] == "mine"
        assert response.json()["model_name"] == "sample"
    cool = client.post("/v2/models/sample/infer", json=drawing(2, 5, temperature=0.5))
    np.testing.assert_array_equal(output(cool, "image"), bundle.sample(2, seed=5, temperature=0.5))
    codes = bundle.run("encode", image=expected)
    nested = {**tensor("image", expected), "data": expected.tolist()}
    request = {"inputs": [nested], "outputs": [{"name": "scale"}]}
    response = client.post("/v2/models/encode/infer", json=request)
    np.testing.assert_array_equal(output(response, "scale"), codes["scale"])
    assert len(response.json()["outputs"]) == 1
    shape = {**drawing()["inputs"][0], "shape": [1]}  # for a scalar, from clients that know none
    response = client.post("/v2/models/sample/infer", json={"inputs": [shape, tensor("seed", 0, "INT64")]})
    np.testing.assert_array_equal(output(response, "image"), bundle.sample(2))


def as_bytes(inputs: dict[str, tuple[np.ndarray, str]], **more: object) -> tuple[bytes, dict[str, str]]:
    """Returns body and headers of a request with tensors as bytes."""
    described = [
        {
            "name": name,
            "shape": array.shape,
            "datatype": datatype,
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, (array, datatype) in inputs.items()
    ]
    header = json.dumps({"inputs": described, **more}).encode()
    return header + b"".join(array.tobytes() for array, _ in inputs.values()), {HEADER_LENGTH: str(len(header))}


def from_bytes(response, dtypes: dict[str, str]) -> dict[str, np.ndarray]:
    """Returns the outputs of a response with tensors as bytes."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers[HEADER_LENGTH])
    header, rest = json.loads(response.content[:length]), response.content[length:]
    arrays = {}
    for each in header["outputs"]:
        size = each["parameters"]["binary_data_size"]
        arrays[each["name"]] = np.frombuffer(rest[:size], dtypes[each["name"]]).reshape(each["shape"])
        rest = rest[size:]
    assert not rest
    return arrays


def test_bytes_in_and_out(client, small_bundle):
    images = export.load(small_bundle).sample(3)
    content, headers = as_bytes({"image": (images, "FP32")}, parameters={"binary_data_output": True})
    found = from_bytes(
        client.post("/v2/models/encode/infer", content=content, headers=headers), {"loc": "<f4", "scale": "<f4"}
    )
    for name, expected in export.load(small_bundle).run("encode", image=images).items():
        np.testing.assert_array_equal(found[name], expected)
    wanted = [{"name": "loc"}, {"name": "scale", "parameters": {"binary_data": True}}]
    response = client.post("/v2/models/encode/infer", json={"inputs": [tensor("image", images)], "outputs": wanted})
    length = int(response.headers[HEADER_LENGTH])
    described = json.loads(response.content[:length])["outputs"]
    np.testing.assert_array_equal(np.array(described[0]["data"], np.float32), found["loc"].ravel())
    assert response.content[length:] == found["scale"].tobytes()


def test_every_dtype_goes_through_both_ways(odd_client):
    arrays = {
        "flag": (np.array([True, False]), "BOOL"),
        "small": (np.array([0, 255], np.uint8), "UINT8"),
        "whole": (np.array([-(2**63), 2**63 - 1]), "INT64"),
        "half": (np.array([0.5, -2], np.float16), "FP16"),
        "double": (np.array([1e300, 0.1]), "FP64"),
    }
    request = {"inputs": [tensor(name, array, kind) for name, (array, kind) in arrays.items()]}
    response = odd_client.post("/v2/models/kinds/infer", json=request)
    assert response.status_code == 200, response.text
    for each, (array, kind) in zip(response.json()["outputs"], arrays.values(), strict=True):
        assert (each["data"], each["datatype"]) == (array.tolist(), kind)
    content, headers = as_bytes(arrays, parameters={"binary_data_output": True})
    response = odd_client.post("/v2/models/kinds/infer", content=content, headers=headers)
    found = from_bytes(response, {f"{name}_out": array.dtype.str for name, (array, _) in arrays.items()})
    for name, (array, _) in arrays.items():
        np.testing.assert_array_equal(found[f"{name}_out"], array)
    for name, data, message in (
        ("small", [0, 256], "numbers beyond UINT8"),
        ("flag", [0, 1], "integers, expected BOOL"),
        ("half", [1e6, 0.0], "NaN, or numbers that are infinite in FP16"),
        ("whole", [1.0, 2.0], "fractions, or numbers beyond 64 bits, expected INT64"),
        ("whole", [1, 2**70], "fractions, or numbers beyond 64 bits, expected INT64"),
        ("whole", [True, False], "true or false, expected INT64"),
    ):
        changed = [{**each, "data": data} if each["name"] == name else each for each in request["inputs"]]
        response = odd_client.post("/v2/models/kinds/infer", json={"inputs": changed})
        assert response.status_code == 422
        assert message in error(response)
    content, headers = as_bytes({**arrays, "flag": (np.array([2, 0], np.uint8), "BOOL")})
    response = odd_client.post("/v2/models/kinds/infer", content=content, headers=headers)
    assert response.status_code == 422
    assert "bytes other than 0 and 1" in error(response)


@pytest.mark.parametrize("n, size", [(1, (8, 8)), (5, (3 * 58 + 2, 2 * 58 + 2))])
def test_pictures(client, small_bundle, n, size):
    response = client.post("/v2/models/sample/infer", json=drawing(n), headers={"Accept": "image/png"})
    assert response.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(response.content))
    assert (picture.mode, picture.size) == ("L", size)
    if n == 1:
        expected = np.rint(export.load(small_bundle).sample(1)[0, ..., 0] * 255)
        np.testing.assert_array_equal(np.asarray(picture), expected)


def test_no_picture_of_what_is_none(client):
    request = {"inputs": [tensor("image", np.zeros((1, 8, 8, 1)))]}
    response = client.post("/v2/models/encode/infer", json=request, headers={"Accept": "text/html, image/png;q=0.9"})
    assert response.status_code == 406
    assert "outputs of 'encode' are no pictures" in error(response)


@pytest.mark.parametrize(
    "accept, picture",
    [
        ("image/png", True),
        ("IMAGE/PNG; q=0.3, */*", True),
        ("application/json;q=0.5, image/png", True),
        ("image/png;q=0", False),
        ("image/png; q=0.0, */*", False),
        ("image/png;q=high", False),
        ("application/json, image/png;q=0.9", False),
        ("*/*", False),
    ],
)
def test_a_picture_comes_where_it_is_wanted(client, accept, picture):
    response = client.post("/v2/models/sample/infer", json=drawing(1), headers={"Accept": accept})
    assert response.headers["content-type"] == ("image/png" if picture else "application/json")


def test_what_may_be_left_out_may_be_null(client, small_bundle):
    inputs = [{**each, "parameters": None} for each in drawing(2, 5)["inputs"]]
    for outputs in (
        None,
        [{"name": "image", "parameters": None}],
        [{"name": "image", "parameters": {"binary_data": None}}],
    ):
        for parameters in (None, {"binary_data_output": None}):
            asked = {"id": None, "inputs": inputs, "outputs": outputs, "parameters": parameters}
            response = client.post("/v2/models/sample/infer", json=asked)
            np.testing.assert_array_equal(output(response, "image"), export.load(small_bundle).sample(2, seed=5))
            assert "id" not in response.json()
    images = np.full((1, 8, 8, 1), 0.5, np.float32)
    header = {"name": "image", "datatype": "FP32", "shape": images.shape, "data": None}
    text = json.dumps({"inputs": [{**header, "parameters": {"binary_data_size": images.nbytes}}]}).encode()
    given = {"content": text + images.tobytes(), "headers": {HEADER_LENGTH: str(len(text))}}
    assert client.post("/v2/models/encode/infer", **given).status_code == 200


IMAGES = np.full((2, 8, 8, 1), 0.5)


def encoding(**changes: object) -> dict:
    return {"inputs": [{**tensor("image", IMAGES), **changes}]}


BAD = [
    ("encode", b"{", 400, "is not JSON"),
    ("encode", b"\xff\xfe", 400, "is not JSON"),
    ("encode", b"", 400, "is not JSON"),
    ("encode", b"[" * 100_000, 400, "is not JSON"),
    ("encode", b'{"inputs": [{"name": "image", "data": [NaN]}]}', 400, "NaN and infinite numbers"),
    ("encode", [], 400, "not a JSON object"),
    ("encode", {}, 400, "the request has no 'inputs'"),
    ("encode", {"inputs": {}}, 400, "'inputs' of the request is not a list"),
    ("encode", {"inputs": [3]}, 400, "not all JSON objects"),
    ("encode", {"inputs": []}, 422, "takes the inputs ['image'], got []"),
    ("encode", {"id": 3, **encoding()}, 400, "'id' of the request is not a text"),
    ("encode", encoding(name="picture"), 422, "has no input 'picture'. It takes ['image']"),
    ("encode", {"inputs": encoding()["inputs"] * 2}, 422, "is given twice"),
    ("encode", encoding(datatype="INT64"), 422, "has datatype INT64, expected FP32"),
    ("encode", encoding(shape=[2, 64]), 422, "has shape [2, 64], expected ['batch', 8, 8, 1]"),
    ("encode", encoding(shape=[-2, 8, 8, 1]), 400, "not a list of integers"),
    ("encode", encoding(shape=[2.0, 8, 8, 1]), 400, "not a list of integers"),
    ("encode", encoding(shape=[10**12, 8, 8, 1]), 413, "this server allows 20"),
    ("encode", encoding(shape=[21, 8, 8, 1]), 413, "asks for 21 rows"),
    ("encode", encoding(shape=[3, 8, 8, 1]), 422, "holds 128 numbers, expected 192"),
    ("encode", encoding(shape=[0, 8, 8, 1], data=[]), 422, "is empty"),
    ("encode", encoding(data=3), 400, "'data' of input 'image' of 'encode' is not a list"),
    ("encode", encoding(data=["a"] * 128), 422, "holds a text, expected FP32"),
    ("encode", encoding(data=[None] * 128), 422, "holds null, expected FP32"),
    ("encode", encoding(data=[[0.5] * 64, [0.5] * 63]), 422, "nested in another way"),
    ("encode", encoding(data=[IMAGES.tolist()]), 422, "nested in another way"),
    ("encode", encoding(data=[1e39] * 128), 422, "infinite in FP32"),
    ("encode", encoding(data=[7.5] * 128), 422, "its values are all 7.5, expected 0 to 1"),
    ("encode", encoding(parameters={"binary_data_size": 512}), 400, "both data and binary_data_size"),
    ("encode", encoding(parameters=[]), 400, "'parameters' of input 'image' of 'encode' is not an object"),
    ("encode", {**encoding(), "outputs": [{"name": "codes"}]}, 422, "output 'codes' of 'encode' is not there"),
    ("encode", {**encoding(), "outputs": [{"name": "loc"}] * 2}, 422, "is asked for twice"),
    ("sample", drawing(n=10**9), 413, "asks for 1000000000 rows"),
    ("sample", drawing(n=0), 422, "input 'n' of 'sample' is 0, expected 1"),
    ("sample", drawing(seed=-1), 422, "input 'seed' of 'sample' is -1"),
    ("sample", drawing(temperature=0), 422, "'temperature' of 'sample' is 0.0"),
    ("sample", {"inputs": [*drawing()["inputs"], tensor("first", 6, "INT64")]}, 422, "expected a multiple of 4"),
    ("sample", drawing(n=[1, 2]), 422, "has shape [2], expected []"),
    ("sample", {"inputs": [{**tensor("n", 1, "INT64"), "data": [10**18 * 10]}]}, 422, "numbers beyond INT64"),
    (
        "sample",
        {"inputs": [tensor("n", 2, "INT64")]},
        422,
        "takes the inputs ['n', 'seed'], and may have ['first', ",
    ),
]


@pytest.mark.parametrize("name, body, status, message", BAD, ids=[message for *_, message in BAD])
def test_bad_requests(client, name, body, status, message):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post(f"/v2/models/{name}/infer", content=content)
    assert response.status_code == status, response.text
    assert message in error(response)
    assert client.post("/v2/models/sample/infer", json=drawing(1)).status_code == 200


@pytest.mark.parametrize(
    "length, cut, message",
    [
        ("0", 0, "the header Inference-Header-Content-Length is '0'"),
        ("-1", 0, "is '-1'"),
        ("ten", 0, "is 'ten'"),
        ("9" * 30, 0, "is '999"),
        ("\N{SUPERSCRIPT TWO}".encode(), 0, "expected the length of the JSON"),
        ("5", 0, "is not JSON"),
        (None, 0, "is not JSON"),
        ("true", 4, "needs 512 bytes after the JSON, where 508 are left"),
        ("true", -4, "4 bytes after the JSON belong to no input"),
    ],
)
def test_malformed_lengths(client, length, cut, message):
    content, headers = as_bytes({"image": (IMAGES.astype(np.float32), "FP32")})
    content = content[:-cut] if cut > 0 else content + b"\0" * -cut
    headers = headers if length == "true" else {} if length is None else {HEADER_LENGTH: length}
    response = client.post("/v2/models/encode/infer", content=content, headers=headers)
    assert response.status_code == 400, response.text
    assert message in error(response)


def test_bytes_that_do_not_fit(client):
    for array, status, message in (
        (IMAGES, 400, "has binary_data_size 1024, expected 512"),
        (np.full((2, 8, 8, 1), np.nan, np.float32), 422, "holds NaN"),
        (np.full((2, 8, 8, 1), -np.inf, np.float32), 422, "infinite in FP32"),
    ):
        content, headers = as_bytes({"image": (array, "FP32")})
        response = client.post("/v2/models/encode/infer", content=content, headers=headers)
        assert response.status_code == status
        assert message in error(response)


def test_pictures_that_are_not_finite(client, monkeypatch):
    images = np.full((1, 8, 8, 1), np.nan, np.float32)
    monkeypatch.setattr("export.serving.app.run_session", lambda *_: {"image": images})
    response = client.post("/v2/models/sample/infer", json=drawing(1), headers={"Accept": "image/png"})
    assert response.status_code == 422
    assert "output 'image' of 'sample' is not finite for these inputs, and a picture has no such" in error(response)


def test_outputs_that_json_cannot_hold(odd_client):
    request = {"inputs": [tensor("x", [1e30, 2.0])]}
    response = odd_client.post("/v2/models/square/infer", json=request)
    assert response.status_code == 422
    assert "output 'y' of 'square' is not finite" in error(response)
    response = odd_client.post("/v2/models/square/infer", json={**request, "parameters": {"binary_data_output": True}})
    np.testing.assert_array_equal(from_bytes(response, {"y": "<f4"})["y"], np.float32([np.inf, 4]))


def test_what_is_not_there(client):
    response = client.get("/v2/models/paint")
    assert response.status_code == 404
    assert "Models, each of version 1: encode, decode" in error(response)
    assert client.get("/v2/models/encode/versions/2").status_code == 404
    assert client.get("/v2/models/encode/infer").status_code == 405
    assert client.get(f"/v2/models/{quote('../../etc', safe='')}").status_code == 404


def test_bodies_are_refused_before_all_is_read(client):
    def endless():
        for _ in range(1000):
            endless.sent += 1
            yield b" " * 10_000

    endless.sent = 0
    large = b" " * 100_001
    for content in (large, endless()):
        response = client.post("/v2/models/encode/infer", content=content)
        assert response.status_code == 413
        assert "larger than 100000 bytes" in error(response)
        assert response.headers["connection"] == "close"
    compressed = client.post("/v2/models/encode/infer", content=b"x", headers={"Content-Encoding": "gzip"})
    assert compressed.status_code == 415


def test_json_is_limited_more_than_bytes(odd_bundle):
    limits = Limits(max_rows=10**6, max_json=1000)
    path = "/v2/models/square/infer"
    with TestClient(create_app(odd_bundle, limits)) as client:
        few, many = np.ones(10, np.float32), np.ones(10**5, np.float32)
        assert client.post(path, json={"inputs": [tensor("x", few)]}).status_code == 200
        content, headers = as_bytes({"x": (many, "FP32")}, parameters={"binary_data_output": True})
        assert from_bytes(client.post(path, content=content, headers=headers), {"y": "<f4"})["y"].sum() == 10**5
        text = json.dumps({"inputs": [tensor("x", many)]}).encode()
        for headers in ({}, {HEADER_LENGTH: str(len(text))}):
            response = client.post(path, content=text, headers=headers)
            assert response.status_code == 413
            assert "the JSON is larger than 1000 bytes, the most allowed here. Send fewer rows, or" in error(response)
    assert Limits().max_json * 32 <= Limits().max_body


def asked_for(client, shape: list[int], data: list[float]) -> str:
    given = {"name": "image", "datatype": "FP32", "shape": shape, "data": data}
    response = client.post("/v2/models/pictures/infer", json={"inputs": [given]})
    return f"{response.status_code} {error(response)}"


def test_every_free_axis_is_bounded(odd_bundle, odd_client):
    most = Limits().max_axis
    for axis, shape in (("width", [1, 1, most + 1]), ("height", [1, most + 1, 1])):
        message = f"413 input 'image' of 'pictures' has {most + 1} along '{axis}', and this server allows {most}. Send"
        assert message in asked_for(odd_client, shape, [0.0] * (most + 1))
    assert "413 input 'image' of 'pictures' asks for 1025 rows" in asked_for(odd_client, [1025, 1, 1], [0.0] * 1025)
    with TestClient(create_app(odd_bundle, Limits(max_rows=2**63, max_axis=2**63))) as client:
        for shape in ([0, 2**40, 2**40], [2**40, 0, 1], [1, 0, 2**63]):  # NumPy has no arrays of some of these
            assert "422 input 'image' of 'pictures' is empty" in asked_for(client, shape, [])


def table(rows: int, columns: int, **more: object) -> tuple[bytes, dict[str, str]]:
    """Returns body and headers of a request for far more numbers than it brings."""
    sizes = {"rows": rows, "columns": columns}
    return as_bytes({name: (np.ones(size, np.float32), "FP32") for name, size in sizes.items()}, **more)


def test_outputs_larger_than_memory_are_refused(odd_bundle):
    content, headers = table(10**6, 10**6, parameters={"binary_data_output": True})
    with TestClient(create_app(odd_bundle, Limits(max_rows=10**6))) as client:
        response = client.post("/v2/models/table/infer", content=content, headers=headers)
    assert response.status_code == 413
    assert "the outputs of 'table' for 1,000,000 rows take 4,000 GB, more than" in error(response)


def test_answers_as_json_are_bounded(odd_bundle):
    with TestClient(create_app(odd_bundle, Limits(max_numbers=1000))) as client:
        for columns, status in ((100, 200), (101, 413)):
            content, headers = table(10, columns)
            response = client.post("/v2/models/table/infer", content=content, headers=headers)
            assert response.status_code == status
            content, headers = table(10, columns, parameters={"binary_data_output": True})
            whole = client.post("/v2/models/table/infer", content=content, headers=headers)
            assert from_bytes(whole, {"table": "<f4"})["table"].sum() == 10 * columns
    message = "the outputs of 'table' are 1010 numbers, and this server writes 1000 as JSON. Ask for bytes"
    assert message in error(response)
    assert Limits().max_numbers == 2**20  # a tenth of a second, in which nothing else is answered


def walking(steps: int) -> dict:
    return {"inputs": [tensor("start", 3, "INT64"), tensor("steps", steps, "INT64")]}


def test_outputs_without_any_axis(odd_bundle, odd_client):
    assert export.load(odd_bundle).run("walk", start=3)["end"] == 5
    assert odd_client.post("/v2/models/walk/infer", json=walking(2)).json()["outputs"][0]["data"] == [5]


def test_what_takes_too_long_is_stopped(odd_bundle):
    limits = Limits(timeout=0.3, threads=1)
    with TestClient(create_app(odd_bundle, limits)) as client:
        short = {"inputs": [tensor("start", 3, "INT64")]}
        assert client.post("/v2/models/walk/infer", json=short).json()["outputs"][0]["data"] == [5]
        started = time.monotonic()
        response = client.post("/v2/models/walk/infer", json=walking(2**40))
        assert time.monotonic() - started < 10
        assert response.status_code == 504
        assert "longer than 0.3 s, and was stopped" in error(response)
        deadline = time.monotonic() + 20  # the thread is free again
        while (response := client.post("/v2/models/walk/infer", json=short)).status_code != 200:
            assert response.status_code == 503
            assert time.monotonic() < deadline


def test_too_many_at_once(odd_bundle):
    limits = Limits(timeout=1.5, threads=1, concurrency=2)
    with TestClient(create_app(odd_bundle, limits)) as client, ThreadPoolExecutor(5) as pool:
        sent = [pool.submit(client.post, "/v2/models/walk/infer", json=walking(2**40)) for _ in range(5)]
        while not any(each.done() for each in sent):
            assert client.get("/v2/health/live").status_code == 200  # the event loop is alive meanwhile
        answers = [each.result() for each in sent]
    refused = [each for each in answers if "2 requests are in progress, as many as allowed" in error(each)]
    assert len(refused) == 3
    assert all(each.status_code == 503 and int(each.headers["retry-after"]) > 0 for each in refused)
    # One ran out of time; the other too, or it was told that no thread was free, as its place in time has it.
    others = {each.status_code: error(each) for each in answers if each not in refused}
    assert "longer than 1.5 s" in others.pop(504)
    assert all("no thread was free for 1.5 s" in reason for reason in others.values())


def test_an_app_is_started_again(odd_bundle):
    app = create_app(odd_bundle, Limits(concurrency=2))
    for _ in range(3):
        with TestClient(app) as client:
            assert client.post("/v2/models/walk/infer", json=walking(3)).status_code == 200


def test_the_page_describes_each_signature(client):
    page = client.get("/openapi.json").json()
    for name in NAMES:
        entry = page["paths"][f"/v2/models/{name}/infer"]["post"]
        body = entry["requestBody"]["content"]["application/json"]["schema"]
        (example,) = body["examples"]
        assert client.post(f"/v2/models/{name}/infer", json=example).status_code == 200
        for each in example["inputs"]:
            assert f"| input `{each['name']}` |" in entry["description"]
        assert ("image/png" in entry["responses"]["200"]["content"]) == (name != "encode")
    assert "/openapi.json" in client.get("/docs").text


def test_what_cannot_be_served(small_bundle, tmp_path, monkeypatch):
    with pytest.raises(export.ExportError, match="is no bundle"):
        create_app(tmp_path)
    with pytest.raises(export.ExportError, match="max_rows is 0, expected a positive number"):
        create_app(small_bundle, Limits(max_rows=0))
    for name in [name for name in sys.modules if name.startswith(("fastapi", "export.serving."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(export.ExportError, match=r"needs the package fastapi: pip install 'genzoo\[serve\]'"):
        _ = export.serving.serve
