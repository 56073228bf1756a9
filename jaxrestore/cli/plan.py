"""From flags to a plan: everything that decides what becomes of an image, said once and with its types.

Nobody asks a flag again afterwards. What can't be meant is an InputError here, before anything is computed.
"""

import contextlib
import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore import metrics
from jaxrestore._ranges import check_ranges
from jaxrestore.cli.flags import AlbumFlags, MethodFlags, OperatorFlags, RestorationFlags, RunFlags, as_flag, part
from jaxrestore.cli.settled import Settled
from jaxrestore.cli.suited import probed_size, suited_prior, with_operator
from jaxrestore.cli.tasks import Task, restored_task
from jaxrestore.diffusion.places import prior_folder
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.sizes import takes_any_size
from jaxrestore.diffusion.storage import load_prior
from jaxrestore.errors import InputError, InputWarning
from jaxrestore.files.arrays import split_name
from jaxrestore.files.fitting import Fit
from jaxrestore.operators import Operator, selected, sigma_of
from jaxrestore.runtime.devices import mesh_of
from jaxrestore.solve.record import Record

Sigma = float | Literal["auto"]


@dataclass(frozen=True)
class Plan:
    """How images are restored."""

    task: Task
    operator: OperatorFlags  # what is told of the operator
    method: Settled
    prior: Prior
    prior_name: str  # under which it was found: an embedded one's, or a folder
    sigma: Sigma  # of the camera's noise, in units of [-1, 1]
    keep_known: bool | None  # None: where there is no noise
    uncertainty: bool
    fit: Fit
    seed: int
    run: RunFlags
    checkpoint: Path | None
    album: AlbumFlags
    options: Record  # as the record has them

    @property
    def own_sizes(self) -> bool:
        """Whether each image is restored at its own size, whole."""
        return self.fit in ("exact", "tile") and takes_any_size(self.prior)

    @property
    def reads_quality(self) -> bool:
        """Whether a codec's quality is what the file says."""
        return self.operator.quality is None and "--quality" in self.task.flags.split()

    def sigma_y(self, operator: Operator, y: Array) -> float | Array:
        """The rms noise of a batch of measurements, told of each channel or estimated from the first; of grey ones as much as
        white noise would have to have (`metrics.grey_factor`)."""
        if self.sigma != "auto":
            return sigma_of(operator, self.sigma * metrics.grey_factor(y[0]), y[0])
        level = metrics.estimate_sigma_y(y[0], selected(operator, jnp.ones_like(y[0])))
        if not bool(jnp.isfinite(level)):
            raise InputError("--noise-level auto finds no 2 x 2 pixels that are all known: give a number.")
        return sigma_of(operator, level, y[0])

    def digest(self, album: str) -> Record:
        """All but an image's own files that decides what becomes of it: flags, files that they name, the prior, an album,
        the packages."""
        kept = {name: value for name, value in self.options.items() if name not in AROUND}
        named = [self.operator.kernel, self.operator.operator]
        digest = hashlib.sha256(album.encode())
        for path in [
            *(split_name(path)[0] for path in named if path is not None),
            *sorted(prior_folder(self.prior_name).glob("*.json")),
        ]:
            with contextlib.suppress(OSError):  # using it will say what is wrong
                digest.update(path.read_bytes())
        versions = {name: version(name) for name in ("jaxrestore", "jax")}
        return {**kept, **versions, "files": digest.hexdigest(), "device": jax.devices()[0].device_kind}


# Flags that decide where and when an image is restored, and not what becomes of it.
AROUND = ("input", "output", "devices", "coordinator", "hosts", "host_id", "redo", "quiet", "checkpoint")


def restoration_plan(flags: RestorationFlags, inputs: Iterable[Path] = ()) -> Plan:
    """What flags and prior say, where none is named the one that suits the images; InputError for what can't be meant."""
    operator, method, album = part(flags, OperatorFlags), part(flags, MethodFlags), part(flags, AlbumFlags)
    task = with_operator(restored_task(flags.task, operator), operator)
    check_ranges(flags, as_flag)
    hint_at_grey_levels(flags.noise_level)
    if flags.noise_level == "auto" and task.sparse:
        raise InputError("--noise-level auto can't tell noise from detail in so sparse a measurement: give a number.")
    task.check(operator)
    if flags.devices != 1:
        mesh_of(flags.devices)
    name = flags.prior or suited_prior(task, flags.method, operator, inputs)
    prior = load_prior(name, dtype=flags.dtype)
    choice = task.choice(flags.method, takes_any_size(prior))
    choice.check(method, album)
    size = probed_size(task, operator) if takes_any_size(prior) else prior.shape[:2]
    settled = choice.settle(method, album, prior, task.kind_for(operator, size))
    if flags.uncertainty and settled.restarts < 2:
        raise InputError("--uncertainty is the spread over restarts: give --restarts 2 or more.")
    level = _noise_level(task, method, settled)
    named: Record = {"task": task.name, "prior": name, "method": choice.name, "noise_level": level}
    return Plan(
        task=task,
        operator=operator,
        method=settled,
        prior=prior,
        prior_name=name,
        sigma="auto" if level == "auto" else grey_levels(level),
        keep_known=flags.keep_known,
        uncertainty=flags.uncertainty,
        fit=flags.fit,
        seed=flags.seed,
        run=part(flags, RunFlags),
        checkpoint=flags.checkpoint,
        album=album,
        options={name: str(value) if isinstance(value, Path) else value for name, value in vars(flags).items()} | named,
    )


def grey_levels(level: float) -> float:
    """So many grey levels of 255, in units of [-1, 1]: what the library calls sigma_y of noise on an image.

    >>> grey_levels(51.0)
    0.4
    """
    return 2 * level / 255


def hint_at_grey_levels(level: Any) -> None:
    """InputWarning for a --noise-level that looks as if 1 were white."""
    if isinstance(level, float | int) and 0 < level < 1:
        sentence = f"--noise-level {level:g} is less than one grey level of 255: if white is 1, give {255 * level:g}."
        warnings.warn(sentence, InputWarning, stacklevel=3)


def _noise_level(task: Task, flags: MethodFlags, settled: Settled) -> Sigma:
    """In grey levels. Where nothing is told of a degraded image itself, none of several answers can be called the best
    without it: it is estimated there. Of an image that is blurred and nothing else, too, where the method counts on it: noise
    that it isn't told grows louder."""
    itself = task.name == "denoise" or task.blind or settled.operator_settings.identity
    level, by_distance = flags.noise_level, flags.discrepancy > 0
    if by_distance and (level == 0 or (level is None and not itself)):
        raise InputError("--discrepancy needs --noise-level: it stops where the data term reaches it.")
    if level is not None:
        return level
    decides = by_distance or settled.noise_aware or (settled.combine == "best" and settled.restarts > 1)
    blurred = task.name.endswith("deblur") and not task.sparse
    return "auto" if (itself and decides) or (blurred and settled.noise_aware) else 0.0
