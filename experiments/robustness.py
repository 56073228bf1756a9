"""What the answer depends on: starting noise, a wrong kernel, steps, rates, iterations; and where the stopping rules stop.

    python experiments/robustness.py --data eval.tar

On two photographs of the test half (`--count`), with PSNR after every iteration; about 20 minutes on two cores; resumes.
Writes `docs/robustness.md` and its figure. Kernel widths are BIRD's at 256 pixels, scaled to 64. To expect: a spread over
starting noises far below 1 dB, and a known kernel that costs more the wronger it is.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import flowers
import numpy as np
import workers
from report import table

TRUE_WIDTH, WIDTHS = 8.5 / 4, (1.25, 1.625, 2.0, 2.125, 2.5, 2.875)  # BIRD, Fig. 10: 8.5 is true and 8 assumed, at 256
RATES, ITERATIONS, SKIPS = (0.003, 0.01, 0.03, 0.1), (20, 40, 60, 80, 120), (50, 100, 200)
RULES = ("discrepancy", "slope", "variance")


class Run(NamedTuple):
    """One curve a photograph, or one a starting noise."""

    group: str
    label: str
    task: str
    changes: dict[str, Any]
    method: str = "bird"
    noise: str = "bird"
    width: float | None = None  # of the isotropic kernel that the restoration believes in; 0: it estimates one
    keys: int = 1


CONSTANT = {"decay": "constant", "iterations": 120}
RUNS = [
    Run("starting noises", "H = identity, clean photograph", "denoise", {}, noise="clean", keys=10),
    *(Run("kernel width", str(width), "deblur", {}, width=width) for width in WIDTHS),
    Run("kernel width", "estimated", "blind-deblur", {}, width=0.0),
    *(Run("skip", str(skip), "inpaint", {"skip": skip}, "shred", "none") for skip in SKIPS),
    *(Run("rate", str(rate), "super-resolution", CONSTANT | {"noise_lr": rate}, "shred", "none") for rate in RATES),
    *(Run("stopping", task, task, CONSTANT | {"noise_lr": 0.03}) for task in ("denoise", "motion-deblur", "inpaint")),
]


def posed(run: Run, name: str, image: np.ndarray, folder: Path) -> tuple[Any, Any, float]:
    """(operator to restore with, measurement, rms of its noise) of one photograph."""
    import jax
    import jax.numpy as jnp

    from jaxrestore import operators as ops
    from jaxrestore.cli.degrade import simulate
    from jaxrestore.cli.tasks import TaskOptions, task_operator
    from jaxrestore.files.images import as_stored
    from jaxrestore.methods.settings import preset

    if run.noise == "clean":
        return ops.Identity(), jnp.asarray(image), 0.0
    if run.width is not None:
        truth = ops.Blur.create(ops.GaussianKernel.create(15, (TRUE_WIDTH, TRUE_WIDTH))())
        y = jnp.asarray(as_stored(np.asarray(simulate(jax.random.key(2), jnp.asarray(image), truth, 0.0, "bird"))))
        if run.width == 0:
            settings = preset(run.method, run.task, "flowers64")
            return task_operator(run.task, image.shape[:2], settings, TaskOptions(kernel_size=15)), y, 0.0
        return ops.Blur.create(ops.GaussianKernel.create(15, (run.width, run.width))()), y, 0.0
    given = flowers.problem(run.task, run.noise, name, image, folder)
    operator = task_operator(run.task, image.shape[:2], preset(run.method, run.task, "flowers64"), given.given)
    return operator, given.y, float(jnp.sqrt(jnp.mean((given.truth(jnp.asarray(image)) - given.y) ** 2)))


def curves(run: Run, operator: Any, y: Any, level: float, image: np.ndarray, prior: Any) -> dict[str, Any]:
    """PSNR after every iteration ``[keys, iterations]``, and the iteration at which each rule would stop ``[keys]``."""
    import jax
    import jax.numpy as jnp

    from jaxrestore import Stop
    from jaxrestore.methods import METHODS
    from jaxrestore import metrics
    from jaxrestore.solve.stopping import look, start_watch

    rules = {"discrepancy": Stop(discrepancy=1.0), "slope": Stop(slope=0.01), "variance": Stop(window=10)}
    method = METHODS[run.method](prior, operator, task=run.task, noise_level=level, **run.changes)
    blind, truth = run.width is not None, jnp.asarray(image)  # one way to score a group

    def curve(method: Any, key: Any) -> Any:
        def iterate(carry: Any, number: Any) -> Any:
            state, watches = carry
            state, found = method.step(state, y)
            arguments = (number, found.image, found.data_term, method.noise_level)
            seen = {rule: look(stop, watches[rule], *arguments) for rule, stop in rules.items()}
            pair = metrics.registered(found.image, truth) if blind else (found.image, truth)
            fired = {rule: status != 0 for rule, (_, status) in seen.items()}
            return (state, {rule: watch for rule, (watch, _) in seen.items()}), (metrics.psnr(*pair), fired)

        watches = {rule: start_watch(stop, image.shape) for rule, stop in rules.items()}
        numbers = jnp.arange(1, method.iterations + 1)
        return jax.lax.scan(iterate, (method.init(key, y), watches), numbers)[1]

    many: Callable = jax.jit(jax.vmap(curve, in_axes=(None, 0)))
    psnrs, fired = many(method, jax.random.split(jax.random.key(0), run.keys))
    found: dict[str, Any] = {"curve": np.round(np.asarray(psnrs), 3).tolist()}
    for rule in RULES:
        stopped = np.asarray(fired[rule])
        found[rule] = np.where(stopped.any(axis=1), stopped.argmax(axis=1) + 1, stopped.shape[1]).tolist()
    return found


def about(run: Run) -> str:
    from jaxrestore import preset

    return f"{run} {preset(run.method, run.task, 'flowers64')}"


def measure(runs: list[Run], images: dict[str, np.ndarray], out: Path, worker: int) -> None:
    """All runs on all photographs, skipping what `out` already holds."""
    import jax

    import jaxrestore as jr

    jax.config.update("jax_compilation_cache_dir", str((out / "cache").absolute()))
    prior, done = jr.load_prior("flowers64"), {(row["about"], row["name"]) for row in workers.read_rows(out)}
    for run in runs:
        for name, image in images.items():
            if (about(run), name) not in done:
                operator, y, level = posed(run, name, image, out / "given")
                row = {"about": about(run), "group": run.group, "label": run.label, "name": name}
                row |= curves(run, operator, y, level, image, prior)
                workers.append(out / f"results-{worker}.jsonl", row)


def report(rows: list[dict], count: int) -> list[str]:
    """Markdown, from the results alone."""

    def group(name: str) -> dict[str, np.ndarray]:
        """Curves ``[photographs, keys, iterations]`` by label."""
        here = [row for row in rows if row["group"] == name]
        labels = dict.fromkeys(row["label"] for row in here)
        return {label: np.array([row["curve"] for row in here if row["label"] == label]) for label in labels}

    def final(name: str) -> list[list[str]]:
        return [[label, f"{curve[:, :, -1].mean():.2f}"] for label, curve in group(name).items()]

    lines = ["# What the answer depends on", ""]
    lines += [f"Photographs of the test half: {count}; made by `experiments/robustness.py`, not by hand."]
    lines += ["", "## Starting noises (SHRED, Fig. 2)", "", "H = identity on clean photographs, BIRD as tuned."]
    last = group("starting noises")[RUNS[0].label][:, :, -1]
    cells = [[str(i + 1), f"{values.mean():.2f}", f"{values.std():.2f}"] for i, values in enumerate(last)]
    lines += table(["photograph", f"PSNR, mean of {last.shape[1]} noises", "standard deviation"], cells)
    lines += ["", "## A wrong kernel (BIRD, Fig. 10)", ""]
    lines += [f"The true kernel is an isotropic Gaussian of {TRUE_WIDTH} pixels; BIRD's noise, BIRD as tuned."]
    lines += table(["width assumed", "PSNR"], final("kernel width"))
    text = "A missing box without noise, SHRED as tuned; 1000 / skip evaluations."
    lines += ["", "## Steps (SHRED, Table 4)", "", text]
    lines += table(["skip", "PSNR"], final("skip"))
    text = "8x reduction without noise, SHRED, constant rates."
    lines += ["", "## Rates and iterations (SHRED, Tables 5 and 6)", "", text]
    cells = [[k, *(f"{c[:, :, n - 1].mean():.2f}" for n in ITERATIONS)] for k, c in group("rate").items()]
    lines += table(["rate", *(f"{n} iterations" for n in ITERATIONS)], cells)
    lines += [
        "",
        "## Stopping",
        "",
        "BIRD's noise, constant rate 0.03: PSNR (iteration) where each rule stops, at the end,",
    ]
    lines += ["and at the best iteration, which only the photograph can tell."]
    cells = []
    for label, curve in group("stopping").items():
        here, values = [row for row in rows if row["group"] == "stopping" and row["label"] == label], curve[:, 0]
        at = {rule: np.array([row[rule][0] for row in here]) for rule in RULES}
        at |= {"end": np.full(len(here), values.shape[1]), "best": values.argmax(axis=1) + 1}
        taken = {rule: values[np.arange(len(here)), numbers - 1].mean() for rule, numbers in at.items()}
        cells.append([label, *(f"{taken[rule]:.2f} ({numbers.mean():.0f})" for rule, numbers in at.items())])
    lines += table(["task", *RULES, "end", "best"], cells)
    return [*lines, "", "![Curves of PSNR over iterations](robustness.png)", ""]


def write_figure(rows: list[dict], path: Path) -> None:
    """PSNR over iterations, a panel a group: the mean over photographs, and the band of the starting noises."""
    from matplotlib.figure import Figure

    groups = list(dict.fromkeys(row["group"] for row in rows))
    figure = Figure(figsize=(4 * len(groups), 3.2), layout="constrained")
    for axes, group in zip(figure.subplots(1, len(groups)), groups, strict=True):
        here = [row for row in rows if row["group"] == group]
        for label in dict.fromkeys(row["label"] for row in here):
            curve = np.array([row["curve"] for row in here if row["label"] == label]).mean(axis=0)
            numbers = np.arange(1, curve.shape[1] + 1)
            axes.plot(numbers, curve.mean(axis=0), label=label)
            axes.fill_between(numbers, curve.min(axis=0), curve.max(axis=0), alpha=0.3)
        axes.set(title=group, xlabel="iteration", ylabel="PSNR (dB)")
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = workers.parser(__doc__, "out/robustness")
    parser.add_argument("--count", type=int, default=2, help="photographs")
    options = parser.parse_args()
    images = flowers.photographs(options.data, "test", options.count)

    def work(index: int) -> None:
        measure(RUNS[index :: options.workers], images, options.out, index)

    workers.in_workers(work, options.out, options.workers)
    found = {(row["about"], row["name"]): row for row in workers.read_rows(options.out)}
    rows = [found[about(run), name] for run in RUNS for name in images]
    options.docs.mkdir(exist_ok=True)
    (options.docs / "robustness.md").write_text("\n".join(report(rows, len(images))))
    write_figure(rows, options.docs / "robustness.png")


if __name__ == "__main__":
    main()
