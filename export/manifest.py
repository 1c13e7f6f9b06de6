"""The manifest of a bundle: what it holds, and the hashes to tell whether it still does."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from export.errors import ExportError
from zoo.files import sha256
from zoo.signature import NamedTensor, Signature

NAME, VERSION = "manifest.json", 3
_LONGEST = 255  # bytes of a name in a folder, on the file systems there are
_SEAL = "sha256"  # of the manifest's own text without it


def describe(signature: Signature) -> dict[str, Any]:
    """Returns a signature as plain values, without what only a trial of its ONNX file tells: `independent_rows`."""
    return {
        "description": signature.description,
        "inputs": [_plain(spec) for spec in signature.inputs],
        "outputs": [_plain(spec) for spec in signature.outputs],
        "tolerance": signature.tolerance,
        "formats": list(signature.formats),
    }


def _plain(spec: NamedTensor) -> dict[str, Any]:
    # JSON has no infinity: an open end of a range is null.
    def finite(ends: tuple[float, float] | None) -> list[float | None] | None:
        return None if ends is None else [None if abs(end) == float("inf") else end for end in ends]

    return {**asdict(spec), "range": finite(spec.range), "examples": finite(spec.examples)}


def restore(name: str, described: dict[str, Any]) -> Signature:
    """Returns a signature read from a manifest; it has no function."""

    def open_ends(ends: list[float | None] | None) -> tuple[float, float] | None:
        if ends is None:
            return None
        return (float("-inf") if ends[0] is None else ends[0], float("inf") if ends[1] is None else ends[1])

    def spec(values: dict[str, Any]) -> NamedTensor:
        ends = {key: open_ends(values[key]) for key in ("range", "examples")}
        return NamedTensor(**{**values, "shape": tuple(values["shape"]), **ends})

    return Signature(
        name,
        _no_function,
        tuple(spec(values) for values in described["inputs"]),
        tuple(spec(values) for values in described["outputs"]),
        described["tolerance"],
        tuple(described["formats"]),
        described["description"],
        described.get("independent_rows", False),  # bundles of before do not say, and run whole
    )


def _no_function(**_: Any) -> dict[str, Any]:
    raise ExportError("this signature was read from a manifest: run it through the bundle.")


def hashes(directory: Path) -> dict[str, dict[str, Any]]:
    """Returns SHA-256 and size of every file below a folder except the manifest.

    What is neither a file nor a folder, as a pipe or a link to a folder, is listed too, with no hash.
    """
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path != directory / NAME:
            found[path.relative_to(directory).as_posix()] = {"sha256": sha256(path), "bytes": path.stat().st_size}
        elif path.is_symlink() or not (path.is_file() or path.is_dir()):
            found[path.relative_to(directory).as_posix()] = {"sha256": "", "bytes": 0}
    return found


def write(directory: Path, manifest: dict[str, Any]) -> None:
    """Writes a manifest, with the hash of its own text, so that no byte of it changes unseen."""
    (directory / NAME).write_text(_sealed(manifest), encoding="utf-8")


def _sealed(manifest: dict[str, Any]) -> str:
    content = {key: value for key, value in manifest.items() if key != _SEAL}
    digest = hashlib.sha256(json.dumps(content, indent=2).encode()).hexdigest()
    return json.dumps({**content, _SEAL: digest}, indent=2) + "\n"


def read(directory: Path) -> dict[str, Any]:
    """Returns the manifest of a bundle.

    Raises:
        ExportError: The folder holds none, it is damaged, or it is of another version.
    """
    path = Path(directory) / NAME
    if not path.is_file():
        raise ExportError(f"{directory} is no bundle: it has no {NAME}.")
    try:
        text = path.read_bytes().decode()
        manifest = json.loads(text)
        sealed = _sealed(manifest) if isinstance(manifest, dict) else None
    except (ValueError, RecursionError) as error:  # of UTF-8, of JSON, of a number too long, and of depth
        raise ExportError(f"{path} is damaged ({error}). Export the model again.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != VERSION:
        raise ExportError(
            f"{path} is not of format {VERSION}, the one this version reads. Update genzoo, or export the model again."
        )
    if text != sealed:
        raise ExportError(f"{path} is damaged: it is not the text whose SHA-256 it gives. Export the model again.")
    for key, kind in (("formats", list), ("signatures", dict), ("files", dict)):
        if not isinstance(manifest.get(key), kind) or not manifest[key]:
            raise ExportError(f"{path} is damaged: '{key}' is missing or empty. Export the model again.")
    try:
        for name, described in manifest["signatures"].items():
            restore(name, described)
        for name, recorded in manifest["files"].items():
            recorded["sha256"]
            _check_inside(name)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ExportError(f"{path} is damaged ({error}). Export the model again.") from error
    return manifest


def _check_inside(name: str) -> None:
    """Refuses names of files that may lie outside the bundle."""
    parts = PurePosixPath(name).parts
    if (
        not parts
        or "\\" in name
        or ":" in name
        or parts[0] == "/"
        or ".." in parts
        or max(len(part.encode()) for part in parts) > _LONGEST
    ):
        raise ValueError(f"'{name}' is no file of the bundle")


def check_file(directory: Path, name: str, recorded: dict[str, Any]) -> Path:
    """Returns the path of a bundle's file after checking its hash.

    Raises:
        ExportError: It is missing or altered.
    """
    path = path_of(directory, name)
    _check_hash(path, sha256(path), recorded)
    return path


def read_file(directory: Path, name: str, recorded: dict[str, Any]) -> bytes:
    """Returns the content of a bundle's file, whose hash has been checked: nothing can change it any more.

    Raises:
        ExportError: It is missing or altered.
    """
    path = path_of(directory, name)
    content = path.read_bytes()
    _check_hash(path, hashlib.sha256(content).hexdigest(), recorded)
    return content


def path_of(directory: Path, name: str) -> Path:
    """Returns the path of a bundle's file.

    Raises:
        ExportError: It is missing, or leads out of the bundle.
    """
    path = Path(directory) / name
    if path.exists() and not path.resolve().is_relative_to(Path(directory).resolve()):
        raise ExportError(f"{path} is a link to outside the bundle. Copy the bundle whole, or export the model again.")
    if not path.is_file():
        raise ExportError(f"{path} is missing from the bundle. Export the model again.")
    return path


def _check_hash(path: Path, found: str, recorded: dict[str, Any]) -> None:
    if found != recorded["sha256"]:
        raise ExportError(
            f"{path} is altered or truncated: its SHA-256 is not the recorded one. Export the model again; or load the "
            "bundle again, if it was replaced after it was loaded."
        )
