"""Which files a job reads and writes, settled before anything is computed."""

import itertools
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jaxrestore._files import check_writable
from jaxrestore.errors import InputError, InputWarning
from jaxrestore.files.folders import counterpart, is_image, list_images
from jaxrestore.files.images import WRITTEN
from jaxrestore.solve.record import Files, Record, label_of, read_record


class Entry(NamedTuple):
    """The files of one image."""

    input: Path
    files: Files  # that are written
    album: Path  # of gen2res, written as well
    reference: Path | None
    mask: Path | None


def entries_of(input: Path, output: Path, reference: Path | None = None, mask: Path | None = None) -> list[Entry]:
    """One entry per image, each with files of its own. InputError for paths that can't be meant."""
    if not input.exists():
        raise InputError(f"There is no file or folder {input}.")
    return [_alone(input, output, reference, mask)] if input.is_file() else _listed(input, output, reference, mask)


def _alone(input: Path, output: Path, reference: Path | None, mask: Path | None) -> Entry:
    """A single image's."""
    if output.is_dir():
        output = next(path for path in _outputs(input, output) if _may_be_written(path, input))
    if output.suffix.lower() not in WRITTEN:
        raise InputError(f"OUTPUT must be a {', '.join(WRITTEN)} file, or a folder that is there, not {output}.")
    if output.resolve() == input.resolve():
        raise InputError(f"OUTPUT is INPUT ({input}): the degraded image would be lost.")
    check_writable(output)
    album = output.with_name(f"{label_of(output)}_album.png")
    return Entry(input, Files.beside(output), album, reference, mask)


def _listed(input: Path, output: Path, reference: Path | None, mask: Path | None) -> list[Entry]:
    """Those of a folder."""
    if output.is_file():
        raise InputError(f"INPUT is a folder, so OUTPUT must be one, and {output} is a file.")
    if output.suffix.lower() in WRITTEN and not output.exists():
        raise InputError(f"INPUT is a folder, so OUTPUT must be one, and {output} is named as an image.")
    if output.resolve() == input.resolve():
        raise InputError(f"OUTPUT is INPUT ({input}): restored images would take the place of the degraded ones.")
    check_writable(output / "any.png")
    images = list_images(input)
    _name_subfolders(input, output)
    taken: set[str] = set()
    entries = []
    for path in sorted(images, key=lambda path: (path.suffix != ".png", path)):
        image = _chosen(path, output, taken)
        taken.add(_same(image))
        name, files = image.name, Files.in_folders(image)
        beside = (_by_name(reference, path, "reference"), _by_name(mask, path, "mask"))
        entries.append(Entry(path, files, output / "albums" / name, *beside))
    return sorted(entries, key=lambda entry: entry.input)


def _chosen(input: Path, folder: Path, taken: set[str]) -> Path:
    """A name that no other image of the run has, nor another's restoration before: the one it had, or the next that is
    free."""
    names = (path for path in _outputs(input, folder) if _same(path) not in taken)
    first = list(itertools.islice(names, 3))
    for path in first:
        if _is_of(read_record(Files.in_folders(path).record), input):
            return path
    return next(path for path in itertools.chain(first, names) if not read_record(Files.in_folders(path).record))


def _outputs(input: Path, folder: Path) -> Iterator[Path]:
    """Names for a restored image, the simplest first."""
    yield folder / f"{input.stem}.png"
    yield folder / f"{input.name}.png"  # a.jpg beside a.png
    for number in itertools.count(2):
        yield folder / f"{input.name}.{number}.png"


def _same(path: Path) -> str:
    """Equal where a file system may take two names for one."""
    return unicodedata.normalize("NFC", path.name).casefold()


def _may_be_written(image: Path, input: Path) -> bool:
    """Whether nothing is there but this input's own restoration; or the input itself, which is refused in a sentence."""
    if not image.exists() or image.resolve() == input.resolve():
        return True
    record = read_record(Files.beside(image).own_record())
    return Path(str(record.get("output"))).name == image.name and _is_of(record, input)


def _is_of(record: Record, input: Path) -> bool:
    """Whether a record is of this input, where it was then or moved since."""
    recorded = Path(str(record.get("input", "")))
    return recorded.samefile(input) if recorded.is_file() else recorded.name == input.name


def _name_subfolders(input: Path, output: Path) -> None:
    """A warning of those that hold images, which are not looked for."""
    for folder in sorted(path for path in input.iterdir() if path.is_dir() and path.resolve() != output.resolve()):
        if any(is_image(path) for path in folder.iterdir()):
            sentence = f"{folder} is a folder inside INPUT: its images are left out. Give it as INPUT for them."
            warnings.warn(sentence, InputWarning, stacklevel=2)


def _by_name(file: Path | None, image: Path, what: str) -> Path | None:
    """A file given for all, or the file of the same name in a folder."""
    if file is None or not file.is_dir():
        return file
    return counterpart(image, file.iterdir()) or file / f"{image.stem} (no {what} of that name)"


def check_overwriting(entries: list[Entry], *read_for_all: Path | None) -> None:
    """InputError for a file that would be written over one that is read, for all of the entries or by one of them."""
    by_entry = [path for entry in entries for path in (entry.input, entry.reference, entry.mask)]
    read = {path.resolve() for path in (*read_for_all, *by_entry) if path is not None}
    for path in (path for entry in entries for path in (*entry.files, entry.album)):
        if path.resolve() in read:
            raise InputError(f"{path} is read, and would be written over: give another OUTPUT.")
