"""What the card of a bundle says of its reduced precision."""

from collections.abc import Mapping
from typing import Any

from export import drift

_NAMES = {"float16": "half precision (float16)", "int8": "eight bits (int8, {calibration} quantization)"}


def reduction_warning(reduction: Mapping[str, Any]) -> str:
    """Returns what stands first on a card: nothing where all is within budget."""
    if reduction["within_budget"]:
        return ""
    return (
        f"> **Warning: drift beyond budget.** The ONNX files are in {_name(reduction)}, and lose more than their budget "
        "allows; they were exported because that was allowed. See below what they lose.\n\n"
    )


def reduction_section(reduction: Mapping[str, Any]) -> str:
    """Returns the section on what was reduced, gained and lost, Markdown."""
    entries = reduction["signatures"]
    before, after = (sum(each[key] for each in entries.values()) for key in ("float32_bytes", "bytes"))
    rows = [row for name, entry in entries.items() for row in _rows(name, entry)]
    table = "\n".join(
        [
            "| signature | bytes, of float32 | drift | measured | budget | |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
        ]
    )
    return (
        f"## Reduced precision\n\nThe ONNX files are in {_name(reduction)}: {after / 1e6:.2f} MB, {after / before:.0%} of "
        f"the {before / 1e6:.2f} MB in float32. What that loses was measured against float32 on {reduction['rows']:,} "
        f"held-out rows, as many samples, and in ONNX Runtime's {reduction['provider']}; Frechet distances are those of "
        f"features ({reduction['features']}). Other providers round otherwise.\n\n{table}\n\n"
    )


def _name(reduction: Mapping[str, Any]) -> str:
    return _NAMES[reduction["kind"]].format(**reduction)


def _rows(name: str, entry: Mapping[str, Any]) -> list[str]:
    size = f"{entry['bytes']:,}, {entry['bytes'] / entry['float32_bytes']:.0%}"
    if "kept_float32" in entry:
        return [f"| `{name}` | {size} | kept in float32: {entry['kept_float32']} | | | |"]
    rows = []
    for values in entry["drift"]:
        figure = drift.recorded(values)
        error = "" if figure.standard_error is None else f" +- {figure.standard_error:.2g}"
        change = "" if figure.before is None else f" ({figure.before:.4g} to {figure.after:.4g})"
        verdict = "within" if figure.within else "**beyond**"
        rows.append(
            f"| `{name}` | {size} | {figure.measure} of `{figure.output}` | {figure.value:.3g}{error}{change} "
            f"| {figure.budget:.3g} | {verdict} |"
        )
    return rows
