"""Image files, opened: which formats there are, what is said of those that can't be read. Pillow waits until it is needed."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from jaxrestore.errors import ImageError, InputWarning

if TYPE_CHECKING:
    import PIL.Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF", "JPEG2000", "AVIF", "HEIF")
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".gif"),
    *(".apng", ".jp2", ".avif", ".heic", ".heif"),
)
MAX_PIXELS = 100_000_000  # beyond any photograph that a prior could take: a decompression bomb
HEIC, AVIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}, {b"avif", b"avis"}  # brands of an ISO media file
ORIENTATION = 0x0112  # the EXIF tag
PAGES = ("GIF", "PNG", "WEBP", "TIFF", "AVIF", "HEIF")  # a phone's JPEG has its own preview behind it


def open_image(path: str | Path) -> "PIL.Image.Image":
    """The decoded, upright Pillow image of a file in one of `FORMATS`, of at most `MAX_PIXELS`; or ImageError.

    Of an animation, or a file of several pages, the first image, and an InputWarning says so. HEIC is read where pillow-heif
    is installed, AVIF where Pillow can.
    """
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"There is no file {path}.")
    try:
        with path.open("rb") as stream:
            return _decoded(stream, path)
    except OSError as error:
        raise ImageError(f"{path} can't be read: {error.strerror or error}.") from error


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) of the upright image in a file, of which nothing more is decoded than that takes; ImageError as
    `open_image`."""
    from PIL import Image

    with contextlib.suppress(Exception), Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
        turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
        return (image.width, image.height) if turned else (image.height, image.width)
    image = open_image(path)
    return image.height, image.width


def decode(stream: io.BytesIO, name: str, side: int) -> "PIL.Image.Image":
    """The RGB image in a stream, of which the shorter side may be reduced while a JPEG is decoded, but not below `side`.

    `name` is what ImageError calls it.
    """
    from jaxrestore.files.colours import rgb

    return rgb(_decoded(stream, name, side), name)


def _decoded(file: io.BufferedIOBase, name: str | Path, side: int | None = None) -> "PIL.Image.Image":
    from PIL import Image, ImageOps, UnidentifiedImageError, features

    brands = _brands(file)
    if brands & HEIC and not brands & AVIF and not _reads_heic():
        raise ImageError(
            f"{name} is a HEIC image, which is read where pillow-heif is installed (pip install pillow-heif); or save it as "
            "JPEG or PNG."
        )
    Image.init()  # all plug-ins
    formats = [known for known in FORMATS if known in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is an error
            warnings.filterwarnings("ignore", "image file could not be identified")  # said below
            image = Image.open(file, formats=formats)  # type: ignore[arg-type]
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"{name} claims {image.width} x {image.height} pixels, more than {MAX_PIXELS} in all.")
        if image.format in PAGES and getattr(image, "is_animated", False):
            warnings.warn(f"{name} holds several images: the first is taken.", InputWarning, stacklevel=4)
        if side is not None:
            image.draft(None, (side, side))
        image.load()
        if image.format == "TIFF":  # whose tags would stay behind
            with contextlib.suppress(Exception):
                image.info["exif"] = image.getexif().tobytes()
        return ImageOps.exif_transpose(image)
    except UnidentifiedImageError as error:
        if brands & AVIF and not features.check("avif"):
            raise ImageError(
                f"{name} is an AVIF image, which this Pillow can't read (11.3 and newer can: pip install -U pillow); or save "
                "it as JPEG or PNG."
            ) from error
        raise ImageError(f"{name} is not an image of a known format ({', '.join(FORMATS)}).") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} claims more pixels than any photograph has: it is not read.") from error
    except (ImageError, Warning):
        raise
    except Exception as error:  # a damaged file may raise anything
        if isinstance(error, OSError) and error.errno is not None:  # of the system, not of the file's contents
            raise ImageError(f"{name} can't be read: {error.strerror}.") from error
        raise ImageError(f"{name} is damaged or truncated: {error}.") from error


def _brands(file: io.BufferedIOBase) -> set[bytes]:
    """What an ISO media file, as HEIC and AVIF are, says it is; nothing for another."""
    head = file.read(64)
    file.seek(0)
    if head[4:8] != b"ftyp":
        return set()
    stop = min(len(head), int.from_bytes(head[:4], "big"))
    return {head[start : start + 4] for start in (8, *range(16, stop - 3, 4))}


def _reads_heic() -> bool:
    """Whether pillow-heif is there; it is made known to Pillow."""
    try:
        from pillow_heif import register_heif_opener  # type: ignore[import-not-found]
    except ImportError:
        return False
    register_heif_opener()
    return True
