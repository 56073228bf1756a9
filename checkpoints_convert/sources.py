"""Which files a conversion reads, by their names: of a folder on this machine, or of a repository elsewhere."""

import re
from collections.abc import Iterable
from pathlib import Path

from checkpoints_convert import tfjs
from checkpoints_convert.autoencoders import PLACES

CONFIG = "config.json"
BESIDE = "../scheduler/scheduler_config.json"  # of the pipeline around a `unet/`
SCHEDULERS = ("scheduler/scheduler_config.json", "scheduler_config.json", BESIDE)  # the first that is there
WEIGHTS = re.compile(
    r"diffusion_pytorch_model(\.(?:fp16|bf16))?(-\d{5}-of-\d{5})?\.(safetensors|bin)(\.index(?:\.(?:fp16|bf16))?\.json)?"
)


def needed(names: Iterable[str]) -> list[str]:
    """Of the names of a diffusers folder's files, those that its conversion reads: configs first, then of each network one
    set of weights, safetensors before torch's files, full precision before half, one file before many. None where there is no
    config of a network.

    >>> needed(["README.md", "unet/config.json", "unet/diffusion_pytorch_model.bin", "scheduler/scheduler_config.json"])
    ['unet/config.json', 'scheduler/scheduler_config.json', 'unet/diffusion_pytorch_model.bin']
    """
    there = set(names)
    network = "unet/" if f"unet/{CONFIG}" in there else ""
    if f"{network}{CONFIG}" not in there:
        return []
    folders = [network, *(f"{place}/" for place in PLACES if f"{place}/{CONFIG}" in there)]
    weights = [
        f"{folder}{name}"
        for folder in folders
        for name in _weights([name.removeprefix(folder) for name in there if name.startswith(folder)])
    ]
    scheduler = [name for name in SCHEDULERS if name in there]
    return [*(f"{folder}{CONFIG}" for folder in folders), *scheduler[:1], *weights]


def _weights(names: Iterable[str]) -> list[str]:
    """The best set among the names of a network's files: a file, or an index with its shards."""
    sets: dict[tuple, list[str]] = {}
    for name in names:
        if match := WEIGHTS.fullmatch(name):
            variant, shard, kind, index = match.groups()
            variant = variant or (index or "").removeprefix(".index").removesuffix(".json")
            sets.setdefault((kind != "safetensors", variant, bool(shard or index)), []).append(name)
    return sorted(sets[min(sets)]) if sets else []


def files_read(source: str | Path) -> dict[str, Path]:
    """The files that `convert` reads of a source that it converts, by their names within it."""
    source = Path(source)
    if not source.is_dir():
        return {source.name: source}
    if (source / tfjs.MODEL).is_file():
        return {path.relative_to(source).as_posix(): path for path in tfjs.files(source)}
    folders = [source, *(source / name for name in ("unet", *PLACES, "scheduler"))]
    paths = [path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()]
    names = {path.relative_to(source).as_posix(): path for path in paths}
    if source.name == "unet" and (source / BESIDE).is_file():
        names[BESIDE] = source / BESIDE
    return {name: names[name] for name in needed(names)}
