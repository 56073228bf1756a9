"""Images in and out: files to float32 ``[h, w, 3]`` in [-1, 1] and back. Pillow waits until a file is opened."""

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxrestore._files import write_aside
from jaxrestore._names import Fit
from jaxrestore.errors import InputError
from jaxrestore.files.colours import rgb
from jaxrestore.files.fitting import fitted
from jaxrestore.files.masks import missing_of
from jaxrestore.files.metadata import Metadata, dressed
from jaxrestore.files.opening import open_image

if TYPE_CHECKING:
    import PIL.Image

DATA = Path(__file__).parent.parent / "data"
PHOTOGRAPH, KINGFISHER = DATA / "flower.jpg", DATA / "kingfisher.jpg"  # those that come with the package

WRITTEN: dict[str, dict[str, Any]] = {  # how, by suffix: without loss where the format can
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "lossless": True, "exact": True},
    ".tif": {"format": "TIFF"},
    ".tiff": {"format": "TIFF"},
}


@runtime_checkable
class Shaped(Protocol):
    """A prior, say, or an array ``[h, w, c]``."""

    @property
    def shape(self) -> tuple[int, ...]: ...


def read_image(
    path: str | Path, prior_or_size: Shaped | tuple[int, int] | None = None, fit: Fit = "exact"
) -> Float[np.ndarray, "h w 3"]:
    """An image file as float32 ``[h, w, 3]`` in [-1, 1], of the size of a prior's images or of `(height, width)`.

    EXIF orientation is applied, colours are converted to sRGB from the file's own profile, transparency laid over white,
    16-bit grey, palette, grey and CMYK converted (`read_metadata` has what the file holds beside). A file of
    another size: "exact" refuses, "resize" resizes (Lanczos, the aspect ratio may change), "crop" cuts the largest centred
    part of that aspect ratio and resizes it, "tile" cuts off what is over, to the right and below. ImageError says in a
    sentence why a file can't be used. Without a second argument it keeps its own size.

    >>> import jaxrestore as jr
    >>> jr.read_image(PHOTOGRAPH, (16, 24), fit="crop").shape
    (16, 24, 3)
    """
    return read_known(path, prior_or_size, fit)


def read_known(
    path: str | Path, prior_or_size: Shaped | tuple[int, int] | None, fit: Fit, mask: str | Path | None = None
) -> Float[np.ndarray, "h w 3"]:
    """As `read_image`; pixels that the file `mask` says are missing leave nothing in those beside them where the image is
    resized."""
    image = rgb(open_image(path), path)
    if prior_or_size is None:
        return _from_uint8(image)
    height, width = (prior_or_size.shape if isinstance(prior_or_size, Shaped) else prior_or_size)[:2]
    missing = None if mask is None else missing_of(mask, (image.height, image.width))
    return _from_uint8(fitted(image, (height, width), fit, path, missing))


def to_uint8(image: np.ndarray | Array) -> UInt8[np.ndarray, "*s"]:
    """[-1, 1] to 0..255, clipped and rounded."""
    return np.clip(np.round((np.asarray(image, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def as_stored(image: np.ndarray | Array) -> Float[np.ndarray, "*s"]:
    """The image as a file holds it: clipped and rounded to 256 levels, in [-1, 1] again."""
    return to_uint8(image).astype(np.float32) / 127.5 - 1


def _from_uint8(image: "PIL.Image.Image") -> Float[np.ndarray, "h w 3"]:
    return np.asarray(image, np.float32) / 127.5 - 1


def jpeg(image: np.ndarray, quality: int = 8) -> Float[np.ndarray, "h w 3"]:
    """``[h, w, 3]`` in [-1, 1] after a real codec, Pillow's, with colours at half resolution: for simulating. Not for jit."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(to_uint8(image)).save(stream, "JPEG", quality=quality)
    return _from_uint8(Image.open(stream).convert("RGB"))


def resized(image: np.ndarray, size: tuple[int, int]) -> Float[np.ndarray, "h w 3"]:
    """``[h, w, 3]`` in [-1, 1] at another (height, width), bilinear, in 256 levels."""
    from PIL import Image

    return _from_uint8(Image.fromarray(to_uint8(image)).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def write_image(path: str | Path, image: np.ndarray | Array, metadata: Metadata | None = None) -> None:
    """Write ``[h, w, 3]`` or ``[h, w, 1]`` in [-1, 1], or bytes ``[h, w]``, by suffix: aside first, then renamed.

    As .png (also without a suffix), .webp and .tif without loss, as .jpg of quality 95. With `metadata` of a photograph its
    colour profile (to which the colours are converted), transparency, EXIF and resolution are written, too.
    Values beyond [-1, 1] are clipped, as a file can't hold them. Folders are made. InputError where it can't be written, for
    another suffix, or integers other than bytes.

    >>> import tempfile, numpy as np, jaxrestore as jr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     jr.write_image(f"{folder}/grey.png", np.zeros((4, 6, 3)))
    ...     jr.read_image(f"{folder}/grey.png").shape
    (4, 6, 3)
    """
    from PIL import Image

    path = Path(path)
    options = WRITTEN.get(path.suffix.lower() or ".png")
    if options is None:
        raise InputError(f"{path} can't be written: images are written as {', '.join(WRITTEN)}.")
    if image.dtype != np.uint8 and np.issubdtype(image.dtype, np.integer):
        raise InputError(f"{path} can't be written of {image.dtype}: give floats in [-1, 1], or bytes (uint8).")
    pixels = np.asarray(image) if image.dtype == np.uint8 else to_uint8(image)
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    picture, beside = dressed(Image.fromarray(pixels), metadata or Metadata(), path)

    def save(aside: Path) -> None:
        try:
            picture.save(aside, **options, **beside)
        except OSError:
            raise
        except Exception as error:  # an encoder may raise anything, of an image that is too large, say
            raise InputError(f"{path} can't be written: {error}.") from error

    write_aside(path, save)


def strip(images: list[np.ndarray], gap: int = 2) -> Float[np.ndarray, "h w 3"]:
    """Images side by side on white, each enlarged to the tallest by whole-pixel repetition, ``[h, w, 3]`` in [-1, 1]."""
    height = max(image.shape[0] for image in images)
    parts = []
    for image in images:
        enlarged = enlarge(image, height // image.shape[0])
        below = height - enlarged.shape[0]
        parts += [np.pad(enlarged, ((0, below), (0, gap), (0, 0)), constant_values=1.0)]
    return np.concatenate(parts, axis=1)[:, :-gap]


def strip_boxes(images: list[np.ndarray], gap: int = 2) -> list[tuple[int, int, int, int]]:
    """Where each image lies in their `strip`: left, top, width and height.

    >>> strip_boxes([np.zeros((4, 6, 3)), np.zeros((8, 8, 3))])
    [(0, 0, 12, 8), (14, 0, 8, 8)]
    """
    height, left, boxes = max(image.shape[0] for image in images), 0, []
    for image in images:
        factor = height // image.shape[0]
        boxes.append((left, 0, factor * image.shape[1], factor * image.shape[0]))
        left += factor * image.shape[1] + gap
    return boxes


def glance(image: np.ndarray, side: int = 1536) -> Float[np.ndarray, "rows columns c"]:
    """A picture of more than `side` pixels a side, reduced by a whole number to fewer: means of blocks, those that aren't
    whole left out.

    >>> glance(np.zeros((5, 8, 3), np.float32), side=4).shape
    (2, 4, 3)
    """
    h, w, c = image.shape
    block = -(-max(h, w) // side)
    block = min(block, h, w)
    if block < 2:
        return image
    rows, columns = h // block, w // block
    return image[: rows * block, : columns * block].reshape(rows, block, columns, block, c).mean((1, 3))


def kernels_as_image(kernels: list[np.ndarray]) -> Float[np.ndarray, "h w 1"]:
    """Blur kernels ``[kh, kw]`` side by side in [-1, 1], each by its own largest weight, with a black border."""
    pictures = [np.pad(2 * kernel / max(float(kernel.max()), 1e-30) - 1, 1, constant_values=-1) for kernel in kernels]
    return np.concatenate(pictures, axis=1)[..., None].astype(np.float32)


def sheet(images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "rows columns c"]:
    """Images as one, in rows of about as many, small ones enlarged."""
    number, *shape = images.shape
    columns = math.ceil(math.sqrt(number))
    blank = np.ones((columns * math.ceil(number / columns) - number, *shape), np.float32)
    rows = np.concatenate([images, blank]).reshape(-1, columns, *shape)
    joined = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    return enlarge(joined, max(1, 128 // shape[0]))


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Each pixel repeated `factor` times both ways: a small image made visible."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)
