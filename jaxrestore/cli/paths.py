"""Which files a job reads and writes, settled before anything is computed."""

from pathlib import Path
from typing import NamedTuple

from jaxrestore.errors import InputError
from jaxrestore.files.images import SUFFIXES, check_writable, list_images


class Paths(NamedTuple):
    """Where the files of one image go."""

    input: Path
    output: Path
    strip: Path
    kernel: Path
    operator: Path
    uncertainty: Path
    album: Path
    record: Path
    reference: Path | None
    mask: Path | None


def plan(input: Path, output: Path, reference: Path | None, mask: Path | None) -> list[Paths]:
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
        ends = {"strip": "png", "kernel": "png", "operator": "json", "uncertainty": "png", "album": "png"}
        beside = {name: output.with_name(f"{output.stem}_{name}.{end}") for name, end in ends.items()}
        return [Paths(input, output, **beside, record=output.with_name("run.json"), reference=reference, mask=mask)]
    if output.is_file():
        raise InputError(f"INPUT is a folder, so OUTPUT must be one, and {output} is a file.")
    if output.resolve() == input.resolve():
        raise InputError(f"OUTPUT is INPUT ({input}): restored images would take the place of the degraded ones.")
    check_writable(output / "any.png")
    entries: dict[str, Paths] = {}
    for path in sorted(list_images(input), key=lambda path: (path.suffix != ".png", path)):
        name = f"{path.stem}.png" if f"{path.stem}.png" not in entries else f"{path.name}.png"  # a.jpg beside a.png
        entries[name] = Paths(
            path,
            output / name,
            output / "strips" / name,
            output / "kernels" / name,
            output / "operators" / f"{Path(name).stem}.json",
            output / "uncertainty" / name,
            output / "albums" / name,
            output / "runs" / f"{Path(name).stem}.json",
            _by_name(reference, path, "reference"),
            _by_name(mask, path, "mask"),
        )
    return sorted(entries.values(), key=lambda entry: entry.input)


def _by_name(given: Path | None, image: Path, what: str) -> Path | None:
    """A file given for all, or the file of the same name in a folder."""
    if given is None or not given.is_dir():
        return given
    matches = sorted(path for path in given.iterdir() if path.stem == image.stem and path.suffix.lower() in SUFFIXES)
    return matches[0] if matches else given / f"{image.stem} (no {what} of that name)"


def check_overwriting(entries: list[Paths], *given: Path | None) -> None:
    """InputError for a file that would be written over one that is read, `given` for all of them or by an entry."""
    of_entries = [path for entry in entries for path in (entry.input, entry.reference, entry.mask)]
    read = {path.resolve() for path in (*given, *of_entries) if path is not None}
    for entry in entries:
        written = (
            entry.output,
            entry.strip,
            entry.kernel,
            entry.operator,
            entry.uncertainty,
            entry.album,
            entry.record,
        )
        for path in written:
            if path.resolve() in read:
                raise InputError(f"{path} is read, and would be written over: give another OUTPUT.")
