"""Every case of an op, in ONNX Runtime against TensorFlow, at two batch sizes; many cases a graph, to save time."""

from pathlib import Path

import pytest
from op_cases import CASES, MODULES
from op_cases.comparison import compare
from op_table import table

import export
from export.ops import handlers

DOCS = Path(__file__).parents[3] / "docs"


TOGETHER = 12


def groups():
    """Cases of one module and one dtype."""
    for module in MODULES:
        for dtype in dict.fromkeys(dtype for case in module.CASES for dtype in case.compared):
            cases = [case for case in module.CASES if dtype in case.compared]
            for start in range(0, len(cases), TOGETHER):
                name = f"{module.__name__.split('.')[-1]}-{dtype}-{start}"
                yield pytest.param(cases[start : start + TOGETHER], dtype, id=name)


@pytest.mark.parametrize(("cases", "dtype"), groups())
def test_cases(cases, dtype):
    compare(cases, dtype)


LACKS = {case.lacks: case for case in reversed(CASES) if case.lacks}  # the first of each


@pytest.mark.parametrize("op", LACKS)
def test_onnx_runtime_has_no_float64_kernel(op):
    with pytest.raises(export.ExportError, match=f"implementation for {op}\\(|{op} operator does not support double"):
        compare([LACKS[op]], "float64")


def test_cases_run_in_both_dtypes_unless_they_say_what_is_lacking():
    alone = [case.op for case in CASES if {"float32", "float64"} & set(case.dtypes) == {"float32"}]
    # TensorFlow has pooling in float32 alone, and resizes in float32 whatever it is given; bits are of float32.
    resizing = ["ResizeArea", "ResizeBicubic", "ResizeBilinear", "ResizeBilinearGrad"]
    assert sorted(set(alone)) == ["AvgPool3D", "Bitcast", "MaxPool3D", *resizing]


def test_names_tell_cases_apart():
    names = [str(case) for case in CASES]
    assert len(names) == len(set(names)), sorted(name for name in set(names) if names.count(name) > 1)


def test_every_handler_has_a_case():
    covered = {op for case in CASES for op in (case.op, *case.also)}
    assert not set(handlers()) - covered


def test_every_handler_says_what_it_does():
    for op, handler in handlers().items():
        assert op.removesuffix("V2") in (handler.__doc__ or ""), op


def test_the_page_of_ops_is_up_to_date():
    page = (DOCS / "ops.md").read_text(encoding="utf-8")
    assert page == table(), "run PYTHONPATH=. python tests/op_table.py docs/ops.md"
