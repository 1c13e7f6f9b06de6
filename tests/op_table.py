"""Writes docs/ops.md: the TensorFlow ops that can be exported. Run: python tests/op_table.py docs/ops.md"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from op_cases import CASES
from tf2onnx.handler import tf_op

from export.onnx import OPSET
from export.ops import handlers

HEAD = """# TensorFlow ops that can be exported

Made by `python tests/op_table.py docs/ops.md`. tf2onnx converts most ops; the handlers of `export/ops` convert those
that it lacks, or gets wrong, and each is compared between TensorFlow and ONNX Runtime, on random shapes and values with
a free batch axis, by `tests/export/ops/test_cases.py`. Where float64 is missing, ONNX Runtime has no kernel for it.
`export.register_op` adds a handler of your own.
"""


def table() -> str:
    """Returns the page."""
    ours, tested = handlers(), _tested()
    rows = [f"| {op} | {tested[op]} | {_summary(handler)} |" for op, handler in sorted(ours.items())]
    theirs = set(tf_op.create_mapping(OPSET, [])) - set(ours)
    compared = [f"{op} ({tested[op]})" for op in sorted(theirs & set(tested))]
    others = sorted(op for op in theirs - set(tested) if not op.startswith("TFL_"))
    parts = [
        HEAD,
        "## By handlers of our own\n",
        "| op | dtypes compared | how |",
        "| --- | --- | --- |",
        *rows,
        "\n## By tf2onnx, compared here too\n",
        ", ".join(compared) + ".",
        "\n## By tf2onnx, not compared here\n",
        ", ".join(others) + ".",
    ]
    return "\n".join(parts) + "\n"


def _tested() -> dict[str, str]:
    """Returns the dtypes that each op is compared in."""
    dtypes: dict[str, dict[str, None]] = {}
    for case in CASES:
        for op in (case.op, *case.also):
            dtypes.setdefault(op, {}).update(dict.fromkeys(case.compared))
    return {op: ", ".join(found) for op, found in dtypes.items()}


def _summary(handler: object) -> str:
    """Returns the first line of a docstring, as a cell of a table."""
    return (handler.__doc__ or "").splitlines()[0].replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(table(), encoding="utf-8")
