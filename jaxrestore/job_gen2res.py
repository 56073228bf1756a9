"""What `jaxrestore restore --method gen2res` does before it restores: an album, a fine-tuned prior. See `constrain`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore.constrain import Constraint, constrain, constraint
from jaxrestore.degrade import sheet
from jaxrestore.derived import save_derived
from jaxrestore.errors import InputError
from jaxrestore.images import write_png
from jaxrestore.prior import Prior
from jaxrestore.storage import refuse_existing
from jaxrestore.training_data import photographs

FLAGS = ("album", "noise_step", "finetune_steps", "save_prior")


def constraint_of(options: Any, prior: Prior) -> Constraint:
    """The preset's settings, but for the flags that were given; InputError for what can't be meant."""
    try:
        chosen = constraint(options.preset, prior.name)
    except ValueError as error:
        raise InputError(str(error)) from error
    length, steps = len(prior.schedule), options.finetune_steps
    if options.noise_step is not None:
        if not 2 <= options.noise_step <= length:
            raise InputError(f"--noise-step must lie between 2 and {length}, not {options.noise_step}.")
        respaced = None if chosen.steps is None else min(chosen.steps, options.noise_step)
        chosen = replace(chosen, noise_step=options.noise_step, steps=respaced)
    if options.iterations is not None:
        if not 2 <= options.iterations <= chosen.noise_step:
            raise InputError(f"--iterations of gen2res must lie between 2 and {chosen.noise_step}, its --noise-step.")
        chosen = replace(chosen, steps=options.iterations)
    if steps is not None:
        if steps < 0:
            raise InputError(f"--finetune-steps must be at least 0, not {steps}.")
        chosen = replace(chosen, personal_steps=steps, finetuning=replace(chosen.finetuning, steps=max(1, steps)))
    if steps == 0 and (options.album is not None or options.save_prior is not None):
        raise InputError("--finetune-steps 0 takes the prior as it is: leave --album and --save-prior out.")
    return chosen


def is_shared(options: Any) -> bool:
    """Whether all images have one prior."""
    return options.album is not None or options.finetune_steps == 0


def constrained_prior(options: Any, settings: Constraint, prior: Prior, problem: Any, several: bool) -> Prior:
    """The prior for one image (`job.Problem`), or with None for all; writes the album's sheet and --save-prior's folder."""
    if options.finetune_steps == 0:
        return prior
    name, y, picture = "", None, None
    if problem is not None:
        name, y, picture = problem.entry.output.stem, jnp.asarray(problem.y), problem.entry.album
    folder = (
        None if options.save_prior is None else options.save_prior / name if several and name else options.save_prior
    )
    if folder is not None:
        refuse_existing(folder)
    album: Any = None
    if options.album is not None:
        album = photographs(options.album, prior.shape)
        print(f"{options.album}: fine-tuning on {len(album.items)} photographs, {settings.personal_steps} steps")
    else:
        print(
            f"{name}: an album of {settings.album} images, then {settings.finetuning.steps} steps of fine-tuning on it"
        )
    tuned, made = constrain(
        prior,
        jax.random.fold_in(jax.random.key(options.seed), 1),
        settings,
        y=y,
        album=album,
        checkpoint=None if options.checkpoint is None else Path(options.checkpoint) / name,
        progress=True,
        batch_size=options.batch_size,
    )
    if made is not None and picture is not None:
        write_png(picture, sheet(np.asarray(made)))
    if folder is not None:
        kept = {"album": str(options.album or "generated"), "steps": settings.finetuning.steps}
        save_derived(tuned, folder, options.prior, **kept)
        print(f"{folder}: the fine-tuned prior")
    return tuned
