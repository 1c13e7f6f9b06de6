"""What energy-based models are trained by."""

from zoo.backend import check_environment

check_environment()  # before anything here imports Keras

from zoo.ebm.objectives.base import Objective  # noqa: E402
from zoo.ebm.objectives.contrastive_divergence import (  # noqa: E402
    ContrastiveDivergence,
    PersistentContrastiveDivergence,
)
from zoo.ebm.objectives.equilibrium_matching import EquilibriumMatching  # noqa: E402
from zoo.ebm.objectives.noise_contrastive import NoiseContrastiveEstimation  # noqa: E402
from zoo.ebm.objectives.score_matching import DenoisingScoreMatching, SlicedScoreMatching  # noqa: E402

OBJECTIVES = {
    "contrastive_divergence": ContrastiveDivergence,
    "persistent_contrastive_divergence": PersistentContrastiveDivergence,
    "noise_contrastive_estimation": NoiseContrastiveEstimation,
    "equilibrium_matching": EquilibriumMatching,
    "denoising_score_matching": DenoisingScoreMatching,
    "sliced_score_matching": SlicedScoreMatching,
}

__all__ = [
    "OBJECTIVES",
    "ContrastiveDivergence",
    "DenoisingScoreMatching",
    "EquilibriumMatching",
    "NoiseContrastiveEstimation",
    "Objective",
    "PersistentContrastiveDivergence",
    "SlicedScoreMatching",
]
