"""The part of `beside_torch.py` that runs in torch's environment; it imports nothing of the zoo.

python torch_side.py float32|bfloat16 plain|lean '{"batch": ...}'

The plain loop is the one of tutorials, in which the step of the generator works out gradients of the discriminator's
weights too, which nothing uses; the lean one leaves them out.
"""

import json
import statistics
import sys
import time

import torch
from torch import nn


def networks(latents: int) -> tuple[nn.Module, nn.Module]:
    """Returns the generator and the discriminator."""
    generator = nn.Sequential(
        nn.Linear(latents, 7 * 7 * 128, bias=False),
        nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1),
        nn.Sigmoid(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 128, 1),
    )
    return generator, discriminator


def main() -> None:
    """Prints the milliseconds of a step, the median over rounds."""
    dtype, lean, given = sys.argv[1], sys.argv[2] == "lean", json.loads(sys.argv[3])
    torch.manual_seed(0)
    generator, discriminator = networks(given["latents"])
    optimizers = [torch.optim.Adam(each.parameters(), 2e-4, (0.5, 0.999)) for each in (generator, discriminator)]
    softplus, batch = nn.functional.softplus, given["batch"]
    images = torch.rand(given["steps"] * batch, 1, 28, 28)

    def step(real: torch.Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            fake = generator(torch.randn(batch, given["latents"])).detach()
            loss = (softplus(-discriminator(2 * real - 1)) + softplus(discriminator(2 * fake - 1))).mean()
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()
        discriminator.requires_grad_(not lean)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = softplus(-discriminator(2 * generator(torch.randn(batch, given["latents"])) - 1)).mean()
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        discriminator.requires_grad_(True)

    times = []
    for _ in range(given["rounds"] + 1):
        start = time.perf_counter()
        for real in images[torch.randperm(len(images))].split(batch):
            step(real)
        times.append((time.perf_counter() - start) / given["steps"])
    print(1000 * statistics.median(times[1:]))


if __name__ == "__main__":
    main()
