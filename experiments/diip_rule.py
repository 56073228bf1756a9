"""How far DIIP's inversion should go with a prior: rates, and the numbers of its two stopping rules, on images for tuning.

    python experiments/diip_rule.py --data eval.tar
    python experiments/diip_rule.py --prior faces64

With `--data` photographs of the tuning half and flowers64, with `--prior` another's folder and its samples. Every iterate of
an inversion of degraded images is scored, so that each rule can be tried on the same paths; the best iterate beside it is
what no rule can know. Writes a table into `docs/rectification.md`. Fifteen minutes on two cores each; resumes. To expect:
rules that end within a decibel of the best iterate, at rates below those of a search for a known operator.
"""

import argparse
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import blind
import flowers
import jax
import jax.numpy as jnp
import numpy as np
import workers
from faces import drawn
from faces_problems import RUIN, SEEDS
from kept_rows import grouped, kept, read
from report import Parts, table, write
from untold_problems import KINDS as RUINS
from workers import Row

import jaxrestore as jr
from jaxrestore.metrics import psnr
from jaxrestore.stopping import sharpness


class Search(NamedTuple):
    """What is tried of a prior."""

    kinds: tuple[str, ...]
    rates: tuple[float, ...]
    iterations: int
    skip: int
    images: int
    after: tuple[int, ...]


FLOWERS = Search(("noise", "jpeg", "rain", "raindrop"), (0.003, 0.01, 0.03), 200, 100, 4, (10, 20, 40, 80))
FACES = Search(("noise 30", "JPEG 10"), (0.03, 0.1), 60, 60, 2, (5, 10, 20, 40))
FRACTIONS = (0.001, 0.003, 0.01, 0.03)
RULE = ("rate", "after", "fraction")
ABOUT = ("prior", "kind", *RULE, "settings")
SHOWN = 8


def planned(name: str, search: Search) -> list[Row]:
    """A row a path."""
    shared = {"prior": name, "settings": {"iterations": search.iterations, "skip": search.skip}}
    return [
        {**shared, "kind": kind, "rate": rate, "photograph": i}
        for kind, rate, i in product(search.kinds, search.rates, range(search.images))
    ]


def paths(prior: jr.Prior, search: Search, rate: float, ys: Any, clean: Any) -> dict[str, list[list[float]]]:
    """PSNR, data term and sharpness of every iterate, of each photograph."""
    how = {"iterations": search.iterations, "skip": search.skip, "stop": jr.never(), "decay": "constant"}
    method = jr.diip(prior, noise_lr=rate, **how)

    @jax.jit
    def path(method: Any, y: Any, truth: Any) -> Any:
        def step(state: Any, _: None) -> tuple[Any, Any]:
            state, iterate = method.step(state, y)
            return state, (psnr(iterate.image, truth), iterate.data_term, sharpness(iterate.image))

        return jax.lax.scan(step, method.init(y, jax.random.key(0)), length=search.iterations)[1]

    found = jax.vmap(path, (None, 0, 0))(method, ys, clean)
    return {name: np.asarray(values).tolist() for name, values in zip(("psnr", "data", "sharp"), found, strict=True)}


def stopped(row: Row, after: int, fraction: float) -> int:
    """The iteration, from 0, at which DIIP's two rules end a path."""
    data, sharp = np.array(row["data"]), np.array(row["sharp"])
    number = np.arange(1, len(data) + 1)
    still = np.abs(np.diff(data, prepend=np.inf)) <= fraction * np.append(np.inf, data[:-1])
    softer = np.diff(sharp, prepend=-np.inf) < 0
    fires = (number > after) & (still | softer)
    return int(np.argmax(fires)) if fires.any() else len(data) - 1


def rules(rows: list[Row], search: Search) -> list[Row]:
    """A row a path and rule: where it ends, and the best iterate."""
    made = []
    for row, after, fraction in product(rows, search.after, FRACTIONS):
        end = stopped(row, after, fraction)
        about = {key: row[key] for key in ("prior", "settings", "kind", "rate", "photograph")} | {
            "after": after,
            "fraction": fraction,
        }
        made.append({**about, "psnr": row["psnr"][end], "best": max(row["psnr"]), "iterations": end + 1})
    return made


def lines(rows: list[Row]) -> list[str]:
    """Of each prior the best settings by the mean over all kinds."""
    found = []
    for name in dict.fromkeys(row["prior"] for row in rows):
        by_rule: dict[tuple[Any, ...], list[Row]] = {}
        for row in (row for row in rows if row["prior"] == name):
            by_rule.setdefault(tuple(row[key] for key in RULE), []).append(row)
        order = sorted(by_rule, key=lambda key: -np.mean([np.mean(row["psnr"]) for row in by_rule[key]]))
        body = []
        for key in order[:SHOWN]:
            cells = [f"{np.mean(row['psnr']):.2f} ({np.mean(row['best']):.2f})" for row in by_rule[key]]
            ends = np.mean([np.mean(row["iterations"]) for row in by_rule[key]])
            body.append([*(f"{value:g}" for value in key), *cells, f"{ends:.0f}"])
        head = ["rate", "after", "slope", *(row["kind"] for row in by_rule[order[0]]), "iterations"]
        found += ["", f"{name}, {len(by_rule[order[0]][0]['photograph'])} images of a kind:", *table(head, body)]
    return found


def parts() -> Parts:
    """The document's table, of the kept rows."""
    return {("docs/rectification.md", "diip rule"): lines(read("diip_rule"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="eval.tar of the flower photographs")
    parser.add_argument("--prior", type=Path, help="the folder of a prior of faces")
    parser.add_argument("--out", type=Path, default=Path("out/diip_rule"))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    workers.keep_programs(options.out)
    if options.prior is None:
        prior, search = flowers.prior(), FLOWERS
        clean = np.stack(list(flowers.photographs(options.data, "tuning", search.images).values()))
    else:
        prior, search = jr.load_prior(options.prior), FACES
        clean = drawn(options, prior, "tuning", search.images)
    plan = planned(prior.name, search)
    for kind, rate in product(search.kinds, search.rates):
        left = [
            entry for entry in workers.unmeasured(plan, options.out) if (entry["kind"], entry["rate"]) == (kind, rate)
        ]
        if left:
            ys = blind.degraded(kind, clean) if options.prior is None else faces_ruined(kind, clean)
            found = paths(prior, search, rate, jnp.asarray(ys), jnp.asarray(clean))
            for entry in left:
                path = {name: values[entry["photograph"]] for name, values in found.items()}
                workers.append(options.out / "results-0.jsonl", {**entry, **path})
            print(kind, rate, flush=True)
    made = rules(workers.complete(plan, options.out), search)
    kept("diip_rule", grouped(made, ABOUT, "photograph"), ABOUT, "photograph")
    write(options.docs.parent, parts())


def faces_ruined(kind: str, clean: np.ndarray) -> np.ndarray:
    """As `untold.py` ruins the faces of its tuning."""
    seeds = [RUIN + SEEDS["tuning"] + index for index in range(len(clean))]
    return np.stack([RUINS[kind](face, seed) for face, seed in zip(clean, seeds, strict=True)])


if __name__ == "__main__":
    main()
