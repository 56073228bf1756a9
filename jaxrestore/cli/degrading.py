"""What ``jaxrestore degrade`` does: one photograph ruined, or those of a folder."""

import os
import sys
import zlib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxrestore._files import write_aside, write_json
from jaxrestore.cli.batches import is_finished, run_of
from jaxrestore.cli.degrade import Degrade
from jaxrestore.cli.measured import noise_level, photographed, photographed_whole
from jaxrestore.cli.paths import Entry, entries_of
from jaxrestore.cli.suited import probed_size
from jaxrestore.cli.tasks import named_task
from jaxrestore.errors import InputError
from jaxrestore.files.arrays import split_name
from jaxrestore.files.fitting import check_proportions
from jaxrestore.files.images import write_image
from jaxrestore.files.opening import open_image
from jaxrestore.operators import is_picture, kernels_of, selected


class Ruin(NamedTuple):
    """The files that are written of one photograph."""

    degraded: Path
    clean: Path
    mask: Path
    kernel: Path


def degrade(flags: Degrade) -> int:
    """One photograph; the exit code."""
    output = flags.output
    beside = (output.with_name(f"{output.stem}_{end}") for end in ("clean.png", "mask.png", "kernel.npy"))
    print(ruined(flags, Ruin(output, *beside)))
    return 0


def degrade_folder(flags: Degrade) -> int:
    """Every photograph of a folder but those that this command has degraded before; the exit code."""
    task = named_task(flags.task, flags)
    size = probed_size(task, flags) if flags.size == "own" else (flags.size, flags.size)
    noise_level(flags, task)
    masks = flags.mask is not None and flags.mask.is_dir()
    suffix = (
        ".png" if masks or is_picture(task.degrade(flags, size)) else ".npy"
    )  # flags that can't be meant: said once
    entries, failures = entries_of(flags.input, flags.output, None, flags.mask), 0
    for path in _in_folders(entries[0], flags.output):
        if path.parent.resolve() == flags.input.resolve():
            raise InputError(f"INPUT {flags.input} is read, and would be written into: give another OUTPUT.")
    decided = _decided(flags)
    for entry in entries:
        entry = entry._replace(files=entry.files._replace(image=entry.files.image.with_suffix(suffix)))
        run, files = run_of(entry, decided), _in_folders(entry, flags.output)
        if is_finished(entry, run) and files.clean.is_file():
            print(f"{files.degraded}: degraded before")
            continue
        seed = (flags.seed + zlib.crc32(os.fsencode(entry.input.name))) % 2**32
        try:
            print(ruined(replace(flags, input=entry.input, seed=seed, mask=entry.mask), files))
        except ValueError as error:
            print(f"jaxrestore: {error}", file=sys.stderr)
            failures += 1
            continue
        about = {"run": run, "input": str(entry.input.absolute()), "output": str(files.degraded), "seed": seed}
        write_json(entry.files.record, {**about, "task": task.name})  # last: what a kill leaves out is made again
    return 0 if not failures else 1 if failures < len(entries) else 2


def ruined(flags: Degrade, files: Ruin) -> str:
    """Degrade the photograph of the flags, and write the files: a line about it."""
    task = named_task(flags.task, flags)
    kernel = None if flags.kernel is None else split_name(flags.kernel)[0]
    _check_overwriting(files, flags.input, flags.mask, kernel, flags.operator)
    if flags.mask is not None:
        _check_mask(flags.mask, flags.input)
    if flags.size == "own":
        clean, y, _, operator, scene = photographed_whole(flags, task, flags.input)
    else:
        clean, y, _, operator, scene = photographed(flags, task, flags.input, (flags.size, flags.size))
    suffix = ".png" if is_picture(operator) else ".npy"
    if files.degraded.suffix.lower() != suffix:
        raise InputError(
            f"OUTPUT of {task.name} must be a {suffix} file, not {files.degraded}: nothing else would hold it."
        )
    if "--mask" in task.flags.split():
        missing = 1 - np.asarray(selected(operator, jnp.ones_like(y)))[..., 0]
        write_image(files.mask, (255 * missing).astype(np.uint8))
    kernels = [np.asarray(kernel) for kernel in kernels_of(operator)]
    if kernels:
        _write_array(files.kernel, kernels[0] if len(kernels) == 1 else np.stack(kernels))
    write_image(files.clean, clean)
    if suffix == ".npy":  # of brightness in [0, 1]
        _write_array(files.degraded, np.asarray((y + operator(jnp.ones_like(clean))) / 2))
    else:
        write_image(files.degraded, y)
    what = flags.degradation if task.blind else task.name
    cut = "" if scene is None else f", blurred at {scene[0]} x {scene[1]} and cut"
    return f"{files.degraded}: {what} of {flags.input}, {y.shape[0]} x {y.shape[1]}{cut}"


def _in_folders(entry: Entry, output: Path) -> Ruin:
    """Those of a photograph of a folder: in folders beside that of the degraded images, by the same name."""
    image, output = entry.files.image, output if output.name.strip(".") else output.resolve()
    clean, mask, kernel = (output.with_name(f"{output.name}_{what}") for what in ("clean", "mask", "kernel"))
    return Ruin(image, clean / f"{image.stem}.png", mask / f"{image.stem}.png", kernel / f"{image.stem}.npy")


def _decided(flags: Degrade) -> dict[str, Any]:
    """All but a photograph's own files that decides what becomes of it: flags, files that they name, the packages."""
    around = ("input", "output", "mask")  # the mask is one of the photograph's files
    kept = {name: str(value) for name, value in vars(flags).items() if name not in around}
    named = [flags.kernel, flags.operator]
    contents = [zlib.crc32(split_name(path)[0].read_bytes()) for path in named if path is not None]
    return {**kept, "files": contents, **{name: version(name) for name in ("jaxrestore", "jax", "pillow")}}


def _check_overwriting(files: Ruin, *read: Path | None) -> None:
    for path in read:
        if path is not None and path.resolve() in {other.resolve() for other in files}:
            raise InputError(f"{path} is read, and would be written over: give another OUTPUT.")


def _check_mask(mask: Path, photograph: Path) -> None:
    """InputError unless it is in the photograph's proportions, with which it is cut, or square, as what is cut out."""
    own, whole = ((image.height, image.width) for image in map(open_image, (mask, photograph)))
    sizes = f"{own[0]} x {own[1]} pixels and {photograph} {whole[0]} x {whole[1]}"
    if own[0] != own[1]:
        check_proportions(
            own, whole, f"The mask {mask} is {sizes}: draw it in the photograph's proportions, or square."
        )


def _write_array(path: Path, array: Any) -> None:
    def write(aside: Path) -> None:
        with aside.open("wb") as stream:  # np.save appends .npy to a name
            np.save(stream, array)

    write_aside(path, write)
