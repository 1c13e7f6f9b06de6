"""Completes and denoises MNIST test images, by models and by classical methods.

    python -m recipes.studies.restoration docs/restoration.md eqm_mnist ebm_mnist

Writes the page, and a picture beside it with the same name. Needs scikit-image: pip install 'genzoo[studies]'. Weights
of the classical methods are chosen by PSNR on training images.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recipes.quiet import import_tensorflow_quietly

IMAGES, TUNED_ON, SHOWN = 1000, 200, 8
_TOTAL_VARIATION = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
_NON_LOCAL = (0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)  # h, as multiples of the noise
Method = Callable[[np.ndarray], np.ndarray]

_HEAD = """# Restoration

Made by `python -m recipes.studies.restoration {page} {models}`. The first {count:,} MNIST test images: the right half
missing, a hole of 14x14 in the middle, and Gaussian noise (seed 0, not cut off at [0, 1] before it is given to any
method; the input is). PSNR, and SSIM as in scikit-image {version}, with a range of 1; accuracy is that of
`classifier_mnist` on what is restored ({clean:.1%} on the images themselves). Means with their standard errors over
images. Models draw once with seed 0 and their own settings; "mean" is one step of a score model, the mean of what may
have been. Total variation ("Chambolle") and non-local means are those of scikit-image, with the weights (in brackets)
that gave the best PSNR on {tuned} training images, biharmonic is its inpainting.

![originals, what was seen, and what is made of it]({picture})

"""


@dataclass(frozen=True)
class Task:
    """What happened to images.

    mask: 1 where a pixel is known, [height, width, 1].
    noise: The standard deviation of the noise.
    """

    name: str
    mask: np.ndarray
    noise: float

    def seen(self, images: np.ndarray, seed: int = 0) -> np.ndarray:
        """Returns what is left of images [n, height, width, 1]."""
        noise = np.random.default_rng(seed).normal(size=images.shape)
        return ((images + self.noise * noise) * self.mask).astype(np.float32)


def tasks(height: int, width: int) -> list[Task]:
    """Returns the tasks for images of a size."""
    whole = np.ones((height, width, 1), np.float32)
    half, hole = whole.copy(), whole.copy()
    half[:, width // 2 :] = 0
    hole[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = 0
    return [
        Task("right half missing", half, 0.0),
        Task("14x14 hole", hole, 0.0),
        Task("noise of 0.3", whole, 0.3),
        Task("noise of 0.5", whole, 0.5),
    ]


def methods_of(task: Task, models: dict[str, Any], train: np.ndarray) -> dict[str, Method]:
    """Returns what restores images of a task, by name, the input itself first."""
    found: dict[str, Method] = {"input": lambda seen: np.clip(seen, 0, 1)}
    if task.noise:
        found |= _denoisers(task, train)
        for name, model in models.items():
            found[name] = lambda seen, model=model: model.restore(seen, noise_level=task.noise)
            if hasattr(model, "denoise"):
                found[f"{name}, mean"] = lambda seen, model=model: model.restore(seen, noise_level=task.noise, steps=1)
        return found
    from skimage.restoration import inpaint_biharmonic

    missing = task.mask[..., 0] == 0
    found["biharmonic"] = lambda seen: np.stack([np.clip(inpaint_biharmonic(x[..., 0], missing), 0, 1) for x in seen])[
        ..., None
    ]
    known = np.broadcast_to(task.mask, (IMAGES, *task.mask.shape))
    for name, model in models.items():
        found[name] = lambda seen, model=model: model.restore(seen, known[: len(seen)])
    return found


def _denoisers(task: Task, train: np.ndarray) -> dict[str, Method]:
    """Returns total variation and non-local means with the weights that serve training images best."""
    from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

    def total_variation(weight: float) -> Method:
        return lambda seen: np.stack([np.clip(denoise_tv_chambolle(x, weight=weight), 0, 1) for x in seen])

    def non_local(ratio: float) -> Method:
        options = {"h": ratio * task.noise, "sigma": task.noise, "fast_mode": False, "patch_size": 5}
        return lambda seen: np.stack([np.clip(denoise_nl_means(x[..., 0], **options), 0, 1) for x in seen])[..., None]

    images = train[:TUNED_ON]
    seen, found = task.seen(images, seed=1), {}
    for name, make, weights in (
        ("total variation", total_variation, _TOTAL_VARIATION),
        ("non-local means", non_local, _NON_LOCAL),
    ):
        best = max(weights, key=lambda weight: psnr(images, make(weight)(seen)).mean())
        found[f"{name} ({best:g})"] = make(best)
    return found


def psnr(images: np.ndarray, restored: np.ndarray) -> np.ndarray:
    """Returns the peak signal-to-noise ratio of each image, in dB, 60 at most."""
    errors = np.square(images - restored).mean(axis=(1, 2, 3), dtype=np.float64)
    return -10 * np.log10(np.maximum(errors, 1e-6))


def figures_of(images: np.ndarray, labels: np.ndarray, restored: np.ndarray, judge: Any) -> list[np.ndarray]:
    """Returns PSNR, SSIM and whether the class is seen, of each image."""
    from skimage.metrics import structural_similarity

    pairs = zip(images[..., 0], restored[..., 0], strict=True)
    similar = np.array([structural_similarity(a, b, data_range=1) for a, b in pairs])
    return [psnr(images, restored), similar, (judge.logits(restored).argmax(axis=1) == labels).astype(float)]


def main(page: Path, names: list[str]) -> None:
    """Writes the page and the picture."""
    import skimage

    import zoo
    from recipes.data import load
    from recipes.output import save_images
    from recipes.settings import ImageSettings
    from zoo.files import write_text

    data, judge = load("mnist", ImageSettings()), zoo.metrics.Classifier.from_preset("classifier_mnist")
    models = {name: zoo.from_preset(name) for name in names}
    images, labels = data.test[:IMAGES], np.asarray(data.test_labels)[:IMAGES]
    clean = float((judge.logits(images).argmax(axis=1) == labels).mean())
    lines, rows = [], [images[:SHOWN]]
    for task in tasks(*images.shape[1:3]):
        lines += [f"## {task.name.capitalize()}", "", "| | PSNR, dB | SSIM | accuracy |", "| --- | --- | --- | --- |"]
        seen = task.seen(images)
        for name, method in methods_of(task, models, data.train).items():
            restored = method(seen).astype(np.float32)
            values = figures_of(images, labels, restored, judge)
            errors = [value.std(ddof=1) / np.sqrt(len(value)) for value in values]
            cells = [f"{v.mean():.3f} +- {e:.3f}" for v, e in zip(values[:2], errors[:2], strict=True)]
            lines.append(f"| {name} | {cells[0]} | {cells[1]} | {values[2].mean():.1%} +- {errors[2]:.1%} |")
            print(task.name, lines[-1], flush=True)
            rows.append(restored[:SHOWN])
        lines.append("")
    picture = page.with_suffix(".png")
    save_images(np.concatenate(rows), picture, columns=SHOWN)
    head = _HEAD.format(
        page=page,
        models=" ".join(names),
        count=IMAGES,
        version=skimage.__version__,
        clean=clean,
        tuned=TUNED_ON,
        picture=picture.name,
    )
    write_text(page, head + "\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    import_tensorflow_quietly()
    main(Path(sys.argv[1]), sys.argv[2:])
