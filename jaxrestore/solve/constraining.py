"""Constraining a prior to an album: what Gen2Res does before it restores, and with which settings. Prior -> Prior."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError
from jaxrestore.methods import Constraint, Gen2Res, Guidance, gen2res, settings_for
from jaxrestore.solve.driver import restore
from jaxrestore.training.loop import train
from jaxrestore.training.sources import Photographs, Source
from jaxrestore.training.steps import Training


def generative_album(
    prior: Prior, y: Float[Array, "h w c"], key: Array, settings: Constraint, **driver: Any
) -> Float[Array, "n h w c"]:
    """Images like the degraded one, of better quality: guided sampling from as many keys, in one batch.

    `driver`: arguments of `restore`, such as `checkpoint`, `batch_size` and `progress`. Not for jit: a loop on the host.
    """
    method = regenerator(prior, settings, settings.guidance)
    images = restore(replace(method, restarts=settings.album), y, key, **driver).restarts
    assert images is not None
    return images.image


def regenerator(prior: Prior, settings: Constraint, guidance: Guidance | None = None) -> Gen2Res:
    """The method that restores with a prior, constrained already or not; without guidance unless the settings are guided."""
    return gen2res(prior, settings=settings, guidance=guidance)


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

    Any method takes it. `settings`: default the prior's own, or the paper's, for a personal album. `checkpoint`
    and `progress`: see `training.train`. Not for jit: a loop on the host.
    """
    if settings is None:
        constraint: Constraint = settings_for("gen2res", "any", prior)
        settings = replace(constraint.finetuning, steps=constraint.personal_steps)
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

    Two phases, each with its own folder of checkpoints: a killed call goes on in the phase it was in. InputError unless one
    of the two is given.
    """
    album_key, tuning_key = jax.random.split(key)
    phases = {name: None if checkpoint is None else checkpoint / name for name in ("album", "finetuning")}
    last: dict[str, Any] = {"checkpoint": phases["finetuning"], "progress": progress}
    if album is not None and y is None:
        tuning = replace(settings.finetuning, steps=settings.personal_steps)
        return finetune(prior, album, tuning_key, tuning, **last), None
    if y is None or album is not None:
        raise InputError("Give a degraded image y or an album: one of the two.")
    driver: dict[str, Any] = {"checkpoint": phases["album"], "progress": progress, "batch_size": batch_size}
    images = np.asarray(generative_album(prior, y, album_key, settings, **driver))
    return finetune(prior, images, tuning_key, settings.finetuning, **last), images
