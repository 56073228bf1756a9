"""What `jaxrestore restore --method gen2res` does before it restores: an album, a fine-tuned prior. See `constrain`."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore.cli.degrade import sheet
from jaxrestore.cli.paths import Paths
from jaxrestore.diffusion.derived import save_derived
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.storage import load_prior, read_card
from jaxrestore.errors import InputError
from jaxrestore.files.images import check_writable, write_png
from jaxrestore.solve.constraining import Constraint, constrain, constraint
from jaxrestore.training.sources import Photographs, photographs

FLAGS = ("album", "noise_step", "finetune_steps", "save_prior")


def constraint_of(options: Any, prior: Prior) -> Constraint:
    """The preset's settings, but for the flags that were given; InputError for what can't be meant."""
    try:
        chosen = constraint(options.preset, prior.name)
    except ValueError as error:
        raise InputError(str(error)) from error
    length, steps = len(prior.schedule), options.finetune_steps
    if options.noise_step is not None:
        chosen = replace(chosen, noise_step=options.noise_step)
    if not 2 <= chosen.noise_step <= length:
        raise InputError(f"--noise-step must lie between 2 and the prior's {length}, not {chosen.noise_step}.")
    if options.iterations is not None:
        if not 2 <= options.iterations <= chosen.noise_step:
            raise InputError(f"--iterations of gen2res must lie between 2 and {chosen.noise_step}, its --noise-step.")
        chosen = replace(chosen, steps=options.iterations)
    elif chosen.steps is not None:
        chosen = replace(chosen, steps=min(chosen.steps, chosen.noise_step))
    if steps is not None:
        if steps < 0:
            raise InputError(f"--finetune-steps must be at least 0, not {steps}.")
        chosen = replace(chosen, personal_steps=steps, finetuning=replace(chosen.finetuning, steps=max(1, steps)))
    if steps == 0 and (options.album is not None or options.save_prior is not None):
        raise InputError("--finetune-steps 0 takes the prior as it is: leave --album and --save-prior out.")
    times = chosen.finetuning.times
    if times is not None:  # all that are visited
        chosen = replace(
            chosen, finetuning=replace(chosen.finetuning, times=min(length, max(times, chosen.noise_step)))
        )
    return chosen


def is_shared(options: Any) -> bool:
    """Whether all images have one prior."""
    return options.album is not None or options.finetune_steps == 0


def read_album(options: Any, entries: list[Paths], shape: tuple[int, int, int]) -> Photographs | None:
    """The photographs of --album, but for the images that are to be restored; those left out are named."""
    if options.album is None:
        return None
    found = photographs(options.album, shape)
    inputs = {entry.input.resolve() for entry in entries}
    used = [item for item in found.items if item.path.resolve() not in inputs]
    for sentence in found.left_out + ["An image that is to be restored."] * (len(used) < len(found.items)):
        print(f"jaxrestore: left out of the album: {sentence}", file=sys.stderr)
    if len(used) < 2:
        raise InputError(f"{options.album} holds {len(used)} photographs besides those to be restored: 2 are needed.")
    chosen = hashlib.sha256((found.digest + "".join(item.path.name for item in used)).encode()).hexdigest()
    return found._replace(items=used, digest=chosen)


def kept_folder(options: Any, entry: Paths | None, several: bool) -> Path | None:
    """Where --save-prior keeps the prior of an image, or with None that of all."""
    if options.save_prior is None or entry is None or not several:
        return options.save_prior
    return options.save_prior / entry.output.stem


def check_kept(options: Any, entries: list[Paths]) -> None:
    """InputError now, rather than after the work, for a folder of --save-prior that can't be made."""
    if options.save_prior is None:
        return
    for entry in [None] if is_shared(options) else entries:
        folder = kept_folder(options, entry, len(entries) > 1)
        assert folder is not None
        check_writable(folder)
        if folder.exists() and not (folder / "card.json").is_file():
            raise InputError(f"--save-prior {folder} exists already and is no prior: nothing is written over it.")
        for other in entries:
            if folder.resolve() in (other.output.resolve(), *other.output.resolve().parents):
                raise InputError(f"--save-prior {folder} would hold {other.output}: give the prior its own folder.")


def constrained_prior(
    options: Any, settings: Constraint, prior: Prior, album: Photographs | None, problem: Any, several: bool
) -> Prior:
    """The prior for one image (`job.Problem`), or with None for all; writes the album's sheet and --save-prior's folder."""
    if options.finetune_steps == 0:
        return prior
    name, y, picture = "all", None, None
    if problem is not None:
        name, y, picture = problem.entry.output.stem, jnp.asarray(problem.y), problem.entry.album
    folder = kept_folder(options, None if problem is None else problem.entry, several)
    steps = settings.finetuning.steps if album is None else settings.personal_steps
    run = _digest(prior, settings, options.seed, y, album)
    if folder is not None and folder.exists():
        if read_card(folder).get("finetuned", {}).get("run") != run:
            raise InputError(f"--save-prior {folder} exists already, of another run; a prior is never written over.")
        print(f"{folder}: kept by this command before, and taken")
        return load_prior(folder, dtype=options.dtype)
    if album is not None:
        print(f"{options.album}: fine-tuning on {len(album.items)} photographs, {steps} steps")
    else:
        print(f"{name}: an album of {settings.album} images, then {steps} steps of fine-tuning on it")
    tuned, made = constrain(
        prior,
        jax.random.fold_in(jax.random.key(options.seed), 1 << 21),  # apart from the restarts'
        settings,
        y=y,
        album=album,
        checkpoint=None if options.checkpoint is None else Path(options.checkpoint) / name,
        progress=True,
        batch_size=options.batch_size,
    )
    if made is not None and picture is not None:
        write_png(picture, sheet(made))
    if folder is not None:
        images = settings.album if album is None else len(album.items)
        about = {"album": "generated" if album is None else "photographs", "images": images, "steps": steps, "run": run}
        save_derived(tuned, folder, options.prior, **about)
        print(f"{folder}: the fine-tuned prior")
    return tuned


def _digest(prior: Prior, settings: Constraint, seed: int, y: Any, album: Photographs | None) -> str:
    """Of all that decides a fine-tuned prior, but the weights it starts from."""
    given = np.asarray(y).tobytes() if album is None else album.digest.encode()
    return hashlib.sha256(f"{prior.name}{settings}{seed}".encode() + given).hexdigest()[:16]
