"""Files and folders that are there whole or not at all."""

import ctypes
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

_PART = 2**20  # bytes read at once
_CURRENT_FOLDER, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file under a temporary name beside `path` and renames it; a failure leaves nothing new.

    Args:
        path: Where to. Its folder is made when missing.
        write: Writes the content to the path that it is given, which ends like `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-", suffix="".join(path.suffixes))
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes text as UTF-8, atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def put_folder(new: Path, folder: Path) -> None:
    """Puts a folder in the place of another, if there is one.

    Linux exchanges the two in one step, so that there is always one of them, on most of its file systems. Elsewhere the
    old one is moved away first, and back where an error or an interruption keeps the new one out.

    Args:
        new: The folder to put there. Afterwards that path leads to what was replaced, if anything was.
        folder: Where to, on the same file system; no link.
    """
    if not folder.exists():
        new.replace(folder)
        return
    if _exchanged(new, folder):
        return
    old = new.with_name(f"{new.name}-replaced")
    try:
        folder.replace(old)
        new.replace(folder)
    except BaseException:
        if not folder.exists():
            old.replace(folder)
        raise
    finally:
        if old.exists() and folder.exists():
            old.replace(new)


def _exchanged(first: Path, second: Path) -> bool:
    """Exchanges two folders in one step, and returns whether the system and the file system can do that."""
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None).renameat2
    except AttributeError:  # C libraries that do not have it
        return False
    return rename(_CURRENT_FOLDER, os.fsencode(first), _CURRENT_FOLDER, os.fsencode(second), _EXCHANGE) == 0


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_PART):
            digest.update(part)
    return digest.hexdigest()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
