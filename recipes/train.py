"""Runs a recipe: data, model, fit, evaluate, save."""

import importlib.util
import math
import sys
import time
from pathlib import Path

import keras

import zoo
from recipes.build import build
from recipes.data import Dataset, load
from recipes.dtype_choice import with_dtype_chosen
from recipes.evaluate import check_measurable, evaluate
from recipes.model_settings import GANSettings, VQVAESettings
from recipes.models import NO_NETWORK, open_model, open_network
from recipes.output import save_images
from recipes.run_folder import RunFolder, RunRecorder
from recipes.settings import Settings
from recipes.shuffling import ShuffledImages
from zoo.errors import ZooError, a_kind
from zoo.metrics import FeatureNetwork
from zoo.model import GenerativeModel

_FINAL_STEP_SHARE = 0.01
_MOST_GREYS = 0.4  # handwritten digits have 5 to 17 %, photographs 60 to 75 %
_AVERAGED_SHARE, _MOST_AVERAGED_STEPS = 0.05, 1000


def load_data(settings: Settings) -> Dataset:
    """Loads the data of a run and checks that there is enough of it.

    Raises:
        ZooError: It cannot be used, or there are fewer training images than a batch.
    """
    data = load(settings.data, settings.image)
    data = data.with_fewer_to_train_on(settings.train.images) if settings.train.images else data
    left, batch_size = len(data.train) - _held_out(settings, data), settings.train.batch_size
    if left < batch_size:
        raise ZooError(
            f"{settings.data} leaves {left} images to train on, fewer than train.batch_size={batch_size}. "
            f"Lower it, for example --set train.batch_size={max(1, left // 4)}"
        )
    return data


def build_model(settings: Settings, data: Dataset) -> GenerativeModel:
    """Returns the untrained, compiled model of a run; its weights depend on the seed alone."""
    model = _built(settings, data, settings.train.dtype)
    try:
        model.check_content(data.train)
    except ZooError as error:
        raise ZooError(f"{error} From the command line: --set model.likelihood=..., --set model.levels=...") from None
    _warn_of_lost_greys(model, data)
    if settings.train.start_from:
        _copy_weights(settings.train.start_from, model)
    steps = settings.train.epochs * _steps_per_epoch(settings, data)
    share = _FINAL_STEP_SHARE if settings.train.decay else 1.0

    def schedule(steps_of_optimizer: int) -> keras.optimizers.schedules.LearningRateSchedule:
        return keras.optimizers.schedules.CosineDecay(settings.train.learning_rate, steps_of_optimizer, alpha=share)

    # The average of the weights over the last steps replaces them when training ends.
    averaged = max(1, min(_MOST_AVERAGED_STEPS, round(_AVERAGED_SHARE * steps)))
    momentum = 1 - 1 / averaged
    options = {name: getattr(settings.train, name) for name in ("jit_compile", "steps_per_execution")}
    if isinstance(settings.model, GANSettings):  # which averages the weights of one network itself
        counts = (steps, steps * settings.model.discriminator_steps)
        how = {"global_clipnorm": settings.train.clip_norm}
        optimizers = (keras.optimizers.Adam(schedule(count), *settings.model.betas, **how) for count in counts)  # pyright: ignore
        model.compile(*optimizers, **options)
        return model
    betas = getattr(settings.model, "betas", (0.9, 0.999))
    average = {"use_ema": True, "ema_momentum": momentum}
    optimizer = keras.optimizers.Adam(schedule(steps), *betas, global_clipnorm=settings.train.clip_norm, **average)  # pyright: ignore
    model.compile(optimizer, **options)
    optimizer.build(model.trainable_variables)  # so that a checkpoint made before the first step is whole
    return model


def _warn_of_lost_greys(model: GenerativeModel, data: Dataset) -> None:
    """Says so where images far from black and white are going to be made binary at random."""
    if getattr(getattr(model, "likelihood_layer", None), "draws_targets", False):
        greys = float(((data.train > 0.25) & (data.train < 0.75)).mean())
        if greys > _MOST_GREYS:
            print(
                f"warning: {greys:.0%} of the pixels are between 0.25 and 0.75, and a Bernoulli likelihood makes each "
                "black or white at random. For photographs: --set model.likelihood=normal",
                file=sys.stderr,
            )


def _built(settings: Settings, data: Dataset, dtype: str) -> GenerativeModel:
    keras.utils.set_random_seed(settings.train.seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        return build(settings.model, data, settings.train.seed)
    finally:
        keras.config.set_dtype_policy(before)


def _copy_weights(name: str, model: GenerativeModel) -> None:
    source = open_model(name).model
    shapes, given = ([weight.shape for weight in each.weights] for each in (model, source))
    if shapes != given:
        raise ZooError(
            f"train.start_from={name} is {a_kind(source)} with weights of other shapes. Begin with a run of the same "
            "networks."
        )
    model.set_weights(source.get_weights())


def describe(settings: Settings) -> str:
    """Returns what a run would do, after trying its data and its model; writes nothing."""
    settings = with_dtype_chosen(settings)
    _check_tensorboard(settings)
    data = load_data(settings)
    model = build_model(settings, data)
    _checked_network(settings, model)
    return (
        f"{settings.to_yaml()}\n"
        f"images: {len(data.train) - _held_out(settings, data):,} to train on, {_held_out(settings, data):,} held out, "
        f"{len(data.test):,} to test on, each {'x'.join(map(str, data.image_shape))}\n"
        f"model: {type(model).__name__} with {model.count_params():,} parameters\n"
        f"steps: {_steps_per_epoch(settings, data):,} an epoch"
    )


def train(settings: Settings, directory: Path, resume: bool = False) -> GenerativeModel:
    """Trains the model of a recipe and leaves a run folder.

    Args:
        settings: The settings of a new run; with `resume` those of the folder count, whose recipe must be this.
        directory: The run folder.
        resume: Go on from the last checkpoint.

    Returns:
        The trained model.

    Raises:
        ZooError: A setting, the data or the folder cannot be used; nothing has been written then.
    """
    folder = RunFolder(directory)
    if resume:
        settings = folder.reopen(settings.recipe)
    settings = with_dtype_chosen(settings)
    _check_tensorboard(settings)
    data = load_data(settings)
    if not resume:
        model = build_model(settings, data)
        network = _checked_network(settings, model)
        folder.start(settings, model)
    else:
        model = zoo.load_model(folder.model_file if folder.model_file.exists() else folder.checkpoint)
        network = _checked_network(settings, model)
    if not folder.model_file.exists():
        _fit(model, settings, data, folder)
        if settings.train.dtype != "float32":
            trained, model = model, _built(settings, data, "float32")
            model.set_weights(trained.get_weights())
        save_images(model.sample(64, seed=0), folder.path / "samples" / "final.png")
        folder.save_model(model)
    measured = settings.evaluate
    folder.save_evaluation(
        evaluate(
            model,
            data,
            measured.draws,
            measured.images,
            verbose=_on_terminal(),
            network=network,
            samples=measured.samples,
        )
    )
    return model


def _checked_network(settings: Settings, model: GenerativeModel) -> FeatureNetwork | None:
    """Returns the network to judge samples in, after checking that there is something to measure the model by."""
    network = open_network(settings.evaluate.features, settings.data)
    if settings.evaluate.features != NO_NETWORK:
        check_measurable(model, network)
    return network


def _fit(model: GenerativeModel, settings: Settings, data: Dataset, folder: RunFolder) -> None:
    held_out = _held_out(settings, data)
    first_epoch = int(model.optimizer.iterations) // _steps_per_epoch(settings, data)
    labels = None if model.num_classes is None else data.train_labels
    batches = ShuffledImages(
        data.train[held_out:],
        settings.train.batch_size,
        settings.train.seed,
        first_epoch,
        None if labels is None else labels[held_out:],
    )
    validation = data.train[:held_out]
    started = time.time()
    model.fit(
        batches,
        shuffle=False,  # they are, by their own seed
        initial_epoch=first_epoch,
        epochs=settings.train.epochs,
        validation_data=validation if labels is None else (validation, labels[:held_out]),
        callbacks=[RunRecorder(folder, settings.train.epochs), *_tensorboard(settings, folder)],
        verbose=1 if _on_terminal() else 2,
    )
    if isinstance(settings.model, VQVAESettings):
        _fit_prior(model, settings, data, folder)
    minutes = (time.time() - started) / 60
    epochs = settings.train.epochs - first_epoch
    print(f"trained for {epochs} epoch{'' if epochs == 1 else 's'} in {minutes:.1f} minutes", flush=True)


def _fit_prior(model: GenerativeModel, settings: Settings, data: Dataset, folder: RunFolder) -> None:
    """Fits the prior over the codes of a model whose codes are final, with Adam's step size falling to 1 %."""
    held_out, epochs, batch_size = _held_out(settings, data), settings.model.prior_epochs, settings.train.batch_size
    steps = epochs * math.ceil((len(data.train) - held_out) / batch_size)
    started = time.monotonic()
    history = model.fit_prior(
        data.train[held_out:],
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=keras.optimizers.schedules.CosineDecay(
            settings.train.learning_rate, steps, alpha=_FINAL_STEP_SHARE
        ),
        validation_data=data.train[:held_out],
        verbose=1 if _on_terminal() else 2,
    )
    last = {f"prior_{name}": float(values[-1]) for name, values in history.history.items()}
    folder.append_metrics({"stage": "prior", "seconds": time.monotonic() - started, **last})


def _check_tensorboard(settings: Settings) -> None:
    if settings.train.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise ZooError("train.tensorboard needs the package tensorboard: pip install 'genzoo[tensorboard]'")


def _tensorboard(settings: Settings, folder: RunFolder) -> list[keras.callbacks.Callback]:
    if not settings.train.tensorboard:
        return []
    return [keras.callbacks.TensorBoard(str(folder.path / "tensorboard"), write_graph=False)]


def _held_out(settings: Settings, data: Dataset) -> int:
    return data.held_out_count(settings.train.validation)


def _steps_per_epoch(settings: Settings, data: Dataset) -> int:
    return math.ceil((len(data.train) - _held_out(settings, data)) / settings.train.batch_size)


def _on_terminal() -> bool:
    return sys.stdout.isatty()
