"""The part of `beside_torchebm.py` that runs in torch's environment; it imports nothing of the zoo.

python torchebm_side.py '["torchebm", batch, steps, "langevin", rounds, leapfrog]'
"""

import json
import math
import statistics
import sys
import time

import torch
from torch import nn
from torchebm.core import BaseModel
from torchebm.samplers import HamiltonianMonteCarlo, LangevinDynamics


class Energy(BaseModel):
    """The energy, of images [batch, 1, 28, 28]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1),
            nn.SiLU(),
            nn.Conv2d(32, 64, 4, 2, 1),
            nn.SiLU(),
            nn.ZeroPad2d((1, 2, 1, 2)),
            nn.Conv2d(64, 128, 4, 2),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(4 * 4 * 128, 128),
            nn.SiLU(),
            nn.Linear(128, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns energies [batch]; torchebm's HMC takes vectors for positions only."""
        return self.layers(2 * x.view(len(x), 1, 28, 28) - 1).squeeze(-1)


def bare(energy: nn.Module, x: torch.Tensor, steps: int, step_size: float) -> torch.Tensor:
    """Returns where chains are, by the shortest loop there is."""
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach() - step_size * gradient + math.sqrt(2 * step_size) * torch.randn_like(x)
    return x


def main() -> None:
    """Prints the milliseconds of a step of all chains, the median over rounds."""
    name, batch, steps, kind, rounds, leapfrog = json.loads(sys.argv[1])
    torch.manual_seed(0)
    energy, start = Energy().requires_grad_(False), torch.rand(batch, 1, 28, 28)
    start = start.flatten(1) if kind == "hmc" else start
    if kind == "hmc":
        sampler = HamiltonianMonteCarlo(energy, step_size=1e-2, n_leapfrog_steps=leapfrog)
    else:
        sampler = LangevinDynamics(energy, step_size=1e-4)
    run = (
        (lambda: bare(energy, start, steps, 1e-4))
        if name == "torch loop"
        else (lambda: sampler.sample(x=start, n_steps=steps))
    )
    run()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) / steps)
    print(1000 * statistics.median(times))


if __name__ == "__main__":
    main()
