"""The part of `beside_pythae.py` that runs in pythae's environment; it imports nothing of the zoo.

python pythae_side.py DATA.npz '{"passes": ...}'
"""

import json
import math
import sys
import tempfile
import time

import numpy as np
import torch
from pythae.models import VAE, VAEConfig
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig


def main() -> None:
    """Trains, and prints the figures as JSON."""
    given = json.loads(sys.argv[2])
    with np.load(sys.argv[1]) as arrays:
        images = {name: np.moveaxis(arrays[name], -1, 1) for name in arrays}
    torch.manual_seed(given["seed"])
    # pythae's default networks: one hidden layer of 512 ReLU units on each side.
    assert given["hidden"] == 512
    model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=given["latents"], reconstruction_loss="bce"))
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=given["passes"],
            per_device_train_batch_size=given["batch"],
            learning_rate=1e-3,
            optimizer_cls="Adam",
            seed=given["seed"],
            no_cuda=True,
        )
        start = time.perf_counter()
        TrainingPipeline(model=model, training_config=config)(train_data=images["train"])
        seconds = time.perf_counter() - start
    steps = given["passes"] * math.ceil(len(images["train"]) / given["batch"])
    model.eval()
    with torch.no_grad():
        values = [
            -model.get_nll(torch.tensor(image[None]), n_samples=given["draws"], batch_size=given["draws"])
            for image in images["test"]
        ]
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    print(json.dumps({"ms": 1000 * seconds / steps, "nll": float(np.mean(values)), "error": float(error)}))


if __name__ == "__main__":
    main()
