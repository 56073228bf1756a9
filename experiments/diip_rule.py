"""How far DIIP's inversion should go with flowers64: rates, and the numbers of its two stopping rules, on the tuning half.

    python experiments/diip_rule.py --data eval.tar

Every iterate of an inversion of degraded photographs is scored, so that each rule can be tried on the same paths; the best
iterate beside it is what no rule can know. Writes a table into `docs/rectification.md`. Fifteen minutes on two cores;
resumes. To expect: rules that end within a decibel of the best iterate, at rates below those of a search for a known
operator.
"""

from itertools import product
from typing import Any

import blind
import flowers
import jax
import jax.numpy as jnp
import numpy as np
import workers
from kept_rows import grouped, kept
from report import insert, table
from workers import Row

import jaxrestore as jr
from jaxrestore.metrics import psnr
from jaxrestore.stopping import sharpness

KINDS = ("noise", "jpeg", "rain", "raindrop")
RATES = (0.003, 0.01, 0.03)
ITERATIONS, SKIP, COUNT = 200, 100, 4
AFTER, FRACTIONS = (10, 20, 40, 80), (0.001, 0.003, 0.01, 0.03)
ABOUT = ("kind", "rate", "after", "fraction")
SHOWN = 8


def planned() -> list[Row]:
    """A row a path."""
    return [{"kind": kind, "rate": rate, "photograph": i} for kind in KINDS for rate in RATES for i in range(COUNT)]


def paths(prior: jr.Prior, rate: float, ys: Any, clean: Any) -> dict[str, list[list[float]]]:
    """PSNR, data term and sharpness of every iterate, of each photograph."""
    method = jr.diip(prior, noise_lr=rate, iterations=ITERATIONS, skip=SKIP, stop=jr.never(), decay="constant")

    @jax.jit
    def path(method: Any, y: Any, truth: Any) -> Any:
        def step(state: Any, _: None) -> tuple[Any, Any]:
            state, iterate = method.step(state, y)
            return state, (psnr(iterate.image, truth), iterate.data_term, sharpness(iterate.image))

        return jax.lax.scan(step, method.init(y, jax.random.key(0)), length=ITERATIONS)[1]

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


def rules(rows: list[Row]) -> list[Row]:
    """A row a path and rule: where it ends, and the best iterate."""
    made = []
    for row, after, fraction in product(rows, AFTER, FRACTIONS):
        end = stopped(row, after, fraction)
        about = {key: row[key] for key in ("kind", "rate", "photograph")} | {"after": after, "fraction": fraction}
        made.append({**about, "psnr": row["psnr"][end], "best": max(row["psnr"]), "iterations": end + 1})
    return made


def lines(rows: list[Row]) -> list[str]:
    """The best settings by the mean over all kinds."""
    by_rule: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        by_rule.setdefault(tuple(row[key] for key in ABOUT[1:]), []).append(row)
    order = sorted(by_rule, key=lambda key: -np.mean([np.mean(row["psnr"]) for row in by_rule[key]]))
    body = []
    for key in order[:SHOWN]:
        cells = [f"{np.mean(row['psnr']):.2f} ({np.mean(row['best']):.2f})" for row in by_rule[key]]
        ends = np.mean([np.mean(row["iterations"]) for row in by_rule[key]])
        body.append([*(f"{value:g}" for value in key), *cells, f"{ends:.0f}"])
    return table(["rate", "after", "slope", *(row["kind"] for row in by_rule[order[0]]), "iterations"], body)


def main() -> None:
    options = workers.parser(__doc__, "out/diip_rule").parse_args()
    workers.keep_programs(options.out)
    prior = flowers.prior()
    clean = np.stack(list(flowers.photographs(options.data, "tuning", COUNT).values()))
    for kind, rate in product(KINDS, RATES):
        left = [
            entry
            for entry in workers.unmeasured(planned(), options.out)
            if (entry["kind"], entry["rate"]) == (kind, rate)
        ]
        if left:
            found = paths(prior, rate, jnp.asarray(blind.degraded(kind, clean)), jnp.asarray(clean))
            for entry in left:
                path = {name: values[entry["photograph"]] for name, values in found.items()}
                workers.append(options.out / "results-0.jsonl", {**entry, **path})
    made = rules(workers.complete(planned(), options.out))
    rows = kept("diip_rule", grouped(made, ABOUT, "photograph"), ABOUT, "photograph")
    insert(options.docs / "rectification.md", "diip rule", lines(rows))


if __name__ == "__main__":
    main()
