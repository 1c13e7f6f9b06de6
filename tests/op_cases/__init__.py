"""Functions that are to give the same in ONNX Runtime as in TensorFlow, by the op that each is there for."""

from op_cases import activations, draws, elementwise, indexing, layers, linear_algebra, loops, shapes
from op_cases.comparison import Case

MODULES = (activations, draws, elementwise, indexing, layers, linear_algebra, loops, shapes)
CASES: list[Case] = [case for module in MODULES for case in module.CASES]
