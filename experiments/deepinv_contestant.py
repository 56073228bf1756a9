"""One contestant of `compare_deepinv.py`, in a process of its own on one core: restores what each line of its input asks for.

    python experiments/deepinv_contestant.py '{"contestant": "deepinv", "data": "eval.tar", "photographs": 8}'

It says what it has found out of itself, and answers each line: seconds, settings, PSNR.
"""

import json
import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

if __name__ == "__main__" and hasattr(os, "sched_setaffinity"):  # before JAX counts the cores
    os.sched_setaffinity(0, {0})

import flowers
import jax
import jax.numpy as jnp
import numpy as np

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.files.images import as_stored
from jaxrestore.methods.settings import values_of
from jaxrestore.operators import sigma_of

METHODS, STEPS = ("DiffPIR", "DDRM"), 20  # network evaluations of an image
PROBLEMS = {
    "box": lambda: jr.Mask(jr.simulate.box_mask((flowers.SIZE, flowers.SIZE), 24)),
    "4x": lambda: jr.AveragePool(4),
}
LEVEL = 5  # grey levels of noise
SIGMA = LEVEL / 127.5


def posed(problem: str, images: np.ndarray) -> tuple[Any, Any]:
    """The operator, and its noisy measurement of each image: the same in every process."""
    operator = PROBLEMS[problem]()
    keys = [jax.random.key(index) for index in range(len(images))]
    return operator, jnp.stack(
        [jr.measure(operator, jnp.asarray(image), key, SIGMA) for image, key in zip(images, keys, strict=True)]
    )


class Ours:
    """This library's restorations, as `jr.restore` makes them."""

    def __init__(self, prior: jr.Prior):
        self.prior = prior

    def prepared(self, method: str, steps: int, operator: Any, sigma: float, own: bool) -> tuple[Any, dict]:
        """A function of measurements ``[b, ...]`` and a seed, and the settings it has: always its `own`."""
        rms = sigma_of(operator, sigma, operator(jnp.ones(self.prior.shape)))
        if method == "DiffPIR":
            settings: Any = jr.DiffpirSettings(steps=steps)
            walk: Any = jr.diffpir(self.prior, operator, settings=settings, sigma_y=rms)
        else:
            settings = jr.DdrmSettings(steps=steps)
            walk = jr.ddrm(self.prior, operator, settings=settings, sigma_y=rms)
        restore = lambda y, seed: np.asarray(jr.restore(walk, y, jax.random.key(seed)).image)  # noqa: E731
        return restore, values_of(settings)


def main() -> None:
    about = json.loads(sys.argv[1])
    prior = flowers.prior()
    images = np.stack(list(flowers.photographs(Path(about["data"]), "test", about["photographs"]).values()))
    facts: dict[str, Any] = {}
    if about["contestant"] == "jaxrestore":
        side: Any = Ours(prior)
    else:
        from deepinv_methods import Theirs

        side = Theirs(prior)
        facts["network differs"] = side.differs(images[:1])
        facts["operators differ"] = max(side.operator_differs(make(), images) for make in PROBLEMS.values())
    print(json.dumps(facts), flush=True)

    problems = cache(lambda problem: posed(problem, images))
    prepared = cache(lambda method, problem, own: side.prepared(method, STEPS, problems(problem)[0], SIGMA, own))
    for line in sys.stdin:
        asked = json.loads(line)
        which = slice(asked["start"], asked["start"] + asked["together"])
        y = jax.block_until_ready(problems(asked["problem"])[1][which])
        wall, cpu = time.perf_counter(), time.process_time()
        restore, settings = prepared(asked["method"], asked["problem"], asked["own"])
        found = restore(y, asked["seed"])
        answer = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "settings": settings}
        pairs = zip(as_stored(found), images[which], strict=True)
        answer["psnr"] = [float(metrics.psnr(jnp.asarray(a), jnp.asarray(b))) for a, b in pairs]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
