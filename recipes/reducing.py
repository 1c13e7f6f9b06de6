"""What an export in reduced precision is measured on: the data of a model, split as its recipe splits them."""

from typing import Any

from export.reduction import Reduction
from recipes.data import load
from recipes.models import OpenedModel, open_network
from recipes.settings import ImageSettings
from zoo.errors import ZooError


def reduction_for(
    opened: OpenedModel,
    name: str,
    kind: str,
    calibrate: bool = False,
    data: str | None = None,
    features: str | None = None,
    allow_drift: bool = False,
) -> Reduction:
    """Returns a reduction that is measured on the images that training held out, and calibrated on others of it.

    The test split has no part in this: figures on it stay those of a model that was chosen without it.

    Args:
        opened: The model.
        name: What it was opened by, for messages.
        kind: "float16" or "int8".
        calibrate: Whether to measure ranges on training images, once.
        data: What to load, by default the model's own data.
        features: The network that samples are compared in, by default the classifier of the data, else pixels.
        allow_drift: Whether to export beyond the budget too.

    Raises:
        ZooError: There are no data, or they lack labels.
        ExportError: Options do not go together.
    """
    spec = data or opened.data
    if spec is None:
        raise ZooError(
            f"{name} does not say what data it is for, which {kind} is measured on: give --data, as in mnist."
        )
    model: Any = opened.model
    image = opened.image
    if spec.startswith("folder:") and hasattr(model, "image_shape"):
        height, width, channels = model.image_shape
        image = ImageSettings(size=(height, width), channels=channels)
    loaded = load(spec, image)
    loaded = loaded.with_fewer_to_train_on(opened.train_images) if opened.train_images else loaded
    count = loaded.held_out_count(opened.validation)

    def rows(part: slice) -> Any:
        if getattr(model, "num_classes", None) is None:
            return loaded.train[part]
        if loaded.train_labels is None:
            raise ZooError(f"{name} is conditional, and {spec} has no labels to measure it with. Give other --data.")
        return {"image": loaded.train[part], "label": loaded.train_labels[part]}

    return Reduction(
        kind,
        held_out=rows(slice(0, count)),
        calibration=rows(slice(count, None)) if calibrate else None,
        features=open_network(features, spec),
        allow_drift=allow_drift,
    )
