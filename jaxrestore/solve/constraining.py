"""Constraining a prior to an album: what Gen2Res does before it restores, and with which settings. Prior -> Prior."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxrestore.diffusion.prior import Prior
from jaxrestore.methods._gen2res import Gen2Res, Guidance, gen2res
from jaxrestore.solve.driver import restore
from jaxrestore.training.loop import train
from jaxrestore.training.sources import Photographs, Source
from jaxrestore.training.steps import Training


@dataclass(frozen=True)
class Constraint:
    """How a prior is constrained, and how it restores then. Of an album of photographs the first two lines are not used."""

    album: int  # images of a generative album
    guidance: Guidance
    finetuning: Training
    personal_steps: int  # of fine-tuning on an album of photographs
    noise_step: int = 200  # K, of the album and of the restoration
    steps: int | None = None  # of the sampler, from K down; None: all K


# The paper's: K, album, iterations, batch and rate; guidance as in the published code, every tenth step, none of the last.
# AdamW without decay, the rate annealed linearly to zero, no augmentation, no average: the published code.
_FINETUNING = Training(
    steps=3000, batch_size=4, learning_rate=1e-5, warmup=0, anneal="linear", clip=0.0, average=0.0, flip=False, crop=1.0
)

# For the embedded prior, which knows its flowers well: a few steps on large batches, looked at as in its own training, of the
# times that are visited alone, averaged; anything more forgets more than it learns (`docs/gen2res.md`).
_GENTLE = Training(steps=80, batch_size=16, learning_rate=1e-5, warmup=10, anneal="linear", average=0.99, times=300)
CONSTRAINTS = {
    "paper": Constraint(16, Guidance(0.3, every=10), _FINETUNING, 5000),
    "flowers64": Constraint(16, Guidance(1.0, every=3), _GENTLE, 80, noise_step=200, steps=50),
}


def constraint(preset: str | None, prior_name: str) -> Constraint:
    """The settings of a preset, or of the prior's name, or the paper's; ValueError for a preset that is not known."""
    name = preset or (prior_name if prior_name in CONSTRAINTS else "paper")
    if name not in CONSTRAINTS:
        raise ValueError(f"Unknown preset {name!r} of gen2res; known: {', '.join(CONSTRAINTS)}.")
    return CONSTRAINTS[name]


def generative_album(
    prior: Prior, y: Float[Array, "h w c"], key: Array, settings: Constraint, **driver: Any
) -> Float[Array, "n h w c"]:
    """Images like the degraded one, of better quality: guided sampling from as many keys, in one batch.

    `driver`: arguments of `restore`, such as `checkpoint`, `batch_size` and `progress`. Not for jit: a loop on the host.
    """
    method = regenerator(prior, settings, settings.guidance)
    return restore(method, y, key, restarts=settings.album, combine="mean", **driver).samples


def regenerator(prior: Prior, settings: Constraint, guidance: Guidance | None = None) -> Gen2Res:
    """The method that restores with a prior, constrained already or not: from step K, without guidance."""
    return gen2res(prior, noise_step=settings.noise_step, steps=settings.steps, guidance=guidance)


def finetune(
    prior: Prior,
    album: Source | Photographs,
    key: Array,
    settings: Training | None = None,
    *,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> Prior:
    """The prior after some steps on an album: an array ``[n, h, w, c]`` in [-1, 1], a folder or a tar of photographs.

    Any method takes it. `settings`: default those of the prior's name, or the paper's, for a personal album. `checkpoint`
    and `progress`: see `training.train`. Not for jit: a loop on the host.
    """
    chosen = constraint(None, prior.name)
    settings = settings or replace(chosen.finetuning, steps=chosen.personal_steps)
    every = max(1, settings.steps // 8)
    return train(prior, album, key, settings, checkpoint=checkpoint, report_every=every, progress=progress).prior


def constrain(
    prior: Prior,
    key: Array,
    settings: Constraint,
    *,
    y: Float[Array, "h w c"] | None = None,
    album: Source | Photographs | None = None,
    checkpoint: Path | None = None,
    progress: bool = False,
    batch_size: int | None = None,
) -> tuple[Prior, np.ndarray | None]:
    """The prior fine-tuned on an `album` of photographs; or on one generated from the degraded image y, and that one.

    Two phases, each with its own folder of checkpoints: a killed call goes on in the phase it was in. ValueError unless one
    of the two is given.
    """
    album_key, tuning_key = jax.random.split(key)
    phases = {name: None if checkpoint is None else checkpoint / name for name in ("album", "finetuning")}
    last: dict[str, Any] = {"checkpoint": phases["finetuning"], "progress": progress}
    if album is not None and y is None:
        tuning = replace(settings.finetuning, steps=settings.personal_steps)
        return finetune(prior, album, tuning_key, tuning, **last), None
    if y is None or album is not None:
        raise ValueError("Give a degraded image y or an album: one of the two.")
    driver: dict[str, Any] = {"checkpoint": phases["album"], "progress": progress, "batch_size": batch_size}
    made = np.asarray(generative_album(prior, y, album_key, settings, **driver))
    return finetune(prior, made, tuning_key, settings.finetuning, **last), made
