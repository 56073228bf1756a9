"""How much the compressed parts of a file of arrays hold, before any of it is read as arrays."""

import struct
import zipfile
import zlib
from pathlib import Path

from jaxrestore.errors import InputError

LARGEST = 2**30  # bytes: far beyond any kernel, mask or image that a file is read for
PIECE = 2**20
COMPRESSED = 15  # a MATLAB element's type


def check_expanded(file: Path) -> None:
    """InputError for an .npz or .mat whose parts would fill more than `LARGEST` bytes. Others are as large as they are."""
    if file.suffix.lower() == ".npz" and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            size = sum(info.file_size for info in archive.infolist())
    elif file.suffix.lower() == ".mat":
        size = _of_matlab(file.read_bytes())
    else:
        return
    if size > LARGEST:
        raise InputError(
            f"{file} would fill more than {LARGEST >> 20} MiB when it is unpacked: save what is needed alone."
        )


def _of_matlab(data: bytes) -> int:
    """Of a file of version 5 to 7: elements of type and size, some of them compressed. It is given up beyond `LARGEST`."""
    order, place, total = ("<" if data[126:128] == b"IM" else ">"), 128, 0
    while data.startswith(b"MATLAB") and place + 8 <= len(data) and total <= LARGEST:
        kind, size = struct.unpack(f"{order}II", data[place : place + 8])
        if kind == COMPRESSED:
            unpacked, rest = zlib.decompressobj(), data[place + 8 : place + 8 + size]
            while rest and not unpacked.eof and total <= LARGEST:
                total += len(unpacked.decompress(rest, PIECE))
                rest = unpacked.unconsumed_tail
        place += 8 + size
    return total
