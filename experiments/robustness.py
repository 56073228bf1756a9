"""What the answer depends on: starting noise, a wrong kernel, steps, rates, iterations; and where the stopping rules stop.

    python experiments/robustness.py --data eval.tar

On eight photographs of the test half (`--count`), with PSNR after every iteration; half an hour on two cores; resumes.
Writes `docs/robustness.md` and its figure (`robustness_report.py`). Kernel widths are BIRD's at 256 pixels, scaled to 64. To
expect: a spread over starting noises below 1 dB, and a known kernel that costs more the wronger it is.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import flowers
import numpy as np
import workers
from kept_rows import keep
from report import write
from robustness_report import parts, write_figure
from variants import METHODS
from workers import Row

TRUE_WIDTH, WIDTHS = 8.5 / 4, (1.25, 1.625, 2.0, 2.125, 2.5, 2.875)  # BIRD, Fig. 10: 8.5 is true and 8 assumed, at 256
RATES, SKIPS, KERNEL = (0.003, 0.01, 0.03, 0.1), (50, 100, 200), 15


class Run(NamedTuple):
    """One curve a photograph, or one a starting noise."""

    group: str
    label: str
    task: str
    changes: dict[str, Any]  # to the prior's own settings
    method: str = "bird"
    noise: str = "bird"
    width: float | None = None  # of the isotropic kernel that the restoration believes in; 0: it estimates one
    keys: int = 1

    def settings(self, prior: Any) -> Any:
        import jaxrestore as jr

        return dataclasses.replace(jr.settings_for(self.method, self.task, prior), **self.changes)

    def entry(self, prior: Any, name: str) -> Row:
        """What its row on a photograph of that name is known by."""
        from jaxrestore.methods.settings import values_of

        about = {**self._asdict(), "settings": values_of(self.settings(prior)), "cut": self.is_cut()}
        return {**about, "true width": TRUE_WIDTH, "name": name}

    def is_cut(self) -> bool:
        """Whether there is a blur, which is cut from a larger scene."""
        return self.noise != "clean" and flowers.is_cut(self.task)


CONSTANT = {"decay": "constant", "iterations": 120}
RUNS = [
    Run("starting noises", "H = identity, clean photograph", "denoise", {}, noise="clean", keys=10),
    *(Run("kernel width", str(width), "deblur", {}, width=width) for width in WIDTHS),
    Run("kernel width", "estimated", "blind-deblur", {}, width=0.0),
    *(Run("skip", str(skip), "inpaint", {"skip": skip}, "shred", "none") for skip in SKIPS),
    *(Run("rate", str(rate), "super-resolution", CONSTANT | {"noise_lr": rate}, "shred", "none") for rate in RATES),
    *(Run("stopping", task, task, CONSTANT | {"noise_lr": 0.03}) for task in ("denoise", "motion-deblur", "inpaint")),
]


def posed(run: Run, prior: Any, name: str, photograph: flowers.Photograph, folder: Path) -> tuple[Any, Any, Any, float]:
    """(operator to restore with, measurement, what was measured, rms of its noise) of one photograph."""
    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore.files.images import as_stored
    from jaxrestore.operators import middle

    clean = jnp.asarray(photograph.image)
    if run.noise == "clean":
        return jr.Identity(), clean, clean, 0.0
    if run.width is not None:
        gaussian, size = partial(jr.GaussianKernel, KERNEL), (flowers.SIZE, flowers.SIZE)
        truth = jr.Blur(gaussian((TRUE_WIDTH, TRUE_WIDTH))())
        scene, key = jnp.asarray(photograph.scene), jax.random.key(2)
        y = jnp.asarray(as_stored(np.asarray(jr.measure(truth, scene, key, noise="bird", size=size))))
        kernel = gaussian((run.width, run.width))() if run.width else gaussian(unknown=True)
        return jr.Blur(kernel), y, middle(scene, size), 0.0
    problem = flowers.problem(run.task, run.noise, name, photograph, folder)
    return flowers.start(problem, run.settings(prior)), problem.y, problem.clean, problem.sigma_y


def curves(run: Run, method: Any, y: Any, image: Any) -> dict[str, Any]:
    """PSNR after every iteration ``[keys, iterations]``, and the iteration at which each rule would stop ``[keys]``."""
    import jax
    import jax.numpy as jnp

    from jaxrestore import metrics
    from jaxrestore.stopping import Seen, discrepancy, flat_variance, plateau

    rules = {"discrepancy": discrepancy(1.0), "plateau": plateau(0.01), "flat variance": flat_variance(10)}
    blind, truth = run.width is not None, jnp.asarray(image)  # one way to score a group

    def curve(method: Any, key: Any) -> Any:
        def advance(carry: Any, number: Any) -> Any:
            state, memories = carry
            state, iterate = method.step(state, y)
            seen = Seen(number, iterate.image, iterate.data_term, method.sigma_y)
            looked = {name: rule.look(memories[name], seen) for name, rule in rules.items()}
            pair = metrics.registered(iterate.image, truth) if blind else (iterate.image, truth)
            fired = {name: status != 0 for name, (_, status) in looked.items()}
            return (state, {name: memory for name, (memory, _) in looked.items()}), (metrics.psnr(*pair), fired)

        memories = {name: rule.start(image.shape) for name, rule in rules.items()}
        numbers = jnp.arange(1, method.iterations + 1)
        return jax.lax.scan(advance, (method.init(y, key), memories), numbers)[1]

    many: Callable = jax.jit(jax.vmap(curve, in_axes=(None, 0)))
    psnrs, fired = many(method, jax.random.split(jax.random.key(0), run.keys))
    stopped = {name: np.asarray(fires) for name, fires in fired.items()}
    return {"curve": np.round(np.asarray(psnrs), 3).tolist()} | {
        name: np.where(fires.any(axis=1), fires.argmax(axis=1) + 1, fires.shape[1]).tolist()
        for name, fires in stopped.items()
    }


def measure(runs: list[Run], images: dict[str, flowers.Photograph], prior: Any, out: Path, worker: int) -> None:
    """All runs on all photographs, but what `out` holds already."""
    workers.keep_programs(out)
    for run in runs:
        for entry in workers.unmeasured([run.entry(prior, name) for name in images], out):
            operator, y, clean, sigma_y = posed(run, prior, entry["name"], images[entry["name"]], out / "given")
            method = METHODS[run.method](prior, operator, settings=run.settings(prior), sigma_y=sigma_y)
            workers.append(out / f"results-{worker}.jsonl", {**entry, **curves(run, method, y, clean)})


def main() -> None:
    parser = workers.parser(__doc__, "out/robustness")
    parser.add_argument("--count", type=int, default=8, help="photographs")
    options = parser.parse_args()
    images, prior = flowers.with_scenes(options.data, "test", options.count), flowers.prior()

    def work(index: int) -> None:
        measure(RUNS[index :: options.workers], images, prior, options.out, index)

    workers.in_workers(work, options.out, options.workers)
    rows = workers.complete([run.entry(prior, name) for run in RUNS for name in images], options.out)
    keep("robustness", rows)
    write(options.docs.parent, parts())
    write_figure(rows, options.docs / "robustness.png")


if __name__ == "__main__":
    main()
