"""Who races whom in `speed.py`: on a CPU, where an iteration takes seconds, and on an accelerator, where compiling does."""

import sys
from dataclasses import replace

from speed_programs import Contestant

PEAKS = [Contestant("matmul"), Contestant("convolution")]
FROZEN = Contestant()
Races = dict[str, list[Contestant]]


def beside(ours: list[Contestant], frameworks: tuple[str, ...]) -> list[Contestant]:
    """Each in JAX, then in the other frameworks."""
    return ours + [replace(one, framework=name) for name in frameworks for one in ours]


def races(accelerator: bool, torch: bool, small: bool) -> Races:
    """The contestants of each race; the first of a race is what the others are compared with."""
    other = ("eager", "compile") if torch else ()
    if small:
        return _tiny()
    return _on_accelerator(other) if accelerator else _on_cpu(other)


def _tiny() -> Races:
    tiny = replace(FROZEN, network="tiny", skip=500)
    both = [replace(tiny, what=what) for what in ("network", "frozen", "full")]
    return {"tiny": [*both, *PEAKS], "tiny, growth": [replace(tiny, size=32), replace(tiny, skip=200)]}


def _on_cpu(other: tuple[str, ...]) -> Races:
    eager = other[:1]
    kept = [replace(one, malloc=True) for one in beside([FROZEN], other)] if sys.platform == "linux" else []
    half = replace(FROZEN, dtype="bfloat16")
    found = {
        "flowers64": [
            replace(FROZEN, what="network"),
            *beside([FROZEN], other),
            *beside([replace(FROZEN, what="full")], eager),
            *kept,
            *beside([half], eager),
            *PEAKS,
        ],
        "flowers64, together": [one for n in (4, 16) for one in beside([replace(FROZEN, batch=n)], other)],
        "flowers64, batches": [
            *(one for n in (16, 64) for one in beside([replace(FROZEN, batch=n)], eager)),
            *(replace(FROZEN, batch=n, what="full") for n in (4, 16)),
            *PEAKS,
        ],
        "growth": [
            *(replace(FROZEN, size=size) for size in (64, 128, 256)),
            *(replace(FROZEN, skip=skip) for skip in (1000, 500, 200, 50)),
            *(replace(FROZEN, what="full", skip=skip) for skip in (1000, 200, 100, 50)),
            replace(FROZEN, iterations=10),
        ],
    }
    short = replace(FROZEN, network="celeba_hq", skip=500)
    found["celeba_hq"] = [
        replace(short, what="network"),
        *beside([short], other),
        *beside([replace(short, what="full")], eager),
        replace(short, batch=4),
        *PEAKS,
    ]
    single = replace(FROZEN, network="imagenet256", skip=1000)
    found["imagenet256"] = [replace(single, what="network"), *beside([single], eager), *PEAKS]
    return found


def _on_accelerator(other: tuple[str, ...]) -> Races:
    """All ten steps, float32 as the hardware has it (TF32 on NVIDIA's) and bfloat16; few contestants, as each compiles."""
    eager, peaks = other[:1], [replace(peak, dtype="bfloat16") for peak in PEAKS]
    half = replace(FROZEN, dtype="bfloat16")
    found = {
        "flowers64": [
            replace(FROZEN, what="network"),
            *beside([FROZEN], other),
            *beside([replace(FROZEN, what="full"), replace(FROZEN, batch=64), replace(half, batch=64)], eager),
            replace(FROZEN, precision="highest"),
            *peaks,
        ]
    }
    one, many = replace(FROZEN, network="celeba_hq"), replace(half, network="celeba_hq", batch=16)
    found["celeba_hq"] = [
        replace(one, what="network"),
        *beside([one], other),
        *beside([replace(one, what="full")], eager),
        *beside([many], other),
        replace(many, batch=1),
        replace(one, precision="highest"),
        *peaks,
    ]
    one, many = replace(one, network="imagenet256"), replace(many, network="imagenet256")
    found["imagenet256"] = [replace(one, what="network"), *beside([one, many], eager), *peaks]
    searches = [replace(half, batch=n) for n in (64, 256, 1024)]
    found["many searches"] = [*searches, *(replace(half, network="celeba_hq", batch=n) for n in (16, 64)), *peaks]
    return found
