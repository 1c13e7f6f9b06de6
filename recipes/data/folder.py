"""Images from a folder of picture files.

The rule for sizes: without `image.size` all pictures must have one size, and keep it. With it, a picture is
scaled, keeping its proportions, until it just covers the wanted size (Lanczos), and the centre is cut out.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from recipes.data.dataset import Dataset, as_images, split
from recipes.settings import ImageSettings
from zoo.errors import ZooError

# Those that Pillow reads by itself; some of its others start programs.
_FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".pgm": "PPM",
    ".png": "PNG",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}


def load_folder(path: str, image: ImageSettings) -> Dataset:
    """Loads `folder:PATH`: every picture in it and below it, in the order of their names.

    A fixed random fifth becomes the test split. Pictures are turned as their EXIF orientation says, and
    transparency is laid over white.

    Args:
        path: The folder.
        image: The size and the number of channels to convert to.

    Raises:
        ZooError: The folder is missing or has no pictures, one cannot be read, or sizes differ.
    """
    if not path:
        raise ZooError("folder: names no folder. For example: folder:photos")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise ZooError(f"there is no folder {folder}.")
    files = sorted(
        file for file in folder.rglob("*") if file.suffix.lower() in _FORMATS and not file.name.startswith(".")
    )
    if not files:
        raise ZooError(f"no image in {folder}. Expected files such as .png or .jpg in it or in folders below.")
    pictures = [_read(file, image) for file in files]
    channels = image.channels or (1 if all(picture.mode == "L" for picture in pictures) else 3)
    size = pictures[0].size
    for file, picture in zip(files, pictures, strict=True):
        if picture.size != size:
            raise ZooError(
                f"{file} is {_size(picture)}, but {files[0].name} is {_size(pictures[0])}: give one size for all, "
                f"for example --set image.size={min(*size, *picture.size)}"
            )
    mode = "L" if channels == 1 else "RGB"
    pixels = np.stack([np.asarray(picture.convert(mode)) for picture in pictures])
    return split(f"folder:{path}", as_images(pixels, f"images of {folder}"))


def _read(file: Path, image: ImageSettings) -> Image.Image:
    """Returns a picture in mode L or RGB, resized by the rule."""
    try:
        with Image.open(file, formats=sorted(set(_FORMATS.values()))) as opened:
            opened.load()
            picture = ImageOps.exif_transpose(opened)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ZooError(f"{file} cannot be read as an image ({error}). Remove or repair it.") from error
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    elif picture.mode.startswith(("I", "F")):
        raise ZooError(f"{file} has pixels of more than 8 bits (mode {picture.mode}). Convert it to 8 bits a channel.")
    picture = picture.convert("L" if picture.mode in ("1", "L") or image.channels == 1 else "RGB")
    if image.size is None:
        return picture
    height, width = (image.size, image.size) if isinstance(image.size, int) else image.size
    return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


def _size(picture: Image.Image) -> str:
    return f"{picture.height}x{picture.width}"
