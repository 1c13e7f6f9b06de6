"""Chains that start at images."""

import numpy as np

import zoo
from recipes.studies.long_chains import positions_after
from zoo.ebm import samplers
from zoo.networks import unet_energy


def test_chains_start_at_the_images_and_descend():
    model = zoo.EBM(unet_energy((4, 4, 1), (4,), heads=1), sampler=samplers.GradientDescent(0.01, (0.0, 1.0)))
    images = np.random.default_rng(0).random((5, 4, 4, 1), np.float32)
    near, far = (positions_after(model, images, steps) for steps in (1, 300))
    assert np.abs(near - images).max() < 0.03
    assert (model.energy(far) < model.energy(near)).all()
