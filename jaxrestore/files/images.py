"""Images in and out: files to float32 ``[h, w, 3]`` in [-1, 1] and back."""

import contextlib
import io
import os
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from jaxrestore.errors import ImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".gif")
MAX_PIXELS = 100_000_000  # beyond any photograph that a prior could take: a decompression bomb

Fit = Literal["exact", "resize", "crop", "tile"]


def read_image(path: str | Path, size: tuple[int, int] | None = None, fit: Fit = "exact") -> np.ndarray:
    """An image file as float32 ``[h, w, 3]`` in [-1, 1]; ImageError says in a sentence why it can't be.

    EXIF orientation is applied, transparency laid over white, 16-bit grey, palette, grey and CMYK converted. Where `size`
    (height, width) is given and the image has another: "exact" refuses, "resize" resizes (Lanczos, the aspect ratio may
    change), "crop" cuts the largest centred part of that aspect ratio and resizes it, "tile" cuts off what is over, to the
    right and below.
    """
    image = _rgb(open_image(path), path)
    if size is not None and image.size != (size[1], size[0]):
        if fit == "exact":
            raise ImageError(
                f"{path} is {image.height} x {image.width} pixels where {size[0]} x {size[1]} are needed: "
                "pass --fit crop or --fit resize, or give an image of that size."
            )
        target = (size[1], size[0])
        if fit == "tile":
            if image.width < target[0] or image.height < target[1]:
                raise ImageError(
                    f"{path} is {image.height} x {image.width} pixels, smaller than {size[0]} x {size[1]}."
                )
            return np.asarray(image.crop((0, 0, *target)), np.float32) / 127.5 - 1
        resampling = Image.Resampling.LANCZOS
        image = ImageOps.fit(image, target, resampling) if fit == "crop" else image.resize(target, resampling)
    return np.asarray(image, np.float32) / 127.5 - 1


def open_image(path: str | Path) -> Image.Image:
    """The decoded, upright Pillow image of a file in one of `FORMATS`, of at most `MAX_PIXELS`; or ImageError."""
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"There is no file {path}.")
    return _decoded(path, path)


def decode(stream: io.BytesIO, name: str, side: int) -> Image.Image:
    """The RGB image in a stream, of which the shorter side may be reduced while a JPEG is decoded, but not below `side`.

    `name` is what ImageError calls it.
    """
    return _rgb(_decoded(stream, name, side), name)


def _decoded(file: Path | io.BytesIO, name: str | Path, side: int | None = None) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is an error
            image = Image.open(file, formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"{name} claims {image.width} x {image.height} pixels, more than {MAX_PIXELS} in all.")
        if side is not None:
            image.draft(None, (side, side))
        image.load()
        return ImageOps.exif_transpose(image)
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not an image of a known format ({', '.join(FORMATS)}).") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} claims more pixels than any photograph has: it is not read.") from error
    except ImageError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise ImageError(f"{name} is damaged or truncated: {error}.") from error


def _rgb(image: Image.Image, path: str | Path) -> Image.Image:
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):  # 16 bits of grey, in one of Pillow's guises
        return Image.fromarray(_levels(np.asarray(image, np.float64) / 65535, path)).convert("RGB")
    if image.mode == "F":
        return Image.fromarray(_levels(np.asarray(image, np.float64), path)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _levels(values: np.ndarray, path: str | Path) -> np.ndarray:
    if not np.all(np.isfinite(values)):
        raise ImageError(f"{path} holds values that are not finite (NaN or infinite).")
    if values.min() < 0 or values.max() > 1:
        raise ImageError(f"{path} holds values outside its range ({values.min():g} to {values.max():g}).")
    return np.round(255 * values).astype(np.uint8)


def to_uint8(image: np.ndarray) -> np.ndarray:
    """[-1, 1] to 0..255, clipped and rounded."""
    return np.clip(np.round((np.asarray(image, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def as_stored(image: np.ndarray) -> np.ndarray:
    """The image as a file holds it: clipped and rounded to 256 levels, in [-1, 1] again."""
    return to_uint8(image).astype(np.float32) / 127.5 - 1


def jpeg(image: np.ndarray, quality: int = 8) -> np.ndarray:
    """``[h, w, 3]`` in [-1, 1] after a real codec, Pillow's, with colours at half resolution: for simulating. Not for jit."""
    stream = io.BytesIO()
    Image.fromarray(to_uint8(image)).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream).convert("RGB"), np.float32) / 127.5 - 1


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``[h, w, 3]`` in [-1, 1] at another (height, width), bilinear, in 256 levels."""
    pixels = Image.fromarray(to_uint8(image)).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(pixels, np.float32) / 127.5 - 1


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Write ``[h, w, 3]`` or ``[h, w, 1]`` in [-1, 1], or bytes ``[h, w]``, as PNG: aside first, then renamed."""
    pixels = image if image.dtype == np.uint8 else to_uint8(image)
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    write_aside(path, lambda aside: Image.fromarray(pixels).save(aside, format="PNG"))


def write_aside(path: str | Path, write) -> None:
    """Call ``write(file beside path)`` and rename the file to `path`; on failure nothing is left and `path` is as it was."""
    path = Path(path)
    aside = path.with_name(f".{path.name}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        os.replace(aside, path)
    except OSError as error:
        raise ImageError(f"{path} can't be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):  # the folder itself may be what is wrong
            aside.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """ImageError now, rather than after the work, if a file could not be written to `path`."""
    folder = Path(path).absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ImageError(f"{path} can't be written: {folder} is not a folder that you may write to.")


def strip(images: list[np.ndarray], gap: int = 2) -> np.ndarray:
    """Images side by side on white, each enlarged to the tallest by whole-pixel repetition, ``[h, w, 3]`` in [-1, 1]."""
    height = max(image.shape[0] for image in images)
    parts = []
    for image in images:
        factor = height // image.shape[0]
        enlarged = image.repeat(factor, axis=0).repeat(factor, axis=1)
        below = height - enlarged.shape[0]
        parts += [np.pad(enlarged, ((0, below), (0, gap), (0, 0)), constant_values=1.0)]
    return np.concatenate(parts, axis=1)[:, :-gap]


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Each pixel repeated `factor` times both ways: a small image made visible."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def list_images(folder: str | Path) -> list[Path]:
    """The image files of a folder, by suffix, sorted by name; ImageError if there is none."""
    files = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise ImageError(f"{folder} holds no image file ({', '.join(SUFFIXES)}).")
    return files
