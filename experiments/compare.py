"""What a network evaluation buys: our methods and those that people would use instead, on the same problems with one prior.

    python experiments/compare.py --prior flowers64 --data eval.tar tune
    python experiments/compare.py --prior flowers64 --data eval.tar restore
    python experiments/compare.py --prior flowers64 --data eval.tar report

`--prior` is a name or a converted folder; `--data` a folder of photographs or `eval.tar` of the flowers, and without it the
prior's own samples are ruined. The stages: `tune` tries four values of each method's chief number on images of the other
half, at a budget of 100 evaluations; `restore` restores 8 images by each method at each `--budget`, with the value that was
best; `report` writes `docs/compare.md`, its pictures, and a page with sliders, `report.html` in `--out`. Every row is kept
with its settings; a stage goes on where it was killed. `--problem` and `--method` divide the work: with flowers64 a problem
ends within 60 minutes on two cores up to 300 evaluations, with faces64 up to 100. A budget that a method can't spend (a
schedule has so many times) is left out.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import flowers
import jax
import jax.numpy as jnp
import numpy as np
import workers
from compare_contestants import CONTESTANTS, cost
from faces import KINDS, drawn
from faces_problems import PROBLEMS, SEEDS, Problem, known_blur, motion, scores, shown
from workers import Row

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.errors import InputError
from jaxrestore.files.folders import list_images
from jaxrestore.files.images import as_stored, read_image, write_image
from jaxrestore.methods.settings import values_of

ALL = {"noise": PROBLEMS["noise"], "box": PROBLEMS["box"], "reduction": PROBLEMS["reduction"]}
ALL |= {"known blur": known_blur, "blur": PROBLEMS["blur"], "motion": motion, "jpeg": PROBLEMS["jpeg"]}
KIND = {**KINDS, "known blur": "deblur", "motion": "blind-motion-deblur"}
TUNED_AT = 100
START = 2_000_000  # seed of searches and draws: no image's own


def pictures(options: argparse.Namespace, prior: jr.Prior, half: str, count: int) -> np.ndarray:
    """The images of a half ``[count, h, w, 3]``: of a folder every other one, by name."""
    if options.data is None:
        return drawn(options, prior, half, count)
    if options.data.is_file():
        return np.stack(list(flowers.photographs(options.data, half, count).values()))
    paths = list_images(options.data)[0 if half == "tuning" else 1 :: 2][:count]
    if len(paths) < count:
        raise InputError(f"{options.data} has {len(paths)} images for {half}, and {count} are asked for.")
    return np.stack([read_image(path, prior.shape[:2], fit="crop") for path in paths])


def planned(options: argparse.Namespace, prior: jr.Prior) -> list[Row]:
    """How each row is known."""
    half, count = ("tuning", options.tuning) if options.stage == "tune" else ("test", options.count)
    plan: list[Row] = []
    for problem in options.problem:
        for name in (name for name in options.method if problem in CONTESTANTS[name].problems):
            seen: list[Any] = [None]  # what can't be run with so few evaluations
            for budget, value in tries(options, problem, name):
                settings = CONTESTANTS[name].settings(prior, KIND[problem], budget, value)
                if settings in seen:
                    continue  # or can't spend more of them
                seen.append(settings)
                about = {"prior": prior.name, "half": half, "problem": problem, "method": name, "budget": budget}
                about |= {"value": value, "settings": values_of(settings), "count": count}  # which images depends on it
                plan += [{**about, "image": image} for image in range(count)]
    return plan


def tries(options: argparse.Namespace, problem: str, name: str) -> list[tuple[int, float]]:
    """Budgets and values of a stage: a method of one value has nothing to tune."""
    values = CONTESTANTS[name].values
    if options.stage == "tune":
        return [(TUNED_AT, value) for value in values] if len(values) > 1 else []
    value = best_value(options, problem, name) if len(values) > 1 else next(iter(values))
    return [(budget, value) for budget in options.budget]


def best_value(options: argparse.Namespace, problem: str, method: str) -> float:
    """The value of a method's number with the highest PSNR in the mean of the tuning images."""
    by_value: dict[float, list[float]] = {}
    for row in workers.read_rows(options.out):
        if (row["half"], row["problem"], row["method"]) == ("tuning", problem, method):
            by_value.setdefault(row["value"], []).append(row["psnr"])
    if set(by_value) != set(CONTESTANTS[method].values):
        raise InputError(f"{method} isn't tuned for {problem} yet: run the stage tune first.")
    return max(by_value, key=lambda value: float(np.mean(by_value[value])))


def ruined(name: str, image: np.ndarray, seed: int) -> Problem:
    return ALL[name](image, seed, np.random.default_rng(seed))


def measure(options: argparse.Namespace, prior: jr.Prior) -> None:
    """Restore what a plan lists and `options.out` holds no row of: images that share problem and settings together."""
    half, count = ("tuning", options.tuning) if options.stage == "tune" else ("test", options.count)
    images = pictures(options, prior, half, count)
    features = metrics.load_lite0(options.features) if options.features else None
    groups: dict[str, list[Row]] = {}
    for entry in workers.unmeasured(planned(options, prior), options.out):
        groups.setdefault(str({**entry, "image": 0}), []).append(entry)
    for entries in groups.values():
        first, contestant = entries[0], CONTESTANTS[entries[0]["method"]]
        problems = [
            ruined(first["problem"], images[row["image"]], SEEDS[row["half"]] + row["image"]) for row in entries
        ]
        settings = contestant.settings(prior, KIND[first["problem"]], first["budget"], first["value"])
        methods = [contestant.build(prior, one.start, settings=settings, sigma_y=one.sigma_y) for one in problems]
        results, seconds = run(methods, [one.y for one in problems], [START + row["image"] for row in entries])
        for entry, problem, result in zip(entries, problems, results, strict=True):
            clean = images[entry["image"]]
            row = {**entry, **scores(prior, problem, result, clean)}
            row |= {
                f"{key} of the input": value for key, value in scores(prior, problem, shown(problem), clean).items()
            }
            if features is not None:
                pair = [jnp.asarray(as_stored(image)) for image in (result, clean)]
                row["features"] = float(features(*pair))
            row |= {"evaluations": cost(contestant, methods[0]), "seconds": seconds / len(entries)}
            row |= {"device": jax.devices()[0].device_kind}
            write_image(options.out / picture(entry), result)
            workers.append(options.out / f"results-{options.name}.jsonl", row)
        print(*(first[key] for key in ("problem", "method", "budget", "value")), f"{seconds:.1f} s", flush=True)


def run(methods: list[jr.Method], ys: list[Any], seeds: list[int]) -> tuple[np.ndarray, float]:
    """Images ``[b, h, w, c]``, and seconds without compiling: one program, in which what the methods share is there once."""
    leaves, trees = zip(*(jax.tree.flatten(method) for method in methods), strict=True)
    together = [all(one is each[0] for one in each) for each in zip(*leaves, strict=True)]
    shared = [leaf for leaf, same in zip(leaves[0], together, strict=True) if same]
    own = [jnp.stack(each) for each, same in zip(zip(*leaves, strict=True), together, strict=True) if not same]

    @jax.jit
    def restored(shared: Any, own: Any, ys: Any, keys: Any) -> Any:
        def one(own: Any, y: Any, key: Any) -> Any:
            of_each = {True: iter(shared), False: iter(own)}
            method = jax.tree.unflatten(trees[0], [next(of_each[same]) for same in together])
            return jax.vmap(lambda key: jr.run(method, y, key).image)(jax.random.split(key, method.restarts)).mean(0)

        return jax.vmap(one)(own, ys, keys)

    given = shared, own, jnp.stack(ys), jnp.stack([jax.random.key(seed) for seed in seeds])
    program = restored.lower(*given).compile()
    began = time.perf_counter()
    images = np.asarray(program(*given))
    return images, time.perf_counter() - began


def picture(entry: Row) -> Path:
    parts = (entry["half"], entry["problem"], entry["method"], str(entry["budget"]), str(entry["value"]))
    return Path("images", *(part.replace(" ", "_") for part in parts), f"{entry['image']}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("tune", "restore", "report"))
    parser.add_argument("--prior", required=True, help="a name or a folder")
    parser.add_argument("--data", type=Path, help="photographs: a folder or eval.tar; without: the prior's samples")
    parser.add_argument("--problem", nargs="+", default=list(ALL), choices=list(ALL))
    parser.add_argument("--method", nargs="+", default=list(CONTESTANTS), choices=list(CONTESTANTS))
    parser.add_argument("--budget", nargs="+", type=int, default=[10, 30, 100, 300, 1000])
    parser.add_argument("--count", type=int, default=8, help="images of a point")
    parser.add_argument("--tuning", type=int, default=4, help="images on which values are compared")
    parser.add_argument("--features", type=Path, help="the wheel of EfficientNet-Lite0, or the .pth in it")
    parser.add_argument("--out", type=Path, required=True, help="a folder for this prior and these images")
    parser.add_argument("--name", default="0", help="of the file of rows: one for each process that runs at once")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    workers.keep_programs(options.out)
    if options.stage == "report":
        import compare_report

        return compare_report.write(options)
    return measure(options, jr.load_prior(options.prior))


if __name__ == "__main__":
    main()
