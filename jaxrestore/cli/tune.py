"""The command ``jaxrestore tune``: a prior's own settings, found on photographs."""

from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore._files import check_writable
from jaxrestore.cli.choices import Descent
from jaxrestore.cli.degrade import MeasurementFlags
from jaxrestore.cli.flags import File, PriorName, part
from jaxrestore.cli.tasks import Task, named_task
from jaxrestore.diffusion.places import check_own, prior_folder
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.storage import load_prior
from jaxrestore.diffusion.tuned import FILE
from jaxrestore.errors import InputError
from jaxrestore.files.folders import list_images
from jaxrestore.files.images import as_stored, read_image
from jaxrestore.methods import Method, Settings, settings_for
from jaxrestore.metrics import data_residual
from jaxrestore.operators import is_picture, selected
from jaxrestore.solve.tuning import (
    TIE,
    Example,
    Scored,
    candidates,
    chosen,
    compare,
    evaluations,
    keep_settings,
    stored_settings,
)

NAMES = ("skip", "iterations", "restarts", "noise_lr", "decay")  # what differs between candidates


@dataclass(frozen=True, kw_only=True)
class Tune(MeasurementFlags):
    """Find the settings of a method for a prior and a task: degrades photographs, restores them with candidates of equal
    cost, and writes the best into settings.json in the prior's folder, which every later restoration takes."""

    prior: PriorName
    """The prior's folder."""
    photographs: File
    """A folder of clean photographs of the prior's kind, none of which it was trained on."""
    task: str | None = None
    """What happens to them: see `jaxrestore tasks`."""
    method: Literal["bird", "shred", "diip", "invert2restore"] | None = None
    """The method. Default: the task's."""
    preset: str | None = "published"
    """The settings to start from, which are tried, too: published, prior or general."""
    count: int = 4
    """Photographs of the folder that are used, evenly chosen."""
    evaluations: int = 600
    """Network evaluations of a restoration: all candidates cost about as many."""
    out: Path | None = None
    """The file to write, or to add to, in the place of settings.json in the prior's folder."""

    def __call__(self) -> int:
        task = named_task(self.task, self)
        choice = task.choice(self.method)
        if task.says_kind or not isinstance(choice, Descent):
            raise InputError(
                f"--task {task.name} with --method {choice.name} has nothing to tune: a file's unknowns have no truth, and "
                "bird, shred, diip and invert2restore with an operator are what searches."
            )
        if self.count < 1:
            raise InputError(f"--count must be at least 1, not {self.count}.")
        path = self._file()
        prior = load_prior(self.prior)
        kind, length = task.kind_for(self, prior.shape[:2]), len(prior.schedule)
        start: Settings = settings_for(choice.settings, kind, prior, self.preset)
        if not task.estimated:  # the operator is the one that degraded, whose border is mirrored
            start = replace(start, boundary="reflect")
        tried = candidates(start, length, self.evaluations)
        files = list_images(self.photographs)
        files = files[:: -(-len(files) // self.count)]
        examples = [self._example(file, number, task, choice, prior, start) for number, file in enumerate(files)]
        print(
            f"{self.photographs}: {len(examples)} photographs, {len(tried)} candidates of {self.evaluations} evaluations"
        )
        scored = []
        for one in compare(tried, examples, jax.random.key(self.seed)):
            scored.append(one)
            print(f"{_words(one.settings)}: PSNR {one.psnr:.2f} dB, gradient deviation {one.gradient_deviation:.4f}")
        best = chosen(scored)
        keep_settings(path, choice.settings, kind, best.settings, self._about(task, len(examples), scored, length))
        print(f"{path}: {choice.name} on {kind}: {_words(best.settings)}, PSNR {best.psnr:.2f} dB")
        return 0

    def _file(self) -> Path:
        """Where the settings go; InputError now, rather than after the work, if they can't."""
        folder = prior_folder(self.prior)
        path = folder / FILE if self.out is None else self.out
        check_own(path.parent, f"copy its folder {path.parent} and tune the copy, or name a file elsewhere with --out.")
        check_writable(path)
        stored_settings(path)
        return path

    def _example(self, file: Path, number: int, task: Task, choice: Descent, prior: Prior, start: Settings) -> Example:
        """A photograph, ruined by an operator and noise of its own."""
        flags = replace(part(self, MeasurementFlags), seed=self.seed + number)
        size = prior.shape[:2]
        clean = jnp.asarray(read_image(file, size, "crop"))
        truth = task.degrade(flags, size)
        y = flags.measured(task, truth, clean)
        if is_picture(truth):  # as an 8-bit file holds it
            y = selected(truth, jnp.asarray(as_stored(y)))
        noisy = not task.blind and (flags.noise == "bird" or flags.level(task) > 0)
        sigma_y = float(data_residual(truth, clean, y)) ** 0.5 if noisy else 0.0
        operator = task.start(flags, size, start) if task.estimated else truth

        def method(settings: Settings) -> Method:
            return choice.settled(choice.constructor, settings, None).method(prior, operator, sigma_y)

        return Example(np.asarray(clean), y, method)

    def _about(self, task: Task, count: int, scored: list[Scored], length: int) -> dict[str, Any]:
        return {
            "photographs": count,
            "task": task.name,
            "noise": self.noise,
            "noise_level": None if self.noise == "bird" else self.level(task),
            "started_from": self.preset,
            "chosen_by": f"the best mean PSNR; of those within {TIE} dB of it, the least deviation of gradients",
            "candidates": [
                {
                    **{name: getattr(one.settings, name) for name in NAMES},
                    "evaluations": evaluations(one.settings, length),
                    "psnr": round(one.psnr, 3),
                    "gradient_deviation": round(one.gradient_deviation, 5),
                }
                for one in scored
                if np.isfinite(one.psnr)
            ],
            "versions": {name: version(name) for name in ("jaxrestore", "jax")},
        }


def _words(settings: Settings) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {getattr(settings, name)}" for name in NAMES)
