"""What keeps a signature from being exported to ONNX: which op, of which layer, and what to do about it."""

import contextlib
import dataclasses
import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

import keras
from tf2onnx.handler import tf_op

from export.errors import OTHER_DTYPE, ExportError
from zoo.signature import Signature

Layers = frozenset[str]  # names of layers
Refusal = tuple[str, str, str]  # a handler's: op, node and reason

_DRAWN = (
    "Draw with zoo.random from a seed that is an input; without one no two runs can be compared. Noise for training "
    "alone belongs behind `if training`."
)
_PYTHON = "It runs Python, which is not in the file. Write it in TensorFlow ops."
_SOLVED = "Solve it before the export where it is of weights, or write it as products and sums."
_COMPILED = "It is compiled by XLA and rewritten by autograph: leave jit_compile out."
_LOOPED = (
    "Write the loop as tf.while_loop or tf.map_fn, or as tf.scan with an initializer; keras.ops.scan does not convert "
    "either."
)
_CASES = "Write tf.switch_case as tf.cond inside tf.cond."
_TEXT = "Do it before the model: a bundle takes numbers alone."
_REMEDIES = {
    "EagerPyFunc": _PYTHON,
    "PyFunc": _PYTHON,
    "PyFuncStateless": _PYTHON,
    **dict.fromkeys(("Case", "StatelessCase", "_SwitchN"), _CASES),
    **dict.fromkeys(("StatelessWhile", "While"), _LOOPED),
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), _COMPILED),
    **dict.fromkeys(("MatrixInverse", "MatrixSolve", "Qr", "SelfAdjointEigV2", "Svd", "Eig", "Lu"), _SOLVED),
    **dict.fromkeys(("AsString", "LookupTableFindV2", "RegexReplace", "StringSplitV2", "UnicodeDecode"), _TEXT),
}
# What the ops that draw without a seed become in ONNX.
_STATEFUL = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")


@dataclasses.dataclass(frozen=True)
class Obstacle:
    """What keeps a signature from being exported to ONNX.

    Attributes:
        signature: The signature.
        op: The type of the TensorFlow op, or of what it becomes in ONNX; "Variable" for one that stays variable; or
            what refuses the graph as a whole.
        layers: The layers that it comes from, innermost names; empty for ops outside any.
        nodes: Names of the nodes in the graph, where they are known.
        reason: What is wrong.
        remedy: What can be done about it.
    """

    signature: str
    op: str
    layers: tuple[str, ...]
    nodes: tuple[str, ...]
    reason: str
    remedy: str

    def __str__(self) -> str:
        parts = ("layer", self.layers) if self.layers else ("node", self.nodes[:3])
        where = f", {parts[0]} {', '.join(parts[1])}" if parts[1] else ""
        return f"signature '{self.signature}'{where}: {self.op} {self.reason}. {self.remedy}".rstrip()


class NotExportable(ExportError):
    """A signature is not exported.

    Attributes:
        obstacles: What keeps it from that.
    """

    def __init__(self, obstacles: Iterable[Obstacle]):
        self.obstacles = tuple(obstacles)
        super().__init__(f"this is not exported: {'; '.join(map(str, self.obstacles))}")


def obstacles_of(
    signature: Signature, errors: Iterable[str], refused: Iterable[Refusal], nodes: Iterable[Any], layers: Layers
) -> list[Obstacle]:
    """Returns what keeps a signature from being exported.

    Args:
        signature: The signature.
        errors: What tf2onnx logged as errors.
        refused: What handlers of ours did not convert.
        nodes: What was made: nodes of tf2onnx's graph.
        layers: Names of layers, to say where an op comes from.
    """
    found: dict[tuple[str, str, str], list[str]] = {}

    def add(op: str, node: str, reason: str, remedy: str) -> None:
        found.setdefault((op, reason, remedy), []).append(node)

    named = set()
    for op, node, reason in refused:
        named.add(node)
        add(op, node, f"is not converted here ({reason.rstrip('.')})", "Use other ops.")
    for error in errors:
        if unknown := re.search(r"Tensorflow op \[(.*): (\w+)\] is not supported", error):
            node, op = unknown.groups()
            remedy = _REMEDIES.get(op, f"Use other ops, or add a handler: export.register_op('{op}', handler).")
            since = _first_opset(op)
            if since is None:
                add(op, node, "has no counterpart in ONNX", remedy)
            else:
                add(op, node, f"has no counterpart in ONNX before opset {since}", "Export with that or a newer one.")
        elif failed := re.search(r"Failed to convert node '(.*?)'(?:.*?OP=(\w+))?", error, re.DOTALL):
            node, op = failed.groups()
            op = op or ("While" if "While" in error else "tf2onnx")
            if node not in named:
                remedy = _REMEDIES.get(op, "Use other ops.")
                add(op, node, "is not converted by tf2onnx, which failed at it", remedy)
        elif not error.startswith("Unsupported ops"):
            add("tf2onnx", signature.name, f"says: {error.strip().splitlines()[0]}", "")
    for node in nodes:
        if node.type in _STATEFUL:
            add(node.type, node.name, "draws random numbers without a seed", _DRAWN)
    return [
        Obstacle(signature.name, op, layers_of(where, layers), tuple(where), reason, remedy)
        for (op, reason, remedy), where in found.items()
    ]


def _first_opset(op: str) -> int | None:
    """Returns the first opset for which tf2onnx converts a TensorFlow op, or None where there is none."""
    return next((opset for opset, known in enumerate(tf_op.get_opsets()[""]) if op in known), None)


def unfrozen(signature: Signature, error: str, layers: Layers) -> Obstacle:
    """Returns what it is to a signature that TensorFlow does not turn its variables into constants, as ONNX has them.

    Args:
        signature: The signature.
        error: TensorFlow's message.
        layers: Names of layers.
    """
    return Obstacle(
        signature.name,
        "Variable",
        layers_of(re.findall(r"[\w/]+/\w+", error), layers),
        (),
        f"is not turned into a constant by TensorFlow ({error.rstrip('.')})",
        "Gradients of recurrent layers and of other loops do this: leave the signature out, or use other layers.",
    )


def too_large(signature: Signature, size: int, largest: int) -> Obstacle:
    """Returns what it is to a signature that its weights have so many bytes, of less than `largest`."""
    return Obstacle(
        signature.name,
        "Variable",
        (),
        (),
        f"holds too much: weights are {size / 2**30:.3g} GiB, and TensorFlow freezes less than {largest / 2**30:.3g}",
        "Export it as a SavedModel (--formats saved_model), or give parts of the model signatures of their own.",
    )


def other_dtype(signature: Signature, name: str, dtype: str, declared: str) -> Obstacle:
    """Returns what it is to a signature that an output has another dtype than is declared."""
    return Obstacle(signature.name, f"Output '{name}'", (), (), f"is {dtype}, declared is {declared}", OTHER_DTYPE)


@dataclasses.dataclass(frozen=True)
class Kind:
    """What nodes of a graph are refused for, before it is converted: see `Obstacle`."""

    op: str
    reason: str
    remedy: str


BACKWARDS = Kind(
    "A loop",
    "fills a result from its end, and ONNX's loops fill theirs from the start",
    "Reverse what it reads and what it gives (tf.reverse) in place of reverse=True.",
)
MISPLACED = Kind(
    "A loop",
    "puts entries of an array to places that depend on values, and ONNX's loops add an entry each turn",
    "Write one each turn, to the place that counts the turns from 0, and choose among them after the loop; or keep a "
    "tensor in place of the array (tf.tensor_scatter_nd_update).",
)
UNFILLED = Kind(
    "TensorListGetItem",
    "reads an entry of an array that a loop fills, of which ONNX has those alone that turns have added",
    "Stack the array, and take the entry of that: array.stack()[place] in place of array.read(place).",
)


def unsupported(dtype: str) -> Kind:
    """Returns what nodes that compute in a dtype are refused for."""
    remedy = "Compute in float32, or leave it to a dtype policy: models of mixed precision are exported in float32."
    if dtype != "bfloat16":
        remedy = 'Compute in float32: export the model as it was before quantize("float8"), or without casts to it.'
    return Kind(dtype, "has no ops in ONNX Runtime on CPUs", remedy)


def of_kind(kind: Kind, signature: Signature, nodes: Iterable[str], layers: Layers) -> Obstacle:
    """Returns what it is to a signature that it has nodes of a kind that is refused."""
    nodes = tuple(nodes)
    return Obstacle(signature.name, kind.op, layers_of(nodes, layers), nodes, kind.reason, kind.remedy)


def refused_graph(name: str, by: str, reason: str, layers: Layers, remedy: str) -> Obstacle:
    """Returns what it is to a signature that a graph is refused as a whole.

    Args:
        name: The signature.
        by: What refuses it.
        reason: Its message, which may name a node.
        layers: Names of layers.
        remedy: What can be done about it.
    """
    where = layers_of(re.findall(r"node(?: name:| with name) '?([\w/]+)", reason), layers)
    return Obstacle(name, by, where, (), f"refuses the graph: {reason.rstrip('.')}", remedy)


def layers_of(nodes: Iterable[str], layers: Layers) -> tuple[str, ...]:
    """Returns the innermost layer in the name of each node, which TensorFlow numbers anew in every trace."""
    found = []
    for node in nodes:
        scopes = [re.sub(r"_\d+$", "", scope) if scope not in layers else scope for scope in node.split("/")[:-1]]
        inside = [scope for scope in scopes if scope in layers]
        found += inside[-1:]
    return tuple(dict.fromkeys(found))


def layer_names(model: keras.Model) -> Layers:
    """Returns the names of all layers inside a model."""
    return Layers(layer.name for layer in model._flatten_layers(include_self=False))


@contextlib.contextmanager
def collected_errors() -> Iterator[list[str]]:
    """Collects what tf2onnx logs as errors, and keeps its log off the terminal."""
    errors: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            errors.append(record.getMessage())

    logger, collector = logging.getLogger("tf2onnx"), Collector(logging.ERROR)
    before = logger.level, logger.propagate
    logger.addHandler(collector)
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    try:
        yield errors
    finally:
        logger.removeHandler(collector)
        logger.setLevel(before[0])
        logger.propagate = before[1]
