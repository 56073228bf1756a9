"""Tensors that are spread over several files, and the index that says which file holds which."""

import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from checkpoints_convert.files import read_json
from checkpoints_convert.pickles import LONGEST_NAME
from checkpoints_convert.tensors import ReadError, Tensor

INDEX = re.compile(
    r"\.(safetensors|bin)\.index(\.\w+)?\.json$"
)  # "model.safetensors.index.json", of a variant ".fp16" in it


def is_index(path: Path) -> bool:
    """Whether a file's name is that of an index.

    >>> is_index(Path("diffusion_pytorch_model.safetensors.index.fp16.json"))
    True
    """
    return INDEX.search(path.name) is not None


def shard(name: Any, folder: Path) -> Path:
    """The file of a shard. ValueError unless it lies in the folder."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise ValueError(f"a shard's name must be text, not {str(name)[:80]!r}")
    parts = PureWindowsPath(name)  # knows both kinds of separators
    if parts.anchor or ".." in parts.parts or PurePosixPath(name).is_absolute():
        raise ValueError(f"the shard {name!r} does not lie in its folder")
    path = folder / name
    if not path.is_file():
        raise ValueError(f"the shard {name!r} is missing")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"the shard {name!r} is a link that leads out of its folder")
    return path


def shards_of(index: Path) -> dict[str, Path]:
    """The file of each tensor by an index ``{"weight_map": {tensor: file}}``. ReadError where it is none, or names a file
    that isn't there."""
    files = read_json(index).get("weight_map")
    if not isinstance(files, dict) or not files:
        raise ReadError(f"{index} can't be read: it has no weight_map from tensors to files.")
    try:
        places = {name: shard(name, index.parent) for name in sorted(set(map(str, files.values())))}
    except ValueError as error:
        raise ReadError(f"{index} can't be read: {error}.") from error
    return {tensor: places[str(name)] for tensor, name in files.items()}


def joined(index: Path, contents: dict[Path, Any]) -> dict[str, Tensor]:
    """The tensors of an index's shards, whose contents were read. ReadError unless each shard holds those that the index says
    it does, and no others."""
    files = shards_of(index)
    tensors: dict[str, Tensor] = {}
    for path, content in contents.items():
        wanted = {tensor for tensor, file in files.items() if file == path}
        found = set(content) if isinstance(content, dict) else set()
        if wanted != found:
            odd = str(min(wanted ^ found, key=str))[:80] if found else "none at all"
            raise ReadError(f"{path} does not hold the tensors that {index.name} says it does: see {odd!r}.")
        tensors |= content
    return tensors
