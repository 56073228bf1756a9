"""The batches of a folder: fixed by its sorted files, read ahead, written behind, and never done twice."""

import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from jaxrestore.cli.paths import Entry
from jaxrestore.solve.record import read_record

Read = TypeVar("Read")


class Batch(NamedTuple):
    entries: list[Entry]
    width: int  # images that its program is made for: those of the largest batch beside it


def in_batches(entries: list[Entry], size: int) -> list[Batch]:
    """Neighbours among the sorted files that share a mask, at most `size` at a time and about as many in each: the same
    whatever has been restored before."""
    planned = []
    for _, group in itertools.groupby(entries, lambda entry: entry.mask):
        files = list(group)
        width = -(-len(files) // -(-len(files) // size))
        planned += [Batch(files[start : start + width], width) for start in range(0, len(files), width)]
    return planned


def run_of(entry: Entry, *settings: Any) -> str:
    """A digest of all that decides what becomes of an image: settings, its file, its mask."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for path in (entry.input, entry.mask):
        with contextlib.suppress(OSError):  # reading it will say what is wrong
            digest.update(b"" if path is None else path.read_bytes())
    return digest.hexdigest()[:16]


def is_finished(entry: Entry, run: str) -> bool:
    """Whether this very run has restored it before: the record is what is written last."""
    return read_record(entry.files.record).get("run") == run and entry.files.image.is_file()


def pipeline(
    planned: Iterable[Batch],
    read: Callable[[Batch], Read | None],
    restore: Callable[[Read], Iterable[Callable[[], str | None]]],
) -> Iterator[str]:
    """Read, restore and write the batches: the next is read and the last is written while one is restored.

    `read` gives None for a batch that has nothing to do; `restore` gives what is left to be done in another thread, image by
    image, and each of those the sentence of a failure or None. Yields the sentences. Not for jit.
    """
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(2) as writers:
        waiting: list[Future] = []
        written: list[Future] = []
        for batch in [*planned, None]:
            ahead, waiting = waiting, [] if batch is None else [reader.submit(read, batch)]
            for ready in (future.result() for future in ahead):
                if ready is not None:
                    tasks = restore(ready)
                    yield from _sentences(written)  # no more than two batches are in memory
                    written = [writers.submit(task) for task in tasks]
        yield from _sentences(written)


def _sentences(written: list[Future]) -> Iterator[str]:
    for future in written:
        said = future.result()
        if said is not None:
            yield said
