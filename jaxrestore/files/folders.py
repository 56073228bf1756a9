"""Folders of image files: what is in them, what is left out and why, and which files belong together."""

import warnings
from collections.abc import Iterable
from pathlib import Path

from jaxrestore.errors import ImageError, InputWarning
from jaxrestore.files.opening import SUFFIXES


def list_images(folder: str | Path) -> list[Path]:
    """The image files of a folder, by suffix, sorted by name; ImageError if there is none.

    An InputWarning names all other files: hidden ones, among them what macOS writes beside an image (``._a.png``), and those
    whose suffix is no image's.
    """
    folder = Path(folder)
    images: list[Path] = []
    left_out: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            continue
        if path.name.startswith("."):
            left_out.setdefault("hidden", []).append(path.name)
        elif not path.is_file():
            left_out.setdefault("links to nothing", []).append(path.name)
        elif is_image(path):
            images.append(path)
        else:
            left_out.setdefault("no image by their suffix", []).append(path.name)
    for reason, names in left_out.items():
        warnings.warn(f"{folder}: left out, as {reason}: {', '.join(names)}", InputWarning, stacklevel=2)
    if not images:
        raise ImageError(f"{folder} holds no image file ({', '.join(SUFFIXES)}).")
    return images


def is_image(path: Path) -> bool:
    """Whether its name is a visible image's.

    >>> is_image(Path("a.JPG")), is_image(Path("._a.jpg"))
    (True, False)
    """
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def counterpart(image: Path, files: Iterable[Path]) -> Path | None:
    """The file that belongs to an image: of its name; else of its name and a suffix, as a.jpg.png of a.jpg, or the other way
    round; else of its stem.

    >>> counterpart(Path("in/a.jpg"), [Path("out/a.png"), Path("out/a.jpg.png")]).name
    'a.jpg.png'
    """
    files = sorted(path for path in files if is_image(path))
    for matches in (
        [path for path in files if path.name == image.name],
        [path for path in files if path.stem == image.name or path.name == image.stem],
        [path for path in files if path.stem == image.stem],
    ):
        if matches:
            return matches[0]
    return None
