"""A folder of TensorFlow.js: the graph in ``model.json``, and the tensors that its manifest describes, in shards.

The tensors of a group lie one after the other in its shards as if these were one file. Numbers may be quantised: to uint8
or uint16 with ``value = raw * scale + min``, or to float16.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from checkpoints_convert.files import check_kind
from checkpoints_convert.known import digest
from checkpoints_convert.pickles import LONGEST, LONGEST_NAME
from checkpoints_convert.shards import shard
from checkpoints_convert.tensors import ReadError, Tensor, one_line
from jaxrestore.diffusion.quantised import Quantised

MODEL = "model.json"
PLAIN = {"float32": "<f4", "int32": "<i4", "bool": "?"}
QUANTISED = {"uint8": "<u1", "uint16": "<u2", "float16": "<f2"}
LARGEST_SIDE = 2**31


class GraphModel(NamedTuple):
    """What a folder holds."""

    nodes: list[Any]  # of the graph, as JSON says them
    output: str  # the name of the node that is the result
    tensors: dict[str, Tensor]  # the graph's constants
    digest: str  # of names, shapes and ranges of quantisation: of these weights and, most probably, no others


class _Affine(NamedTuple):
    """value = raw * scale + smallest."""

    scale: float
    smallest: float


class _Entry(NamedTuple):
    """A tensor as the manifest describes it."""

    name: str
    shape: tuple[int, ...]
    stored: np.dtype
    affine: _Affine | None

    @property
    def size(self) -> int:
        """In bytes, in the shards."""
        return math.prod(self.shape) * self.stored.itemsize


def read_tfjs(folder: Path) -> GraphModel:
    """The graph model in a folder; no numbers are read. ReadError names the file and says what is wrong."""
    path = folder / MODEL
    try:
        model = _json(path)
        if model.get("format", "graph-model") != "graph-model":
            raise ValueError(f"its format is {str(model['format'])[:80]!r}, and only graph models are read")
        entries, tensors = _tensors(model["weightsManifest"], folder)
        outputs = model["signature"]["outputs"]
        if len(outputs) != 1:
            raise ValueError(f"its graph has {len(outputs)} outputs, and a network has one")
        (output,) = outputs.values()
        nodes, output = model["modelTopology"]["node"], output["name"]
        if not isinstance(nodes, list) or not isinstance(output, str):
            raise ValueError("its graph is not a list of nodes with a named output")
    except KeyError as error:
        raise ReadError(f"{path} can't be read: it lacks {str(error)[:LONGEST_NAME]}.") from error
    except (OSError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise (
            error if isinstance(error, ReadError) else ReadError(f"{path} can't be read: {one_line(error)}.")
        ) from error
    return GraphModel(nodes, output, tensors, digest({f"{e.name} {e.affine}": e.shape for e in entries}))


def files(folder: Path) -> list[Path]:
    """The files of a folder that `read_tfjs` reads: the graph, and the shards of its manifest."""
    manifest = _json(folder / MODEL)["weightsManifest"]
    return [folder / MODEL, *(shard(name, folder) for group in manifest for name in group["paths"])]


def _json(path: Path) -> dict[str, Any]:
    check_kind(path)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(made := dict(pairs)) < len(pairs):
            raise ValueError("one of its objects has a name twice")
        return made

    def no_number(text: str) -> None:
        raise ValueError(f"{text} is no number of JSON")

    if path.stat().st_size > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} bytes")
    model = json.loads(path.read_text("utf-8"), object_pairs_hook=unique, parse_constant=no_number)
    if not isinstance(model, dict):
        raise ValueError("it is no JSON object")
    return model


def _tensors(manifest: Any, folder: Path) -> tuple[list[_Entry], dict[str, Tensor]]:
    """The manifest's entries and the tensors that they describe, if the shards are exactly as long as these need."""
    entries: list[_Entry] = []
    tensors: dict[str, Tensor] = {}
    shards_of_all: set[Path] = set()
    for number, group in enumerate(_list(manifest, "the manifest")):
        paths = [shard(path, folder) for path in _list(group["paths"], "a list of shards")]
        if len(set(paths)) < len(paths) or shards_of_all & set(paths):
            raise ValueError(f"a shard of group {number} is named twice")
        shards_of_all |= set(paths)
        shards = _Shards(paths, [path.stat().st_size for path in paths])
        start = 0
        for described in _list(group["weights"], "a list of tensors"):
            entry = _entry(described)
            if entry.name in tensors:
                raise ValueError(f"it describes {entry.name!r} twice")
            entries.append(entry)
            tensors[entry.name] = shards.tensor(entry, start)
            start += entry.size
        if start != sum(shards.sizes):
            raise ValueError(
                f"the tensors of group {number} need {start} bytes, and its shards have {sum(shards.sizes)}"
            )
    return entries, tensors


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} is no list")
    return value


def _entry(described: Any) -> _Entry:
    """One tensor of the manifest. ValueError names it and says what of it can't be meant."""
    if not isinstance(described, dict) or not isinstance(name := described.get("name"), str):
        raise ValueError("it describes a tensor that has no name")
    if not 0 < len(name) <= LONGEST_NAME:
        raise ValueError(f"a tensor's name has {len(name)} characters")
    shape, dtype, how = described.get("shape"), described.get("dtype"), described.get("quantization")
    if not isinstance(shape, list) or any(type(side) is not int or not 0 <= side < LARGEST_SIDE for side in shape):
        raise ValueError(f"the shape of {name!r} is no list of whole numbers that are not negative")
    if len(shape) > 8:
        raise ValueError(f"{name!r} has {len(shape)} axes")
    if not isinstance(dtype, str) or dtype not in PLAIN:
        raise ValueError(f"{name!r} is of type {str(dtype)[:80]!r}; known: {', '.join(PLAIN)}")
    if how is None:
        return _Entry(name, tuple(shape), np.dtype(PLAIN[dtype]), None)
    if not isinstance(how, dict) or not isinstance(kind := how.get("dtype"), str) or kind not in QUANTISED:
        raise ValueError(f"the quantisation of {name!r} is not known; known: {', '.join(QUANTISED)}")
    if dtype != "float32":
        raise ValueError(f"{name!r} is quantised, but is of type {dtype}")
    affine = None if kind == "float16" else _Affine(_number(how, "scale", name), _number(how, "min", name))
    if affine is not None and affine.scale <= 0:
        raise ValueError(f"the quantisation of {name!r} has a scale of {affine.scale}, which is not positive")
    return _Entry(name, tuple(shape), np.dtype(QUANTISED[kind]), affine)


def _number(how: dict[str, Any], word: str, name: str) -> float:
    value = how.get(word)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError(f"the quantisation of {name!r} has no finite {word}")


class _Shards(NamedTuple):
    """Files as if they were one."""

    paths: Sequence[Path]
    sizes: Sequence[int]  # in bytes

    def tensor(self, entry: _Entry, start: int) -> Tensor:
        """The tensor that begins at the byte `start`."""
        dtype = entry.stored if entry.stored.kind in "ib" else np.dtype(np.float32)

        def kept() -> np.ndarray | Quantised:
            raw = self._bytes(start, entry.size).view(entry.stored).reshape(entry.shape)
            return raw if entry.affine is None else Quantised(raw, *entry.affine)

        def read() -> np.ndarray:
            numbers = kept()
            return numbers.values() if isinstance(numbers, Quantised) else numbers.astype(dtype, copy=False)

        return Tensor(entry.shape, dtype, read, kept)

    def _bytes(self, start: int, size: int) -> np.ndarray:
        """`size` bytes from `start`, wherever they lie."""
        made, filled, offset = np.empty(size, np.uint8), 0, 0
        for path, length in zip(self.paths, self.sizes, strict=True):
            first, count = max(start + filled - offset, 0), min(size - filled, offset + length - (start + filled))
            if count > 0 and first < length:
                part = np.fromfile(path, np.uint8, count, offset=first)
                if part.size != count:
                    raise ReadError(f"{path} is shorter than it was when it was opened.")
                made[filled : filled + count] = part
                filled += count
            offset += length
        return made
