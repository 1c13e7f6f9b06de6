"""Gradients of activations, which the gradient of an energy asks for.

Each takes the gradient with respect to the outputs, g, and the inputs x or outputs y, and gives that with respect to
the inputs.
"""

from typing import Any

from export.ops.build import SELU_ALPHA, SELU_SCALE, Builder


def relu_grad(graph: Any, node: Any) -> None:
    """ReluGrad (g, x): g where x > 0, else 0."""
    build = Builder(graph, node)
    build.replace(build.choose("Greater", build.inputs[1], 0.0, build.inputs[0], build.number(0.0)))


def relu6_grad(graph: Any, node: Any) -> None:
    """Relu6Grad (g, x): g where 0 < x < 6, else 0."""
    build = Builder(graph, node)
    above = build.choose("Greater", build.inputs[1], 0.0, build.inputs[0], build.number(0.0))
    build.replace(build.choose("Less", build.inputs[1], 6.0, above, build.number(0.0)))


def leaky_relu_grad(graph: Any, node: Any) -> None:
    """LeakyReluGrad (g, x): g where x > 0, else alpha g."""
    build = Builder(graph, node)
    g, x = build.inputs
    slope = build.number(node.get_attr_value("alpha", 0.2))
    build.replace(build.choose("Greater", x, 0.0, g, build.op("Mul", g, slope)))


def elu_grad(graph: Any, node: Any) -> None:
    """EluGrad (g, y): g where y >= 0, else g (y + 1)."""
    build = Builder(graph, node)
    g, y = build.inputs
    build.replace(build.choose("Less", y, 0.0, build.op("Mul", g, build.op("Add", y, build.number(1.0))), g))


def selu_grad(graph: Any, node: Any) -> None:
    """SeluGrad (g, y): g scale where y >= 0, else g (y + scale alpha)."""
    build = Builder(graph, node)
    g, y = build.inputs
    below = build.op("Mul", g, build.op("Add", y, build.number(SELU_SCALE * SELU_ALPHA)))
    build.replace(build.choose("Less", y, 0.0, below, build.op("Mul", g, build.number(SELU_SCALE))))


def sigmoid_grad(graph: Any, node: Any) -> None:
    """SigmoidGrad (y, g): g y (1 - y)."""
    build = Builder(graph, node)
    y, g = build.inputs
    build.replace(build.op("Mul", g, build.op("Mul", y, build.op("Sub", build.number(1.0), y))))


def tanh_grad(graph: Any, node: Any) -> None:
    """TanhGrad (y, g): g (1 - y^2)."""
    build = Builder(graph, node)
    y, g = build.inputs
    build.replace(build.op("Mul", g, build.op("Sub", build.number(1.0), build.op("Mul", y, y))))


def softplus_grad(graph: Any, node: Any) -> None:
    """SoftplusGrad (g, x): g sigmoid(x)."""
    build = Builder(graph, node)
    g, x = build.inputs
    build.replace(build.op("Mul", g, build.op("Sigmoid", x)))


def softsign_grad(graph: Any, node: Any) -> None:
    """SoftsignGrad (g, x): g / (1 + |x|)^2."""
    build = Builder(graph, node)
    g, x = build.inputs
    bottom = build.op("Add", build.number(1.0), build.op("Abs", x))
    build.replace(build.op("Div", g, build.op("Mul", bottom, bottom)))


def sqrt_grad(graph: Any, node: Any) -> None:
    """SqrtGrad (y, g): g / (2 y), and 0 where g is."""
    build = Builder(graph, node)
    y, g = build.inputs
    slope = build.op("Div", build.op("Mul", g, build.number(0.5)), y)
    build.replace(build.choose("Equal", g, 0.0, build.number(0.0), slope))


def rsqrt_grad(graph: Any, node: Any) -> None:
    """RsqrtGrad (y, g): -g y^3 / 2."""
    build = Builder(graph, node)
    y, g = build.inputs
    cube = build.op("Mul", build.op("Mul", y, y), y)
    build.replace(build.op("Mul", build.op("Mul", g, build.number(-0.5)), cube))


def reciprocal_grad(graph: Any, node: Any) -> None:
    """ReciprocalGrad and InvGrad (y, g): -g y^2."""
    build = Builder(graph, node)
    y, g = build.inputs
    build.replace(build.op("Neg", build.op("Mul", g, build.op("Mul", y, y))))
