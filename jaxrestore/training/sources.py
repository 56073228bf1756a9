"""Photographs for training: from a folder, a tar or an array, through Grain; damaged and small ones left out, and named."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxrestore.errors import ImageError

Source = str | Path | np.ndarray


class Photographs(NamedTuple):
    """What a training looks at: photographs that were found good, and a sentence for each that was not."""

    items: Any  # an array, or a list of what ``open(side)`` makes Pillow images of
    left_out: list[str]
    digest: str  # of what they are


class _Member(NamedTuple):
    """A file, or a member of a tar, by its place in the archive: threads may read at once."""

    path: Path
    name: str
    start: int
    size: int

    def open(self, side: int) -> Any:
        """The Pillow image, its shorter side maybe reduced, but not below `side`."""
        from jaxrestore.files.opening import decode  # Pillow waits until it is needed

        with self.path.open("rb") as stream:
            stream.seek(self.start)
            return decode(io.BytesIO(stream.read(self.size)), self.name, side)


def photographs(source: Source, shape: tuple[int, int, int], least: int = 2) -> Photographs:
    """The photographs of a folder (and its sub-folders), of a tar, or of an array ``[n, h, w, c]`` in [-1, 1].

    Files that are smaller than the prior's `shape`, or can't be read, are left out; ImageError where fewer than `least` are
    left. An array's images must have that shape, and files are for priors of three channels.
    """
    if isinstance(source, np.ndarray):
        if source.shape[1:] != shape or len(source) < least or not np.all(np.abs(source) <= 1 + 1e-3):
            raise ImageError(
                f"The album is an array of shape {source.shape}: it must hold at least {least} images {shape} in [-1, 1]."
            )
        return Photographs(np.asarray(source, np.float32), [], hashlib.sha256(source.tobytes()).hexdigest())
    source, (height, width, channels) = Path(source), shape
    if channels != 3:
        raise ImageError(
            f"Photographs have three channels, and the prior {channels}: give an array [n, h, w, {channels}]."
        )
    good, left_out = [], []
    for member in _members(source):
        try:
            image = member.open(max(height, width))
        except (ImageError, OSError) as error:
            left_out.append(str(error))
            continue
        if image.height < height or image.width < width:
            left_out.append(
                f"{member.name} is {image.height} x {image.width} pixels, smaller than the prior's {height} x {width}."
            )
        else:
            good.append(member)
    if len(good) < least:
        reason = f" {len(left_out)} were left out: {left_out[0]}" if left_out else ""
        raise ImageError(f"{source} holds {len(good)} usable photographs; at least {least} are needed.{reason}")
    names = "".join(f"{member.name.removeprefix(str(source))}{member.size};" for member in good)  # wherever it lies
    return Photographs(good, left_out, hashlib.sha256(names.encode(errors="backslashreplace")).hexdigest())


def _members(source: Path) -> list[_Member]:
    """The image files by suffix, sorted by name."""
    from jaxrestore.files.opening import SUFFIXES

    if source.is_dir():
        files = [path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
        listed = [_Member(path, str(path), 0, path.stat().st_size) for path in files]
    elif source.is_file():
        try:
            with tarfile.open(source, "r:") as archive:
                members = [member for member in archive.getmembers() if member.isfile()]
        except tarfile.TarError as error:
            raise ImageError(f"{source} is neither a folder nor an uncompressed tar of photographs.") from error
        members = [member for member in members if Path(member.name).suffix.lower() in SUFFIXES]
        listed = [_Member(source, f"{source}:{member.name}", member.offset_data, member.size) for member in members]
    else:
        raise ImageError(f"There is no folder or tar {source}.")
    return sorted(listed, key=lambda member: member.name)


@dataclass(frozen=True)
class View:
    """How a photograph is looked at in a training: a random part of the prior's proportions, of at least `crop` of the
    largest such part; maybe flipped."""

    size: tuple[int, int]  # (height, width)
    crop: float
    flip: bool

    def __call__(self, item: Any, draw: np.random.Generator) -> np.ndarray:
        """float32 ``[h, w, 3]`` in [-1, 1]. An array's image keeps its size."""
        if isinstance(item, np.ndarray):
            image = item
        else:
            from PIL import Image

            wanted = np.array(self.size[::-1])
            opened = item.open(round(max(self.size) / self.crop))
            largest = (opened.size / wanted).min()  # how many times the prior's size it is
            part = wanted * draw.uniform(min(largest, max(1.0, self.crop * largest)), largest)
            start = (opened.size - part) * (0.5 if self.crop == 1 else draw.uniform(size=2))
            box = (*start.tolist(), *np.minimum(start + part, opened.size).tolist())
            # a triangle as wide as the reduction: a box would leave aliases, which a prior learns as detail
            reduced = opened.resize(self.size[::-1], Image.Resampling.BILINEAR, box)
            image = np.asarray(reduced, np.float32) / 127.5 - 1
        return np.ascontiguousarray(image[:, ::-1]) if self.flip and draw.uniform() < 0.5 else image


def batches(album: Photographs, view: View, batch_size: int, seed: int, start: int, stop: int) -> Iterator[np.ndarray]:
    """Batches number `start` to `stop` ``[b, h, w, 3]`` of an endless, shuffled sequence: each photograph once a round.

    Number i is the same whether the sequence began at 0 or at i, so a resumed training sees what it would have seen.
    """
    import grain  # a second to import, and only needed here

    class Viewed(grain.transforms.RandomMap):
        def random_map(self, element: Any, rng: np.random.Generator) -> Any:
            return view(element, rng)

    rounds = grain.MapDataset.source(album.items).seed(seed).shuffle().repeat().random_map(Viewed())
    ahead = grain.ReadOptions(num_threads=4, prefetch_buffer_size=4)  # batches
    made: Any = iter(rounds.batch(batch_size).slice(slice(start, stop)).to_iter_dataset(ahead))
    try:
        yield from made
    finally:
        made.close()  # or its threads would read on
