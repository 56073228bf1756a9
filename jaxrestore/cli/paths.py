"""Which files a job reads and writes, settled before anything is computed."""

from pathlib import Path
from typing import NamedTuple

from jaxrestore._files import check_writable
from jaxrestore.errors import InputError
from jaxrestore.files.images import SUFFIXES, list_images
from jaxrestore.solve.record import Files


class Entry(NamedTuple):
    """The files of one image."""

    input: Path
    files: Files  # that are written
    album: Path  # of gen2res, written as well
    reference: Path | None
    mask: Path | None


def entries_of(input: Path, output: Path, reference: Path | None = None, mask: Path | None = None) -> list[Entry]:
    """One entry per image. InputError for paths that can't be meant."""
    if not input.exists():
        raise InputError(f"There is no file or folder {input}.")
    if input.is_file():
        if output.is_dir():
            output = output / f"{input.stem}.png"
        if output.suffix.lower() != ".png":
            raise InputError(f"OUTPUT must be a .png file, not {output}: restored images are written without loss.")
        if output.resolve() == input.resolve():
            raise InputError(f"OUTPUT is INPUT ({input}): the degraded image would be lost.")
        check_writable(output)
        album = output.with_name(f"{output.stem}_album.png")
        return [Entry(input, Files.beside(output), album, reference, mask)]
    if output.is_file():
        raise InputError(f"INPUT is a folder, so OUTPUT must be one, and {output} is a file.")
    if output.resolve() == input.resolve():
        raise InputError(f"OUTPUT is INPUT ({input}): restored images would take the place of the degraded ones.")
    check_writable(output / "any.png")
    entries: dict[str, Entry] = {}
    for path in sorted(list_images(input), key=lambda path: (path.suffix != ".png", path)):
        name = f"{path.stem}.png" if f"{path.stem}.png" not in entries else f"{path.name}.png"  # a.jpg beside a.png
        files = Files(
            image=output / name,
            strip=output / "strips" / name,
            kernel=output / "kernels" / name,
            operator=output / "operators" / f"{Path(name).stem}.json",
            uncertainty=output / "uncertainty" / name,
            record=output / "runs" / f"{Path(name).stem}.json",
        )
        beside = (_by_name(reference, path, "reference"), _by_name(mask, path, "mask"))
        entries[name] = Entry(path, files, output / "albums" / name, *beside)
    return sorted(entries.values(), key=lambda entry: entry.input)


def _by_name(file: Path | None, image: Path, what: str) -> Path | None:
    """A file given for all, or the file of the same name in a folder."""
    if file is None or not file.is_dir():
        return file
    matches = sorted(path for path in file.iterdir() if path.stem == image.stem and path.suffix.lower() in SUFFIXES)
    return matches[0] if matches else file / f"{image.stem} (no {what} of that name)"


def check_overwriting(entries: list[Entry], *read_for_all: Path | None) -> None:
    """InputError for a file that would be written over one that is read, for all of the entries or by one of them."""
    by_entry = [path for entry in entries for path in (entry.input, entry.reference, entry.mask)]
    read = {path.resolve() for path in (*read_for_all, *by_entry) if path is not None}
    for path in (path for entry in entries for path in (*entry.files, entry.album)):
        if path.resolve() in read:
            raise InputError(f"{path} is read, and would be written over: give another OUTPUT.")
