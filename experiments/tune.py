"""How the settings of `flowers64` were chosen: what was tried, on photographs that appear in no table.

    python experiments/tune.py --data eval.tar

The photographs are of the tuning half (even positions). About half an hour on two cores; resumes; more photographs with
`--count`. Writes `docs/tuning.md`; the chosen settings stand in `jaxrestore/presets.py`.
"""

from typing import Any

import flowers
import numpy as np
import workers
from flowers import Setting


def tried(task: str, words: str, method: str = "bird", **changes: Any) -> Setting:
    """The tuned preset with changes."""
    return Setting(task, f"{method.upper()}, {words}", method, None, tuple(changes.items()), changes.get("restarts"))


WALKS = ((100, 60, 1), (200, 120, 1), (200, 60, 2), (333, 100, 2))  # skip, iterations, restarts: all of equal cost
FROZEN = {"operator_every": 0, "operator_lr": 0.0}


def settings() -> list[Setting]:
    """What is compared; a line that says "as tuned" has the shipped settings."""
    made = []
    for task in ("denoise", "inpaint", "motion-deblur", "blind-deblur", "blind-motion-deblur"):
        for skip, iterations, restarts in WALKS:
            walk = {"skip": skip, "iterations": iterations, "restarts": restarts}
            words = f"{1000 // skip} steps, {iterations} iterations, {restarts} restarts"
            made.append(tried(task, words, "bird", **walk))
            if task.startswith("blind"):
                made.append(tried(task, f"{words}, kernel frozen", "bird", **walk, **FROZEN))
    made += [tried("inpaint", f"rate {rate}", noise_lr=rate) for rate in (0.03, 0.1)]
    for task in ("denoise", "motion-deblur", "super-resolution"):  # what the frozen derivative holds constant
        for constant, words in (("frozen", "the noise"), ("frozen_v", "v"), ("frozen_x0", "x0")):
            made.append(tried(task, f"{words} constant", gradient=constant))
    for task in ("blind-deblur", "blind-motion-deblur"):
        made += [tried(task, "Adam on both, operator rate 0.01", operator_every=0, operator_lr=0.01)]
        made += [tried(task, "a wide start", start=1 / 6)]
    made += [tried("blind-deblur", "every weight of the kernel unknown", kernel="softmax", damping=2e-6)]
    made += [tried("blind-motion-deblur", f"damping {damping}", damping=damping) for damping in (2e-5, 2e-7)]
    made += [tried("blind-motion-deblur", "kernel steps from the start", operator_from=0.0)]
    return made


def report(rows: list[dict], count: int) -> list[str]:
    """Markdown, from the results alone."""
    lines = ["# How the settings of flowers64 were chosen", ""]
    lines += [f"Photographs of the tuning half: {count}; made by `experiments/tune.py`, not by hand."]
    for task in dict.fromkeys(row["task"] for row in rows):
        here = [row for row in rows if row["task"] == task]
        lines += [
            "",
            f"### {task}",
            "",
            "| setting | noise | input | PSNR | kernel, start | kernel, found | evaluations |",
        ]
        lines += ["|---" * 7 + "|"]
        for label in dict.fromkeys(row["label"] for row in here):
            group = [row for row in here if row["label"] == label]
            cells = [label, group[0]["noise"]]
            for key, form in (("input", ".2f"), ("psnr", ".2f"), ("start", ".3f"), ("similarity", ".3f")):
                cells.append(format(np.mean([row[key] for row in group]), form) if key in group[0] else "")
            lines.append(f"| {' | '.join([*cells, str(group[0]['evaluations'])])} |")
    return [*lines, ""]


def main() -> None:
    parser = workers.parser(__doc__, "out/tune")
    parser.add_argument("--count", type=int, default=2, help="photographs")
    options = parser.parse_args()
    images = flowers.photographs(options.data, "tuning", options.count)
    chosen = [setting._replace(photographs=options.count) for setting in settings()]
    rows = flowers.results(chosen, images, options.out, options.workers)
    options.docs.mkdir(exist_ok=True)
    (options.docs / "tuning.md").write_text("\n".join(report(rows, len(images))))


if __name__ == "__main__":
    main()
