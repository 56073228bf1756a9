"""The two formats of `torch.save`: an uncompressed zip archive (since torch 1.6), and pickles followed by raw storages.

The descriptions are read, the numbers stay in the file until a tensor is asked for.
"""

import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from checkpoints_convert.files import check_kind
from checkpoints_convert.pickles import LONGEST, Interpreter, PickleError
from checkpoints_convert.tensors import ReadError, Region, one_line

MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older format
VIEWS = 4  # a file may announce so many times its size in tensors: views share storages
PIECE = 2**24


def read_torch(path: str | Path) -> Any:
    """The object in a torch file: dicts, lists, tuples, numbers, text, `Tensor`s. ReadError if it is no such file.

    Nothing in the file is executed; memory and time are bounded by a multiple of its size.
    """
    path = Path(path)
    check_kind(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(2)
        if start == b"PK":
            return _read_zip(path)
        if start == b"\x80\x02":
            return _read_legacy(path)
    except ReadError:
        raise
    except Exception as error:  # what a damaged file makes a parser raise
        raise ReadError(f"{path} can't be read: {one_line(error)}.") from error
    raise ReadError(f"{path} is not a torch file: it begins neither as a zip archive nor as a pickle.")


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        entries = _checked(archive, path)
        pickles = [name for name in entries if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ReadError(f"{path} is a zip file but not one of torch: it holds {len(pickles)} data.pkl, not one.")
        root = pickles[0].removesuffix("data.pkl")
        if f"{root}byteorder" in entries and archive.read(f"{root}byteorder") != b"little":
            raise ReadError(f"{path} was written on a big-endian machine, which is not supported.")
        if entries[pickles[0]].file_size > LONGEST:
            raise ReadError(f"{path} can't be read: its description of the tensors is longer than {LONGEST} bytes.")
        data = archive.read(pickles[0])
        offsets = {name: _data_offset(archive, entry) for name, entry in entries.items()}

    def storage(key: str, dtype: np.dtype, size: int) -> Region:
        entry = entries.get(f"{root}data/{key}")
        if entry is None:
            raise PickleError(f"storage {key[:40]!r} is missing")
        if not 0 <= size * dtype.itemsize <= entry.file_size:
            raise PickleError(f"storage {key[:40]!r} holds {entry.file_size} bytes where {size} numbers are announced")
        return Region(path, offsets[entry.filename], dtype, size)

    content, end = Interpreter(storage, VIEWS * path.stat().st_size).run(data)
    if end != len(data):
        raise PickleError("something follows its pickle")
    return content


def _checked(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The entries by name, after reading all of them once: their sizes and checksums are true, and none is compressed."""
    entries: dict[str, zipfile.ZipInfo] = {}
    end = 0
    for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
        name = entry.filename
        if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
            raise ReadError(f"{path} can't be read: it holds an entry with the path {name[:80]!r}.")
        if name in entries:
            raise ReadError(f"{path} can't be read: it holds the entry {name[:80]!r} twice.")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size or entry.flag_bits & 1:
            raise ReadError(f"{path} can't be read: its entry {name[:80]!r} is compressed, which torch never writes.")
        start = _data_offset(archive, entry)
        if entry.header_offset < end or start + entry.file_size > path.stat().st_size:
            raise ReadError(f"{path} can't be read: its entry {name[:80]!r} lies about its size.")
        end = start + entry.file_size
        with archive.open(entry) as stream:
            while stream.read(PIECE):  # raises where the checksum is wrong
                pass
        entries[name] = entry
    return entries


def _data_offset(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """Where an entry's bytes begin: after its own header, whose last part is longer than the directory says."""
    stream: Any = archive.fp
    stream.seek(entry.header_offset)
    header = stream.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise PickleError(f"the entry {entry.filename[:80]!r} has no header")
    return entry.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))


def _read_legacy(path: Path) -> Any:
    """Five pickles (magic, version, system, object, keys of the storages), then per storage its size and its numbers.

    The sizes are known only after the object: its storages are looked up when everything has been read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        data = stream.read(min(size, LONGEST))
    announced: dict[str, tuple[np.dtype, int]] = {}
    places: dict[str, int] = {}

    def storage(key: str, dtype: np.dtype, count: int) -> Region:
        if announced.setdefault(key, (dtype, count)) != (dtype, count) or not 0 <= count * dtype.itemsize <= size:
            raise PickleError(f"storage {key[:40]!r} is announced in two ways, or larger than the file")
        return Region(path, places.get(key, 0), dtype, count)

    def run(at: int) -> tuple[Any, int]:
        return Interpreter(storage, VIEWS * size).run(data, at)

    magic, at = run(0)
    version, at = run(at)
    if magic != MAGIC or version != 1001:
        raise ReadError(f"{path} is a pickle, but none that torch wrote.")
    first = run(at)[1]
    at = run(first)[1]  # which storages there are
    keys, at = run(at)
    if type(keys) is not list or any(type(key) is not str for key in keys) or sorted(keys) != sorted(announced):
        raise PickleError("its list of storages is not that of its tensors")
    with path.open("rb") as stream:
        for key in keys:
            dtype, count = announced[key]
            stream.seek(at)
            head = stream.read(8)
            if len(head) < 8 or struct.unpack("<q", head)[0] != count:
                raise PickleError(f"storage {key!r} is not as long as announced")
            places[key], at = at + 8, at + 8 + count * dtype.itemsize
    if at > size:
        raise PickleError("its last storage is cut off")
    if at != size:
        raise PickleError("something follows its storages")
    return run(first)[0]  # the object again, its storages in their places
