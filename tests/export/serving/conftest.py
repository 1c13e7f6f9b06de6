"""A server in process, and a bundle written by hand, whose graphs are as slow and as odd as a test needs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from starlette.testclient import TestClient

from export import manifest as manifests
from export.serving import Limits, create_app
from zoo.signature import NamedTensor, Signature

KINDS = {"flag": "bool", "small": "uint8", "whole": "int64", "half": "float16", "double": "float64"}


def _no_function(**_: object) -> dict[str, object]:
    raise AssertionError("the graphs are written by hand")


def _identities() -> tuple[Signature, onnx.GraphProto]:
    """Every dtype in and out."""
    inputs = tuple(NamedTensor(name, ("batch",), dtype) for name, dtype in KINDS.items())
    outputs = tuple(NamedTensor(f"{name}_out", ("batch",), dtype) for name, dtype in KINDS.items())
    types = {name: helper.np_dtype_to_tensor_dtype(np.dtype(dtype)) for name, dtype in KINDS.items()}
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in KINDS]
    graph = helper.make_graph(
        nodes,
        "kinds",
        [helper.make_tensor_value_info(name, kind, ["batch"]) for name, kind in types.items()],
        [helper.make_tensor_value_info(f"{name}_out", kind, ["batch"]) for name, kind in types.items()],
    )
    return Signature("kinds", _no_function, inputs, outputs, description="What comes in."), graph


def _square() -> tuple[Signature, onnx.GraphProto]:
    """Infinite for large numbers."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Mul", ["x", "x"], ["y"])], "square", [x], [y])
    specs = [(NamedTensor(name, ("batch",)),) for name in "xy"]
    return Signature("square", _no_function, *specs, description="A product."), graph


def _walk() -> tuple[Signature, onnx.GraphProto]:
    """As slow as `steps` says."""
    info, boolean, whole = helper.make_tensor_value_info, TensorProto.BOOL, TensorProto.INT64
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["going"]), helper.make_node("Add", ["here", "one"], ["there"])],
        "body",
        [info("i", whole, []), info("go", boolean, []), info("here", whole, [])],
        [info("going", boolean, []), info("there", whole, [])],
        [helper.make_tensor("one", whole, [], [1])],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["steps", "", "start"], ["end"], body=body)],
        "walk",
        [info("start", whole, []), info("steps", whole, [])],
        [info("end", whole, [])],
    )
    steps = NamedTensor("steps", (), "int64", (1, 2**40), "how far", default=2)
    inputs = (NamedTensor("start", (), "int64"), steps)
    return Signature("walk", _no_function, inputs, (NamedTensor("end", (), "int64"),), description="A sum."), graph


def _table() -> tuple[Signature, onnx.GraphProto]:
    """Far more numbers than come in."""
    rows, columns = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [name]) for name in ("rows", "columns"))
    last = helper.make_tensor("last", TensorProto.INT64, [1], [1])
    nodes = [
        helper.make_node("Unsqueeze", ["rows", "last"], ["standing"]),
        helper.make_node("Mul", ["standing", "columns"], ["table"]),
    ]
    product = helper.make_tensor_value_info("table", TensorProto.FLOAT, ["rows", "columns"])
    graph = helper.make_graph(nodes, "table", [rows, columns], [product], [last])
    inputs = (NamedTensor("rows", ("rows",)), NamedTensor("columns", ("columns",)))
    return Signature("table", _no_function, inputs, (NamedTensor("table", ("rows", "columns")),)), graph


def _pictures() -> tuple[Signature, onnx.GraphProto]:
    """Of any size."""
    shape = ["batch", "height", "width"]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("image", "same"))
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["same"])], "pictures", [x], [y])
    specs = [(NamedTensor(name, tuple(shape)),) for name in ("image", "same")]
    return Signature("pictures", _no_function, *specs), graph


@pytest.fixture(scope="session")
def odd_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signatures whose outputs are as odd, as large and as late as one likes."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "onnx").mkdir()
    signatures = {}
    for signature, graph in (_identities(), _square(), _walk(), _table(), _pictures()):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        onnx.save(model, folder / "onnx" / f"{signature.name}.onnx")
        signatures[signature.name] = manifests.describe(signature)
    manifest = {
        "format": manifests.VERSION,
        "model": {"name": "odd", "class": "Odd"},
        "formats": ["onnx"],
        "signatures": signatures,
        "files": manifests.hashes(folder),
    }
    manifests.write(folder, manifest)
    return folder


@pytest.fixture(scope="session")
def client(small_bundle: Path) -> Iterator[TestClient]:
    """A server of `small_bundle` that allows 20 rows and 100,000 bytes."""
    with TestClient(create_app(small_bundle, Limits(max_rows=20, max_body=100_000))) as client:
        yield client


@pytest.fixture(scope="session")
def odd_client(odd_bundle: Path) -> Iterator[TestClient]:
    """A server of `odd_bundle`."""
    with TestClient(create_app(odd_bundle)) as client:
        yield client
