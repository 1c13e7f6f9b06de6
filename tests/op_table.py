"""Writes docs/ops.md: the TensorFlow ops that can be exported.

PYTHONPATH=. python tests/op_table.py docs/ops.md
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from op_cases import CASES
from tf2onnx.handler import tf_op

from export.ops import handlers
from export.opsets import OPSET

HEAD = """# TensorFlow ops that can be exported

Made by `PYTHONPATH=. python tests/op_table.py docs/ops.md`. tf2onnx converts most ops; the handlers of `export/ops`
convert those that it lacks, or gets wrong, and each is compared between TensorFlow and ONNX Runtime, on random shapes
and values with a free batch axis, by `tests/export/ops/test_cases.py`. "No float64 Conv" says that the op becomes
ONNX's Conv, for which ONNX Runtime has no kernel in float64.

## A handler of your own

An export that meets an op without a handler fails, with its name. `export.register_op` adds one: a function that puts
ONNX ops in the place of a node. The names of tensors go in and out of `Builder.op`, whose keywords are attributes.

```python
import export
from export.ops.build import Builder


def cross(graph, node):
    \"\"\"Cross (x, y): the vector at right angles to both.\"\"\"
    build = Builder(graph, node)
    x, y = build.inputs
    next_place, last_place = build.vector(1, 2, 0), build.vector(2, 0, 1)

    def product(first, second):
        return build.op("Mul", build.op("Gather", x, first, axis=-1), build.op("Gather", y, second, axis=-1))

    build.replace(build.op("Sub", product(next_place, last_place), product(last_place, next_place)))


export.register_op("Cross", cross)
```

It serves every export from then on, before tf2onnx's own if there is one. A handler that cannot do what a node asks for
raises `export.ExportError` with the reason, which the export passes on with the name of the layer.
"""


def table() -> str:
    """Returns the page."""
    ours, tested = handlers(), _tested()
    rows = [f"| {op} | {tested[op]} | {_summary(handler)} |" for op, handler in sorted(ours.items())]
    theirs = set(tf_op.create_mapping(OPSET, [])) - set(ours)
    compared: dict[str, list[str]] = {}
    for op in sorted(theirs & set(tested)):
        compared.setdefault(tested[op], []).append(op)
    others = sorted(op for op in theirs - set(tested) if not op.startswith("TFL_"))
    parts = [
        HEAD,
        "## By handlers of our own\n",
        "| op | dtypes compared | how |",
        "| --- | --- | --- |",
        *rows,
        "\n## By tf2onnx, compared here too\n",
        "| dtypes compared | ops |",
        "| --- | --- |",
        *(f"| {dtypes} | {', '.join(ops)} |" for dtypes, ops in compared.items()),
        "\n## By tf2onnx, not compared here\n",
        ", ".join(others) + ".",
    ]
    return "\n".join(parts) + "\n"


def _tested() -> dict[str, str]:
    """Returns the dtypes that each op is compared in, and what keeps it from float64."""
    dtypes: dict[str, dict[str, None]] = {}
    lacks: dict[str, str] = {}
    for case in CASES:
        for op in (case.op, *case.also):
            dtypes.setdefault(op, {}).update(dict.fromkeys(case.compared))
            if case.lacks:
                lacks[op] = f". No float64 {case.lacks}"
    return {op: ", ".join(found) + ("" if "float64" in found else lacks.get(op, "")) for op, found in dtypes.items()}


def _summary(handler: object) -> str:
    """Returns the first line of a docstring, as a cell of a table."""
    return (handler.__doc__ or "").splitlines()[0].replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(table(), encoding="utf-8")
