"""Which files a conversion reads, by their names: of a folder on this machine, or of a repository elsewhere."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from checkpoints_convert import diffusers, tfjs
from checkpoints_convert.autoencoders import PLACES, autoencoder_folder
from checkpoints_convert.schedulers import scheduler_file
from checkpoints_convert.shards import is_index, shards_of

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


def files_read(source: str | Path, use_ema: bool = False) -> dict[str, Path]:
    """The files that `convert` reads of a source that it converts, by their names within it."""
    source = Path(source)
    if not source.is_dir():
        return {file.name: file for file in _tensors(source)}
    if (source / tfjs.MODEL).is_file():
        return {path.relative_to(source).as_posix(): path for path in tfjs.files(source)}
    autoencoder = autoencoder_folder(source)
    networks = [diffusers.model_config(source, use_ema)[0], *([] if autoencoder is None else [autoencoder])]
    files = [file for network in networks for file in (network / CONFIG, *_tensors(diffusers.weights_in(network)))]
    scheduler = scheduler_file(source)
    files += [] if scheduler is None else [scheduler]
    return {Path(os.path.relpath(file, source)).as_posix(): file for file in files}


def _tensors(weights: Path) -> list[Path]:
    """A file of tensors, or an index and its shards."""
    return [weights, *sorted(set(shards_of(weights).values()))] if is_index(weights) else [weights]
