"""Imports go one way: recipes -> export -> zoo.signature, and recipes -> zoo; families stay apart.

Of the rest of zoo, export takes what needs NumPy at most: errors, files and the Frechet distance.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "zoo": (),
    "export": ("zoo.signature", "zoo.errors", "zoo.files", "zoo.validation", "zoo.metrics.frechet"),
    "recipes": ("zoo", "export"),
}
FAMILIES = ("vae", "gan", "ebm")
FILES = sorted(path for package in ALLOWED for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> list[str]:
    """Returns the dotted names that a module imports, at the top or inside functions."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_direction(path):
    here = path.relative_to(ROOT).with_suffix("").parts
    for name in imported(path):
        there = name.split(".")
        if there[0] in ALLOWED and there[0] != here[0]:
            assert any(f"{name}.".startswith(f"{allowed}.") for allowed in ALLOWED[here[0]]), name
        if here[0] == there[0] == "zoo" and len(there) > 1 and here[1] in FAMILIES and there[1] in FAMILIES:
            assert here[1] == there[1], name
