"""Noise and operator found together, on photographs of the test half, against BIRD at equal network evaluations.

    python experiments/partially_blind.py --data eval.tar

Motion blur with BIRD's noise; 4x reduction after an unknown Gaussian blur, without and with that noise; a real codec of
quality 5 to 25; Gaussian blur and then a codec. A budget of network evaluations (`--evaluations`) says how many photographs.
Then the weight of the density objective over four decades. Writes tables into `docs/invert2restore.md` and the README,
`docs/density_weight.png` and `docs/partially_blind.png`. Under an hour on two cores; resumes. To expect: all above the input,
the parameters nearer than where they started.
"""

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import flowers
import numpy as np
import workers
from report import insert, table

TASKS = {
    "motion": "blind-motion-deblur",
    "reduction": "blind-super-resolution",
    "noisy reduction": "blind-super-resolution",
    "jpeg": "jpeg",
    "mixture": "operator",
}
NOISES = {"motion": "bird", "reduction": "none", "noisy reduction": "bird"}
SHARES = {"motion": 2, "reduction": 2}  # of the photographs; 1 for the others
METHODS = (
    "BIRD",
    "BIRD, restarts",
    "fully blind",
    "partially blind",
    "from fresh noise",
    "from rectified noise",
    "rectified first",
    "operator known",
)
FIRST = {
    "from fresh noise": "fresh",
    "from rectified noise": "rectified",
    "rectified first": "measurement",
}  # of the variants
BRIEF = ("BIRD", "fully blind", "partially blind", "operator known")
WEIGHTS = (None, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
SWEPT = ("motion",)
SHIFTED = ("motion", "reduction", "noisy reduction", "mixture")  # an unknown kernel's centre is the image's


class Posed(NamedTuple):
    """A degraded photograph: by what, where the search starts, and what was measured."""

    truth: Any
    start: Any
    y: Any


def posed(task: str, name: str, image: np.ndarray, folder: Path) -> Posed:
    """As `flowers.problem` degrades it; qualities and the mixture's blur are drawn from the name's hash, too."""
    import jax.numpy as jnp

    from jaxrestore import operators as ops
    from jaxrestore.cli.tasks import task_operator
    from jaxrestore.files.images import as_stored, jpeg
    from jaxrestore.methods.settings import preset
    from jaxrestore.operators.chains import parse

    size = (flowers.SIZE, flowers.SIZE)
    if task in NOISES:
        given = flowers.problem(TASKS[task], NOISES[task], name, image, folder)
        settings = preset("invert2restore", TASKS[task], "flowers64")
        return Posed(given.truth, task_operator(TASKS[task], size, settings, given.given), given.y)
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    if task == "jpeg":
        quality = int(draw.integers(5, 26))
        return Posed(ops.Jpeg.create(quality), ops.Jpeg.create(30, known=False), jnp.asarray(jpeg(image, quality)))
    sigmas, angle = np.exp(draw.uniform(np.log(0.7), np.log(2.6), 2)).tolist(), float(draw.uniform(0, 180))
    quality = int(draw.integers(10, 41))
    blur = {"operator": "blur", "size": 11, "sigmas": sigmas, "angle": angle}
    truth = parse([blur, {"operator": "jpeg", "quality": quality}], size)
    start = parse(
        [{"operator": "blur", "size": 11, "kernel": "unknown"}, {"operator": "jpeg", "quality": "unknown"}], size
    )
    blurred = as_stored(np.asarray(truth.parts[0](jnp.asarray(image))))
    return Posed(truth, start, jnp.asarray(jpeg(blurred, quality)))


def errors(found: Any, truth: Any) -> dict[str, float]:
    """Kernel similarity, and the codec's |log step / true step|: what there is of them."""
    from jaxrestore import operators as ops
    from jaxrestore.cli.tasks import kernels_of
    from jaxrestore import metrics

    made = {}
    for one, other in zip(getattr(found, "parts", (found,)), getattr(truth, "parts", (truth,)), strict=True):
        if isinstance(one, ops.Blur):
            made["kernel"] = float(metrics.kernel_similarity(kernels_of(one)[0], kernels_of(other)[0]))
        if isinstance(one, ops.Jpeg):
            made["quality"] = abs(float(one.log_scale - other.log_scale))
    return made


def first_cost(first: str, chosen: Any, typical: Any) -> int:
    """Network evaluations of what is rectified first: all rounds and an inversion with four refinements for a start
    (`methods.origin`), in each restart; two rounds for a measurement, as the noise of these tasks takes."""
    each = typical.steps * (2 + typical.refinements)
    start = len(typical.depths) * each + 5 * (1000 // chosen.skip)
    return {"fresh": 0, "rectified": start * chosen.restarts, "measurement": 2 * each}[first]


def evaluations_of(chosen: Any, typical: Any) -> int:
    """Of the tuned default."""
    search = chosen.iterations * (1000 // chosen.skip) * chosen.restarts
    return search + first_cost(chosen.origin, chosen, typical)


def restored(task: str, method: str, given: Posed, prior: Any, typical: Any, weight: Any = ()) -> tuple[Any, int]:
    """The restoration, and its network evaluations: at most those of the tuned default, but for the fully blind."""
    import dataclasses

    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore.methods.settings import preset, settings_name

    name, key = settings_name(TASKS[task]), jax.random.key(0)
    blind = jr.invert2restore(prior, typical)
    if method == "fully blind":
        y = jax.image.resize(given.y, prior.shape, "cubic")
        result = jr.restore(blind, y, key, chunk_size=1)
        return result, int(result.iterations) * typical.steps * (2 + typical.refinements)
    ours = preset("invert2restore", name, "flowers64")
    budget = evaluations_of(ours, typical)
    if method.startswith("BIRD"):
        theirs = preset("bird", name, "flowers64")
        restarts = theirs.restarts * (2 if method == "BIRD, restarts" else 1)
        iterations = budget // (1000 // theirs.skip * restarts)
        made = jr.bird(prior, given.start, task=name, iterations=iterations)
        result = jr.restore(made, given.y, key, restarts=restarts, combine="mean", chunk_size=1000, devices="all")
        return result, iterations * (1000 // theirs.skip) * restarts
    first = FIRST.get(method, ours.origin)
    if first == "fresh" and ours.origin == "rectified":  # whose other settings are for that start
        name, ours = "any", preset("invert2restore", "any", "flowers64")
    cost, each = first_cost(first, ours, typical), 1000 // ours.skip
    operator = given.truth if method == "operator known" else given.start
    fresh = 0.5 if ours.restarts > 1 else 0.0  # for restarts to differ
    made = jr.partially_blind(prior, operator, typical if first == "rectified" else None, task=name, fresh=fresh)
    made = dataclasses.replace(made, iterations=max(10, (budget - cost) // ours.restarts // each))
    if weight != ():
        made = dataclasses.replace(made, density=None if weight is None else jnp.float32(weight))
    y = given.y
    if first == "measurement":
        calm = jr.restore(blind, y, key, chunk_size=1)
        y, cost = calm.image, int(calm.iterations) * typical.steps * (2 + typical.refinements)
    result = jr.restore(made, y, key, restarts=ours.restarts, combine="mean", chunk_size=1000, devices="all")
    return result, made.iterations * each * ours.restarts + cost


def measure(jobs: list[tuple[str, str, Any]], images: dict[str, np.ndarray], options: Any, worker: int) -> None:
    """Each (task, method, weight) on the photographs, but what `out` holds already."""
    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore.density import objective as density
    from jaxrestore.methods.settings import preset, settings_name
    from jaxrestore import metrics

    jax.config.update("jax_compilation_cache_dir", str((options.out / "cache").absolute()))
    prior, typical = jr.load_prior("flowers64"), jr.load_typical("flowers64")
    done = {(row["task"], row["method"], row["weight"], row["name"]) for row in workers.read_rows(options.out)}
    for task, method, weight in jobs:
        default = preset("invert2restore", settings_name(TASKS[task]), "flowers64").origin
        if FIRST.get(method) == default or (task not in SHARES and method in ("BIRD, restarts", "rectified first")):
            continue  # the tuned default itself, or a variant that is tried on the two main tasks
        if method == "rectified first" and task != "motion":
            continue  # there is no image to rectify
        count = options.photographs * SHARES.get(task, 1) if weight == () else (options.photographs + 1) // 2
        for name in list(images)[:count]:
            if (task, method, str(weight), name) in done:
                continue
            given, truth = posed(task, name, images[name], options.out / "given"), jnp.asarray(images[name])
            seen = jax.image.resize(given.y, truth.shape, "cubic")
            result, evaluations = restored(task, method, given, prior, typical, weight)
            shift = task in SHIFTED
            pair = metrics.registered(result.image, truth) if shift else (result.image, truth)
            before = metrics.registered(seen, truth) if shift else (seen, truth)
            row: dict[str, Any] = {"task": task, "method": method, "weight": str(weight), "name": name}
            row |= {"input": float(metrics.psnr(*before)), "psnr": float(metrics.psnr(*pair))}
            row |= {"ssim": float(metrics.ssim(*pair)), "evaluations": evaluations}
            if method != "fully blind":
                row["density"] = float(density.objective(result.noise))
            if method not in ("fully blind", "operator known"):
                row |= {"start": errors(given.start, given.truth), "found": errors(result.operator, given.truth)}
            if method == "partially blind" and result.samples.shape[0] > 1:
                error = jnp.mean(jnp.abs(result.samples.mean(0) - truth), axis=-1)
                row["rank"] = float(metrics.rank_correlation(metrics.uncertainty(result.samples), error))
            workers.append(options.out / f"results-{worker}.jsonl", row)
            if name == next(iter(images)) and weight == ():
                np.save(options.out / f"{task}-{METHODS.index(method)}.npy", np.stack([seen, result.image, truth]))


def report(rows: list[dict]) -> tuple[list[str], list[str]]:
    """The whole table, and the README's few lines of it."""
    cells, brief = [], []
    for task in TASKS:
        here = {method: [row for row in rows if (row["task"], row["method"]) == (task, method)] for method in METHODS}
        for method, group in here.items():
            if not group:
                continue

            def mean(key: str, form: str = ".2f", within: str = "", group: list[dict] = group) -> str:
                found = [row.get(within, {}) if within else row for row in group]
                values = [row[key] for row in found if key in row]
                return format(np.mean(values), form) if values else ""

            def parameter(key: str, mean: Any = mean) -> str:
                first, last = mean(key, ".3f", "start"), mean(key, ".3f", "found")
                return f"{first} → {last}" if first else ""

            gains = np.array([row["psnr"] - row["input"] for row in group])
            line = [
                task,
                method,
                mean("input"),
                mean("psnr"),
                f"{gains.mean():+.2f} ± {gains.std() / len(gains) ** 0.5:.2f}",
            ]
            line += [mean("ssim", ".3f"), parameter("kernel"), parameter("quality"), mean("rank")]
            cells.append([*line, mean("evaluations", ".0f")])
        values = [f"{np.mean([row['psnr'] for row in here[method]]):.2f}" for method in BRIEF]
        brief.append([task, f"{np.mean([row['input'] for row in here['BIRD']]):.2f}", *values])
    head = [
        "task",
        "method",
        "input",
        "PSNR",
        "gain",
        "SSIM",
        "kernel similarity",
        "codec's error",
        "rank",
        "evaluations",
    ]
    return table(head, cells), table(["task", "input", *BRIEF], brief)


def write_figure(rows: list[dict], path: Path) -> None:
    """PSNR and the density objective over its weight."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    right = axes.twinx()
    places = [1e-8 if weight is None else weight for weight in WEIGHTS]
    for task, colour in zip(SWEPT, ("tab:blue", "tab:orange"), strict=False):
        groups = [[row for row in rows if (row["task"], row["weight"]) == (task, str(weight))] for weight in WEIGHTS]
        axes.plot(
            places, [np.mean([r["psnr"] - r["input"] for r in g]) for g in groups], "o-", color=colour, label=task
        )
        right.plot(places, [np.mean([row["density"] for row in g]) for g in groups], "x--", color=colour)
    axes.set(xscale="log", xlabel="weight of the density objective (leftmost: none)", ylabel="gain in PSNR (dB), solid")
    right.set(yscale="log", ylabel="density objective of the noise (dashed)")
    right.axhline(5, color="grey", linewidth=0.5)
    axes.legend()
    figure.savefig(path, dpi=100)


def write_picture(out: Path, path: Path) -> None:
    """A row a task: degraded, by the methods of the brief table, the photograph."""
    from jaxrestore.files.images import enlarge, strip, write_png

    strips = []
    for task in TASKS:
        found = [np.load(out / f"{task}-{METHODS.index(method)}.npy") for method in BRIEF]
        row = strip([found[0][0], *(one[1] for one in found), found[0][2]])
        strips.append(np.pad(row, ((0, 2), (0, 0), (0, 0)), constant_values=1.0))
    write_png(path, enlarge(np.concatenate(strips), 2))


def main() -> None:
    parser = workers.parser(__doc__, "out/partially_blind")
    parser.add_argument("--evaluations", type=int, default=140_000, help="budget of network evaluations")
    options = parser.parse_args()
    import jaxrestore as jr
    from jaxrestore.methods.settings import preset, settings_name

    def cost(task: str) -> int:
        return evaluations_of(
            preset("invert2restore", settings_name(TASKS[task]), "flowers64"), jr.load_typical("flowers64")
        )

    swept = [(task, "partially blind", weight) for task in SWEPT for weight in WEIGHTS]
    each = sum(cost(task) * SHARES.get(task, 1) for task in TASKS) * (len(METHODS) - 1)
    each += sum(cost(task) for task, *_ in swept) / 2
    options.photographs = int(np.clip(options.evaluations / each, 2, 10))
    images = flowers.photographs(options.data, "test", options.photographs * max(SHARES.values()))
    jobs = [(task, method, ()) for task in TASKS for method in METHODS] + swept

    def work(index: int) -> None:
        measure(jobs[index :: options.workers], images, options, index)

    workers.in_workers(work, options.out, options.workers)
    rows = [row for row in workers.read_rows(options.out) if row["name"] in images]
    main_rows = [row for row in rows if row["weight"] == "()"]
    whole, brief = report(main_rows)
    insert(options.docs / "invert2restore.md", "partially blind", whole)
    insert(Path("README.md"), "partially blind", brief)
    write_figure([row for row in rows if row["weight"] != "()"], options.docs / "density_weight.png")
    write_picture(options.out, options.docs / "partially_blind.png")


if __name__ == "__main__":
    main()
