"""What the figures of a model are of."""

import math

import numpy as np
import pytest
from sklearn.datasets import load_digits

import zoo
from recipes.data import Dataset
from recipes.evaluate import evaluate
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.vae.likelihoods import Categorical, Normal

SHAPE = (8, 8, 1)
DIGITS = load_digits()
IMAGES = (DIGITS.images / 16).astype(np.float32)[..., None]
DATA = Dataset("digits", IMAGES[:1500], IMAGES[1500:], DIGITS.target[:1500], DIGITS.target[1500:])


def test_bits_per_dimension():
    """A decoder that says nothing gives each of 17 levels the same probability, log2(17) bits."""
    decoder = mlp_decoder(2, (8, 8, 17), (4,))
    decoder.set_weights([np.zeros_like(weight) for weight in decoder.get_weights()])
    model = zoo.VAE(mlp_encoder(SHAPE, (4,)), decoder, likelihood=Categorical(levels=17))
    figures = evaluate(model, DATA, draws=500, images=20)
    assert figures["bits_per_dimension"] == pytest.approx(math.log2(17), abs=0.01)
    assert figures["nll"] == pytest.approx(64 * math.log(17), abs=0.5)


def test_a_density_has_no_bits():
    model = zoo.VAE(mlp_encoder(SHAPE, (4,)), mlp_decoder(2, SHAPE, (4,)), likelihood=Normal())
    assert "bits_per_dimension" not in evaluate(model, DATA, draws=2, images=4)


def test_the_likelihood_of_a_conditional_model_is_given_the_label():
    networks = (mlp_encoder(SHAPE, (4,), num_classes=10), mlp_decoder(2, SHAPE, (4,), num_classes=10))
    assert evaluate(zoo.ConditionalVAE(*networks), DATA, 2, 4)["likelihood_of"].endswith("probability, given the label")
    plain = zoo.VAE(mlp_encoder(SHAPE, (4,)), mlp_decoder(2, SHAPE, (4,)))
    assert "label" not in evaluate(plain, DATA, 2, 4)["likelihood_of"]
