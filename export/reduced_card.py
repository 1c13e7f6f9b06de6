"""What is said of the reduced precision of a bundle, on its card and by the command line."""

from collections.abc import Mapping
from typing import Any

from export import drift

_NAMES = {"float16": "half precision (float16)", "int8": "eight bits (int8, {calibration} quantization)"}

_HOW = {"float16": ", with every value rounded that the file says is in half precision", "int8": ""}


def warning(reduction: Mapping[str, Any]) -> str:
    """Returns what stands first on a card: nothing where all is within budget."""
    if reduction["within_budget"]:
        return ""
    return (
        f"> **Warning: drift beyond budget.** The ONNX files are in {_name(reduction)}, and lose more than their "
        "budget allows; they were exported because that was allowed. See below what they lose.\n\n"
    )


def section(reduction: Mapping[str, Any]) -> str:
    """Returns the section of a card on what was reduced, gained and lost, Markdown."""
    head = (
        "| signature | bytes, of float32 | held-out inputs | drift | measured | budget | |\n"
        "| --- | --- | --- | --- | --- | --- | --- |"
    )
    rows = [row for name, entry in reduction["signatures"].items() for row in _rows(name, entry)]
    table = "\n".join([head, *rows])
    return (
        f"## Reduced precision\n\nThe ONNX files are in {_name(reduction)}: {_gain(reduction)}. What that loses was "
        f"measured against float32 on {reduction['rows']:,} rows at most, and in ONNX Runtime's "
        f"{reduction['provider']}{_HOW[reduction['kind']]}: held-out ones for the inputs that the table names, else "
        f"draws from what a signature declares. Frechet distances are those of features "
        f"({reduction['features']}). Other providers round otherwise. A SavedModel is float32.\n\n{table}\n\n"
    )


def lines(reduction: Mapping[str, Any]) -> list[str]:
    """Returns the same as lines for a terminal."""
    found = [f"  {_name(reduction)}: {_gain(reduction)}; drift on {reduction['rows']:,} rows:"]
    for name, entry in reduction["signatures"].items():
        if "kept_float32" in entry:
            found.append(f"  {name:12} kept in float32: {entry['kept_float32']}")
            continue
        source = f", held-out {', '.join(entry['held_out'])}" if entry["held_out"] else ", inputs drawn"
        for figure in map(drift.recorded, entry["drift"]):
            found.append(f"  {name:12} {figure}{source}{'' if figure.within else '  BEYOND'}")
    return found


def _name(reduction: Mapping[str, Any]) -> str:
    return _NAMES[reduction["kind"]].format(**reduction)


def _gain(reduction: Mapping[str, Any]) -> str:
    entries = reduction["signatures"].values()
    before, after = (sum(each[key] for each in entries) for key in ("float32_bytes", "bytes"))
    return f"{after / 1e6:.2f} MB, {after / before:.0%} of the {before / 1e6:.2f} MB in float32"


def _rows(name: str, entry: Mapping[str, Any]) -> list[str]:
    size = f"{entry['bytes']:,}, {entry['bytes'] / entry['float32_bytes']:.0%}"
    if "kept_float32" in entry:
        return [f"| `{name}` | {size} | | kept in float32: {entry['kept_float32']} | | | |"]
    held_out = ", ".join(f"`{each}`" for each in entry["held_out"]) or "none"
    return [
        f"| `{name}` | {size} | {held_out} | {figure.measure} of `{figure.output}` | {figure.measured} "
        f"| {figure.budget:.3g} | {'within' if figure.within else '**beyond**'} |"
        for figure in map(drift.recorded, entry["drift"])
    ]
