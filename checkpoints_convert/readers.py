"""Any file of tensors, by what it is: a torch file, safetensors, or an index of several."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from checkpoints_convert.files import check_kind
from checkpoints_convert.pickles import LONGEST, LONGEST_NAME
from checkpoints_convert.shards import is_index, joined, shards_of
from checkpoints_convert.tensors import ReadError, Tensor, one_line
from checkpoints_convert.torch_files import read_torch

SAFETENSORS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
               "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"}  # fmt: skip


def read(path: str | Path) -> Any:
    """The object in a file, or in the files of an index: nested dicts and lists with `Tensor`s. ReadError names the file and
    says what is wrong."""
    path = Path(path)
    if is_index(path):
        return joined(path, {file: _read_one(file) for file in sorted(set(shards_of(path).values()))})
    return _read_one(path)


def _read_one(path: Path) -> Any:
    check_kind(path)
    return read_safetensors(path) if path.suffix == ".safetensors" or _begins_as_one(path) else read_torch(path)


def _begins_as_one(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(9)
    return len(head) == 9 and head[8:] == b"{" and struct.unpack("<Q", head[:8])[0] < path.stat().st_size


def _check_header(path: Path) -> None:
    """What the library lets through: headers of many megabytes (parsed for every tensor), names twice or without end."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names) or max(map(len, names), default=0) > LONGEST_NAME:
            raise ValueError(f"its header has a name twice, or one of more than {LONGEST_NAME} characters")
        return dict(pairs)

    with path.open("rb") as stream:
        head = stream.read(8)
        if len(head) < 8 or (length := struct.unpack("<Q", head)[0]) > LONGEST:
            raise ValueError(f"it has no header, or one of more than {LONGEST} bytes")
        json.loads(stream.read(length), object_pairs_hook=unique)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, each read when it is asked for."""
    import ml_dtypes
    from safetensors import safe_open

    made = {}
    try:
        _check_header(path)
        with safe_open(str(path), framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 - it is no dict
                part = file.get_slice(name)
                kind = SAFETENSORS.get(part.get_dtype())
                if kind is None:
                    raise ReadError(f"{path} holds {name[:80]!r} as {part.get_dtype()}, which is not known.")
                dtype = np.dtype(ml_dtypes.bfloat16 if kind == "bfloat16" else kind)
                made[name] = Tensor(tuple(part.get_shape()), dtype, _reader(path, name))
    except ReadError:
        raise
    except Exception as error:  # the library's own, and what its parser lets through
        raise ReadError(f"{path} can't be read: {one_line(error)}.") from error
    return made


def _reader(path: Path, name: str):
    def read() -> np.ndarray:
        from safetensors import safe_open

        with safe_open(str(path), framework="numpy") as file:
            return file.get_tensor(name)

    return read
