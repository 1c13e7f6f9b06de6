"""Which files an ONNX file takes weights from. Reads what it needs of Protobuf by itself: a bundle runs without onnx.

ONNX Runtime reads such files from wherever a graph says, which may be any file of the machine it runs on.
"""

from collections.abc import Iterator

from export.errors import ExportError

# By kind of message, the fields that lead to tensors: their numbers in onnx.proto, and the kinds of what they hold.
_FIELDS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "tensor": {13: "entry"},
}
_KEY, _VALUE = 1, 2  # the fields of an entry
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5  # how a field is stored


def files_of(content: bytes, name: str) -> set[str]:
    """Returns the names of the files that an ONNX file takes weights from, as it gives them.

    Args:
        content: Of the file.
        name: What to call it in messages.

    Raises:
        ExportError: It is no ONNX file.
    """
    found: set[str] = set()
    left: list[tuple[str, memoryview]] = [("model", memoryview(content))]
    try:
        while left:
            kind, message = left.pop()
            if kind == "entry":
                fields = list(_fields(message))
                if any(number == _KEY and value == b"location" for number, value in fields):
                    found |= {bytes(value).decode() for number, value in fields if number == _VALUE}
            else:
                known = _FIELDS[kind]
                left += [(known[number], value) for number, value in _fields(message) if number in known]
    except (IndexError, ValueError) as error:
        raise ExportError(f"{name} is no ONNX file, or damaged ({error}). Export the model again.") from error
    return found


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields the fields of a message that hold bytes, in which messages are: their numbers, and what they hold.

    Raises:
        ValueError: It is no message.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, stored = tag >> 3, tag & 7
        if not 0 < number < 2**29:  # another reader may see the field that is left without the highest bits
            raise ValueError(f"a field of the number {number}")
        if stored == _VARINT:
            _, place = _varint(message, place)
            continue
        if stored == _BYTES:
            size, place = _varint(message, place)
        elif stored in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if stored == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field of the unknown kind {stored}")
        if size > len(message) - place:
            raise ValueError("a field ends beyond its message")
        if stored == _BYTES:
            yield number, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Returns a number of which each byte holds seven bits, the lowest first, and the place after it."""
    number = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise ValueError("a number of more than ten bytes")
