"""Are kernels found? Blind deblurring from starts far from the truth, between its two bounds: the start, and the true kernel.

    python experiments/kernels.py --data eval.tar --levin levin09.npz

Gaussian kernels, paths and Levin's eight (`kernels_classes.py`), with white noise of 1 and 3 % of the range, on photographs
of the test half; each restored three times by the same settings: with the kernel held at its start, found, and known. Scores
are registered (`metrics.registered`). The error ratio is Levin's, |x_found - x|^2 over |x_known - x|^2: above 3 it failed.

What is measured stays in `experiments/results/kernels.jsonl`, and isn't measured again; of it are the tables of
`docs/kernels.md`, and of the kernels in `--out` its picture, and a page, `report.html` (`kernels_report.py`). By the walks
alone (`--methods "Blind DiffPIR"`) 16 photographs are within an hour on two cores; a search costs six times as much, so
measure 4 (`--photographs 4`).
Resumes; `--methods`, `--kinds` and `--noise` measure a part. To expect: of every class a kernel nearer to the truth than its
start.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import flowers
import jax
import jax.numpy as jnp
import kernels_report
import numpy as np
import workers
from kept_rows import grouped, kept, missing
from kernels_classes import Kind, kinds
from workers import Row

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.files.images import as_stored
from jaxrestore.methods.settings import values_of

POOL = 16  # photographs, spread over the test half, and any first few of them, too
ABOUT = ("noise", "kind", "method", "kernel", "settings")
CASES = ("start", "found", "true")  # what the kernel is


def walks(prior: jr.Prior, problem: str) -> Any:
    """The library's own, of 100 evaluations."""
    return replace(jr.published("blind-diffpir", problem), steps=25)


def tuned(name: str) -> Callable[[jr.Prior, str], Any]:
    return lambda prior, problem: jr.settings_for(name, problem, prior)


METHODS: dict[str, tuple[Callable[..., Any], Callable[[jr.Prior, str], Any]]] = {
    "Blind DiffPIR": (jr.blind_diffpir, walks),
    "BIRD": (jr.bird, tuned("bird")),
    "Invert2Restore": (jr.invert2restore, tuned("invert2restore")),
}


def settings_of(prior: jr.Prior, method: str, kind: Kind) -> Any:
    return METHODS[method][1](prior, kind.problem)


def planned(options: Any, prior: jr.Prior, classes: dict[str, Kind]) -> list[Row]:
    """How each row is known, photograph by photograph, so that a part that ends early is of all classes."""
    return [
        {"noise": noise, "kind": kind, "method": method, "kernel": case}
        | {"settings": values_of(settings_of(prior, method, classes[kind]))}
        | {"photograph": photograph}
        for photograph in range(options.photographs)
        for method in options.methods
        for noise in options.noise
        for kind in classes
        for case in CASES
    ]


def measure(entry: Row, prior: jr.Prior, kind: Kind, clean: np.ndarray, out: Path) -> Row:
    """One restoration, scored."""
    number, sigma_y = entry["photograph"], 2 * entry["noise"]
    true = kind.true(number, np.random.default_rng(number))
    y = jr.measure(blur(true), jnp.asarray(clean), jax.random.key(number), sigma_y)
    y = jnp.asarray(as_stored(np.asarray(y)))
    start = {"start": np.asarray(kind.start()), "found": kind.start, "true": true}[entry["kernel"]]
    settings = settings_of(prior, entry["method"], kind)
    method = METHODS[entry["method"]][0](prior, blur(start), settings=settings, sigma_y=sigma_y)
    began = time.perf_counter()
    result = jr.restore(method, y, jax.random.key(1000 + number))
    image = np.asarray(result.image)
    row = {**entry, "psnr": registered(image, clean), "input": registered(np.asarray(y), clean)}
    row["similarity"] = float(metrics.kernel_similarity(jr.operators.kernels_of(result.operator)[0], jnp.asarray(true)))
    if entry["kernel"] == "found":
        folder = out / kernels_report.folder(entry)
        folder.mkdir(parents=True, exist_ok=True)
        found = np.asarray(jr.operators.kernels_of(result.operator)[0])
        np.savez(folder / f"{number}.npz", true=true, start=np.asarray(kind.start()), found=found)
    return {**row, "seconds": time.perf_counter() - began}


def blur(kernel: Any) -> jr.Blur:
    return jr.Blur(kernel, algorithm="fft")  # one program, whatever the kernel


def registered(image: np.ndarray, clean: np.ndarray) -> float:
    return float(metrics.psnr(*metrics.registered(jnp.asarray(as_stored(image)), jnp.asarray(clean))))


def main() -> None:
    parser = workers.parser(__doc__, "out/kernels")
    parser.add_argument("--levin", type=Path, help="levin09.npz; without it, that class is left out")
    parser.add_argument("--photographs", type=int, default=POOL)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--noise", nargs="+", type=float, default=[0.01, 0.03], help="shares of the range")
    parser.add_argument("--kinds", nargs="+", help="of kernels; default: all")
    options = parser.parse_args()
    prior, classes = flowers.prior(), kinds(options.levin)
    if unknown := set(options.kinds or ()) - set(classes):
        parser.error(f"there are no kernels {', '.join(unknown)}; there are: {', '.join(classes)}")
    classes = {name: kind for name, kind in classes.items() if options.kinds is None or name in options.kinds}
    images = list(flowers.photographs(options.data, "test", POOL).values())
    plan = planned(options, prior, classes)

    def work(index: int) -> None:
        workers.keep_programs(options.out)
        for entry in missing("kernels", workers.unmeasured(plan, options.out), ABOUT, "photograph"):
            if entry["photograph"] % options.workers == index:
                row = measure(entry, prior, classes[entry["kind"]], images[entry["photograph"]], options.out)
                workers.append(options.out / f"results-{index}.jsonl", row)

    workers.in_workers(work, options.out, options.workers)
    kept("kernels", grouped(workers.read_rows(options.out), ABOUT, "photograph"), ABOUT, "photograph")
    kernels_report.write(options)


if __name__ == "__main__":
    main()
