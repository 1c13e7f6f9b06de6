"""Bijectors of normalizing flows, made of networks.

A bijector maps base noise forward to latents. In all of them each latent is shifted and scaled by numbers that
depend on other latents alone, so that the Jacobian is triangular and its determinant a product of scales.

    autoregressive           z_i = shift_i(z_<i) + scale_i(z_<i) u_i       density in one pass
    inverse autoregressive   z_i = gate_i u_i + (1 - gate_i) m_i(u_<i)     draws in one pass
    coupling                 z_1 = u_1, z_2 = shift(u_1) + scale(u_1) u_2  both in one pass
"""

from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from zoo.networks.masked import MADE

Network = Callable[[tf.Tensor], Sequence[tf.Tensor]]
LARGEST_LOG_SCALE = 3.0  # a scale of 20: more than a step needs, too little to overflow where training is young
LARGEST_GATE_LOGIT = 8.0  # beyond it a gate is shut or open, and the way back overflows
FORGET_BIAS = 2.0


def made_networks(size: int, flows: int, hidden: Sequence[int], conditional: bool = False) -> list[MADE]:
    """Returns a network for each autoregressive step, in orders that turn about from step to step.

    They compute in float32 whatever the dtype policy: log-probabilities are made of them.
    """
    return [
        MADE(size, 2, hidden, reverse=index % 2 == 1, conditional=conditional, dtype="float32", name=f"made_{index}")
        for index in range(flows)
    ]


def autoregressive(network: Network) -> tfb.Bijector:
    """Returns a step of a masked autoregressive flow (Papamakarios et al. 2017, equations 3 to 5).

    Args:
        network: Maps latents [..., size] to a shift and an unbounded log-scale, autoregressive in the latents.
    """
    return tfb.MaskedAutoregressiveFlow(bijector_fn=lambda latents: _affine(*network(latents)))


def inverse_autoregressive(network: Network) -> tfb.Bijector:
    """Returns a gated step of an inverse autoregressive flow (Kingma et al. 2016, algorithm 1).

    gate = sigmoid(s + bias) and z = gate u + (1 - gate) m. The bias is positive, so that at first most of u is kept.

    Args:
        network: Maps noise u [..., size] to m and s, autoregressive in the noise.
    """

    def to_noise(noise: tf.Tensor) -> tfb.Bijector:
        mean, raw_gate = network(noise)
        log_gate = tf.math.log_sigmoid(_bounded(raw_gate, LARGEST_GATE_LOGIT) + FORGET_BIAS)
        rest = -tf.math.expm1(log_gate)
        return tfb.Invert(tfb.Shift(rest * mean)(tfb.Scale(log_scale=log_gate)))

    # The autoregressive flow whose inverse, its fast direction, leads from noise to latents.
    return tfb.Invert(tfb.MaskedAutoregressiveFlow(bijector_fn=to_noise))


def coupling(network: Network, fixed: int) -> tfb.Bijector:
    """Returns an affine coupling (RealNVP, Dinh et al. 2017, equations 4 and 5).

    Args:
        network: Maps the latents kept as they are to a shift and an unbounded log-scale of the others.
        fixed: How many of the latents are kept as they are: the first, or the last where negative.
    """
    return tfb.RealNVP(fixed, bijector_fn=lambda kept, _: _affine(*network(kept)))


def _affine(shift: tf.Tensor, raw_log_scale: tf.Tensor) -> tfb.Bijector:
    return tfb.Shift(shift)(tfb.Scale(log_scale=_bounded(raw_log_scale, LARGEST_LOG_SCALE)))


def _bounded(values: tf.Tensor, limit: float) -> tf.Tensor:
    """Returns values in (-limit, limit), hardly changed where they are much smaller."""
    return limit * tf.tanh(values / limit)
