"""What the methods reach with faces64, a strong prior that nobody here trained: drawn faces out of noise, holes, 8x8 pixels.

    python experiments/faces.py --prior faces64 restore --problem box --method bird
    python experiments/faces.py --prior faces64 report

`--prior` is the folder that `jaxrestore convert 64x64_cosin_300 faces64` makes. The stages: `samples` draws the faces,
`tune` compares settings on faces of other seeds (which were chosen, and why: `faces64_settings.py`), `restore` restores 16
faces by one method, `report` writes `docs/faces.md` and its pictures from the rows, and a page, `report.html` in `--out`.
Each row is kept with its settings; a stage goes on where it was killed. `restore` of one problem by one method ends within
60 minutes on two cores; `tune` is meant for a GPU, with `--batch 8`.
"""

import argparse
import dataclasses
import itertools
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import workers
from faces_candidates import candidates
from faces_problems import PROBLEMS, SEEDS, faces, problem, scores, shown
from workers import Row

import jaxrestore as jr
from jaxrestore.files.images import sheet, write_image
from jaxrestore.methods.settings import values_of
from jaxrestore.solve.tuning import evaluations

METHODS = {"bird": jr.bird, "shred": jr.shred, "invert2restore": jr.invert2restore}
BLIND = "invert2restore-literal"  # told nothing
TOLD_NOTHING = ("noise", "jpeg", "blur")  # where all of the picture is there
KINDS = {
    "noise": "denoise",
    "box": "inpaint",
    "reduction": "super-resolution",
    "reduction16": "super-resolution",
    "pixels5": "compressed-sensing",
    "pixels1": "compressed-sensing",
    "grey": "colorize",
    "blur": "blind-deblur",
    "jpeg": "jpeg",
}


def planned(options: argparse.Namespace, prior: jr.Prior) -> list[tuple[Row, Any]]:
    """What a stage measures: how a row is known, and the settings as the method takes them."""
    tuning, plan = options.stage == "tune", []
    half, count = ("tuning", options.tuning) if tuning else ("test", options.count)
    for name, method in itertools.product(options.problem, options.method):
        if method == BLIND:
            tried = {} if tuning or name not in TOLD_NOTHING else {"its own": jr.settings_for(BLIND, "any", prior)}
        elif tuning:
            tried = candidates(method, KINDS[name])
            tried = {label: one for label, one in tried.items() if label in (options.label or tried)}
        else:
            tried = {"its own": jr.settings_for(method, KINDS[name], prior, "prior")}
        for label, settings in tried.items():
            about = {"half": half, "problem": name, "method": method, "label": label, "settings": values_of(settings)}
            plan += [({**about, "face": face}, settings) for face in range(count)]
    return plan


@partial(jax.jit, static_argnames="restarts")
def restored(method: Any, starts: Any, ys: Any, keys: Any, restarts: int) -> Any:
    """Images ``[b, restarts, h, w, 3]`` and operators of a batch of problems: the library's pure `run`, under vmap twice."""

    def one(start: Any, y: Any, key: Any) -> Any:
        each = jax.vmap(lambda key: jr.run(dataclasses.replace(method, operator=start), y, key))(key)
        return each.image, each.operator

    return jax.vmap(one)(starts, ys, jax.vmap(lambda key: jax.random.split(key, restarts))(keys))


def measure(options: argparse.Namespace, prior: jr.Prior, images: dict[str, np.ndarray]) -> None:
    """Restore what a plan lists and `options.out` holds no row of, a batch of faces at a time."""
    plan = planned(options, prior)
    left = workers.unmeasured([entry for entry, _ in plan], options.out)
    by_settings: dict[str, list[tuple[Row, Any]]] = {}
    for entry, settings in plan:
        if entry in left:
            by_settings.setdefault(str({**entry, "face": 0}), []).append((entry, settings))
    for group in by_settings.values():
        for start in range(0, len(group), options.batch):
            some = group[start : start + options.batch]
            restore_some(options, prior, images[some[0][0]["half"]], [entry for entry, _ in some], some[0][1])


def restore_some(options: Any, prior: jr.Prior, images: np.ndarray, entries: list[Row], settings: Any) -> None:
    """Faces that share problem and settings, in one program; a row and a picture each."""
    name, method = entries[0]["problem"], entries[0]["method"]
    seeds = [SEEDS[entry["half"]] + entry["face"] for entry in entries]
    ruined = [problem(name, images[entry["face"]], seed) for entry, seed in zip(entries, seeds, strict=True)]
    fully = method == BLIND
    untold = fully or settings.identity
    starts = [jr.Identity() if untold else one.start for one in ruined]
    if fully:
        built = jr.invert2restore(prior, settings=settings)
    else:
        built = METHODS[method](prior, starts[0], settings=settings, sigma_y=ruined[0].sigma_y)
    began = time.perf_counter()
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    results, operators = restored(built, stacked, jnp.stack([one.y for one in ruined]), keys, built.restarts)
    results = np.asarray(results)
    seconds = (time.perf_counter() - began) / len(entries)
    for index, (entry, one) in enumerate(zip(entries, ruined, strict=True)):
        image, face = results[index].mean(0), images[entry["face"]]
        operator = jax.tree.map(lambda leaf, index=index: leaf[index, 0], operators)
        if not one.sigma_y and not untold:
            image = np.asarray(jr.put_back(one.start, jnp.asarray(image), one.y))
        row = {**entry, **scores(prior, one, image, face)}
        row |= {f"{key} of the input": value for key, value in scores(prior, one, shown(one), face).items()}
        if name == "blur" and not fully:
            for moment, found in (("start", one.start), ("found", operator)):
                kernels = jr.operators.kernels_of(found)[0], jr.operators.kernels_of(one.truth)[0]
                row[f"kernel {moment}"] = float(jr.metrics.kernel_similarity(*kernels))
        row |= {"evaluations": cost(settings, prior), "seconds": seconds, "batch": len(entries)}
        row |= {"device": jax.devices()[0].device_kind}
        write_image(options.out / picture(entry), image)
        workers.append(options.out / f"results-{options.name}.jsonl", row)
    print(name, method, entries[0]["label"], f"{seconds:.1f} s a face", flush=True)


def picture(entry: Row) -> Path:
    parts = (entry["half"], entry["problem"], entry["method"], entry["label"].replace(" ", "_"))
    return Path("images", *parts, f"{entry['face']}.png")


def cost(settings: Any, prior: jr.Prior) -> int:
    """Network evaluations of one face, at most."""
    if isinstance(settings, jr.LiteralSettings):
        return len(settings.noise_to_signal) * settings.steps * (2 + settings.refinements)
    return evaluations(settings, len(prior.schedule))


def drawn(options: argparse.Namespace, prior: jr.Prior, which: str, count: int) -> np.ndarray:
    """The faces of those seeds, from a file where they were drawn before."""
    path = options.out / f"{which}.npy"
    if path.exists() and len(known := np.load(path)) >= count:
        return known[:count].astype(np.float32) / 127.5 - 1
    images = faces(prior, which, count)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".part").open("wb") as stream:
        np.save(stream, np.round((images + 1) * 127.5).astype(np.uint8))
    path.with_suffix(".part").rename(path)
    return images


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("samples", "tune", "restore", "report"))
    parser.add_argument("--prior", type=Path, required=True, help="the converted prior's folder")
    parser.add_argument("--problem", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--method", nargs="+", default=[*METHODS, BLIND], choices=[*METHODS, BLIND])
    parser.add_argument("--count", type=int, default=16, help="faces of the tables")
    parser.add_argument("--tuning", type=int, default=8, help="faces on which settings are compared")
    parser.add_argument("--label", nargs="+", help="settings that `tune` compares; without: all that it knows")
    parser.add_argument("--batch", type=int, default=1, help="faces at once: 16 on a GPU")
    parser.add_argument("--shown", type=int, default=2, help="faces of each problem in the picture")
    parser.add_argument("--out", type=Path, default=Path("out/faces"))
    parser.add_argument("--name", default="0", help="of the file of rows: one for each process that runs at once")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    return parser.parse_args()


def main() -> None:
    options = arguments()
    workers.keep_programs(options.out)
    if options.stage == "report":
        import faces_report

        return faces_report.write(options)
    prior = jr.load_prior(options.prior)
    half, count = ("tuning", options.tuning) if options.stage == "tune" else ("test", options.count)
    images = {half: drawn(options, prior, half, count)}
    if options.stage == "samples":
        drawn(options, prior, "tuning", options.tuning)
        return write_image(options.out / "samples.png", sheet(images[half]))
    return measure(options, prior, images)


if __name__ == "__main__":
    main()
