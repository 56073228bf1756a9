"""Ways to restore a task, measured on flower photographs in workers: what `tasks_table.py` and `tune.py` are made of.

A worker holds whole variants: each compiles once.
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flowers
import numpy as np
import workers
from workers import Row

import jaxrestore as jr
from jaxrestore.cli.tasks import TASKS
from jaxrestore.methods.settings import Preset, values_of
from jaxrestore.metrics import estimate_sigma_y
from jaxrestore.solve.tuning import evaluations

METHODS = {
    "bird": jr.bird,
    "shred": jr.shred,
    "invert2restore": jr.invert2restore,
    "blind-diffpir": jr.blind_diffpir,
}
SAMPLERS = {"ddrm": jr.ddrm, "diffpir": jr.diffpir, "blind-dps": jr.blind_dps}  # that people would use instead
TRUE = "true"  # the deviation of y's noise, which nobody knows
NOISES = {
    "shred": "none",
    "bird": "bird",
}  # SHRED's tasks are noise-free in its paper; BIRD's carry its published noise


class Variant(NamedTuple):
    """One way to restore one task: a method with a preset, and changes to it under a label of their own."""

    task: str
    label: str
    method: str = "bird"
    preset: Preset | None = "prior"  # None: as a user has it, the prior's or else the published ones
    changes: tuple[tuple[str, Any], ...] = ()
    photographs: int = 1
    start: float | None = None  # deviation of an unknown kernel at its start, of its side; None: the library's
    given: str | None = None  # noise; None: that of the method's paper

    @property
    def key(self) -> str:
        return f"{self.task}/{self.label}" if self.given is None else f"{self.task}/{self.label}, {self.given}"

    @property
    def noise(self) -> str:
        if self.given is not None:
            return self.given
        return "white" if (self.method, self.task) == ("shred", "denoise") else NOISES.get(self.method, "bird")

    @property
    def sigma_y(self) -> str | None:
        """What is told of the noise: to a search "auto", as the command line estimates it, where a kernel is found behind it;
        to a sampler the truth."""
        if self.method in SAMPLERS:
            return TRUE
        settings = self.settings()
        counts = settings.operator_every > 0 and self.noise != "none"
        return "auto" if counts else None

    def settings(self) -> Any:
        """Those of the preset, with the changes."""
        known = jr.settings_for(self.method, self.task, flowers.prior(), self.preset)
        return dataclasses.replace(known, **dict(self.changes))

    def entries(self, images: Sequence[str]) -> list[Row]:
        """What its rows on photographs of these names are known by."""
        about = {"task": self.task, "label": self.label, "method": self.method, "noise": self.noise}
        about |= {"settings": values_of(self.settings()), "start": self.start, "sigma_y": self.sigma_y}
        about |= {"cut": flowers.is_cut(self.task) or None}  # of a scene
        return [{**about, "name": name} for name in images[: self.photographs]]

    def evaluations(self) -> int:
        """Network evaluations of one photograph."""
        return evaluations(self.settings(), len(flowers.prior().schedule))

    def cost(self) -> int:
        """The same in time: an iteration with the full gradient was measured to take five times as long."""
        return self.evaluations() * (5 if getattr(self.settings(), "gradient", "frozen") == "full" else 1)

    def told(self) -> jr.Settings:
        """What of the settings is the operator's that a restoration starts from."""
        return TASKS[self.task].choice(self.method).settled_with(self.settings()).operator_settings


def widened(operator: Any, start: float) -> jr.Blur:
    """A blur of an unknown kernel with another deviation at its start, as a share of its side."""
    size = operator.kernel().shape[0]
    width = start * size
    if isinstance(operator.kernel, jr.GaussianKernel):
        return jr.Blur(jr.GaussianKernel(size, (1.1 * width, 0.9 * width), np.pi / 8, unknown=True), operator.boundary)
    return jr.Blur(jr.SoftmaxKernel(size, width), operator.boundary)


def measure(variant: Variant, images: dict[str, flowers.Photograph], out: Path, worker: int) -> None:
    """Restore the first photographs by a variant, but those of which `out` holds a row already."""
    import jax

    from jaxrestore.files.images import write_image

    settings = variant.settings()
    for entry in workers.unmeasured(variant.entries(list(images)), out):
        problem = flowers.problem(variant.task, variant.noise, entry["name"], images[entry["name"]], out / "given")
        name, clean = entry["name"], problem.clean
        operator = flowers.start(problem, variant.told())
        operator = operator if variant.start is None else widened(operator, variant.start)
        unknown = jr.operators.is_blind(operator)
        sigma_y = 0.0 if variant.sigma_y is None else estimate_sigma_y(problem.y)
        sigma_y = problem.sigma_y if variant.sigma_y == TRUE else sigma_y
        method = (METHODS | SAMPLERS)[variant.method](flowers.prior(), operator, settings=settings, sigma_y=sigma_y)
        began = time.process_time()  # of the one core that a worker holds, whoever else wants it
        # as the command line does: what was measured without noise is put back
        keep = variant.noise == "none"
        result = jr.restore(method, problem.y, jax.random.key(0), keep_known=keep, devices="all")
        assert result.restarts is not None
        seconds = time.process_time() - began
        restored, each = np.asarray(result.image), result.restarts.image
        each = np.asarray([jr.put_back(operator, one, problem.y) if keep else one for one in each])
        given = flowers.scores(problem, flowers.shown(problem), clean)
        row = {**entry, "input": given["psnr"], "gmsd of the input": given["gmsd"]}
        row |= flowers.scores(problem, restored, clean)
        row |= {"restarts": [flowers.scores(problem, one, clean)["psnr"] for one in each]}
        if unknown and jr.operators.kernels_of(operator):
            row |= similarities(problem.truth, operator, result.operator)
        row |= {"data_term": float(result.data_term), "seconds": seconds, "result": result.message}
        row |= {"evaluations": variant.evaluations()}
        if getattr(settings, "stop", ()):
            row["spent"] = int(result.restarts.iterations.sum()) * method.evaluations  # of those at most
        write_image(out / "images" / variant.key / f"{name.replace('/', '_')}.png", restored)
        workers.append(out / f"results-{worker}.jsonl", row)


def spent(row: Row) -> float:
    """Network evaluations of a photograph, in the mean: where a rule ends searches, fewer than at most."""
    return float(np.mean(row.get("spent", row["evaluations"])))


def similarities(truth: Any, start: Any, estimate: Any) -> dict[str, float]:
    """Of the kernels with the true ones, at the start and as found: their largest normalised cross-correlation."""
    from jaxrestore.metrics import kernel_similarity

    true, first, last = map(jr.operators.kernels_of, (truth, start, estimate))
    return {
        name: float(np.mean([kernel_similarity(a, b) for a, b in zip(kernels, true, strict=True)]))
        for name, kernels in (("kernel_start", first), ("kernel_found", last))
    }


def shares(variants: Sequence[Variant], count: int) -> list[list[Variant]]:
    """The variants dealt to workers, the dearest first to whoever has least."""
    loads, dealt = [0] * count, [[] for _ in range(count)]
    for variant in sorted(variants, key=lambda variant: -variant.cost() * variant.photographs):
        least = loads.index(min(loads))
        loads[least] += variant.cost() * variant.photographs
        dealt[least].append(variant)
    return dealt


def results(variants: Sequence[Variant], images: dict[str, flowers.Photograph], out: Path, count: int) -> list[Row]:
    """The rows of all variants in their order, measured in `count` workers."""

    def work(index: int) -> None:
        workers.keep_programs(out)
        for variant in shares(variants, count)[index]:
            measure(variant, images, out, index)

    workers.in_workers(work, out, count)
    return workers.complete([entry for variant in variants for entry in variant.entries(list(images))], out)
