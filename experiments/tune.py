"""How the settings of `flowers64` were chosen: BIRD with several rates on photographs that appear in no table.

    python experiments/tune.py --data eval.tar

The photographs are of the tuning half (even positions). About 8 minutes on two cores; resumes; more photographs with
`--count`. Writes `docs/tuning.md`; the chosen settings stand in `jaxrestore/presets.py`.
"""

import flowers
import numpy as np
from flowers import Setting


def tuned(task: str, noise_lr: float, iterations: int, restarts: int, **more) -> Setting:
    """Rates that decay by a cosine, everything else as published."""
    changes = {"noise_lr": noise_lr, "iterations": iterations, "decay": "cosine", "operator_lr": 0.01, **more}
    words = [f"rate {noise_lr} cosine", f"{iterations} iterations", *(f"{key} {value}" for key, value in more.items())]
    return Setting(task, ", ".join(words), "paper", tuple(changes.items()), restarts, "mean")


SETTINGS = [
    *(tuned("denoise", rate, 60, 1) for rate in (0.01, 0.03, 0.05, 0.1)),
    *(tuned("inpaint", rate, 60, 1) for rate in (0.03, 0.05)),
    *(tuned("super-resolution", rate, 40, 2) for rate in (0.03, 0.05)),
    tuned("deblur", 0.03, 160, 1),
    tuned("blind-deblur", 0.03, 160, 1),
]


def report(rows: list[dict], count: int) -> list[str]:
    """Markdown, from the results alone."""
    lines = ["# How the settings of flowers64 were chosen", ""]
    lines += [f"BIRD on {count} photographs of the tuning half; made by `experiments/tune.py`, not by hand."]
    for task in dict.fromkeys(row["task"] for row in rows):
        here = [row for row in rows if row["task"] == task]
        given = np.mean([row["input"] for row in here])
        lines += ["", f"### {task} (input {given:.2f} dB)", ""]
        lines += [
            "| setting | restarts | PSNR of one | PSNR of their mean image | evaluations |",
            "|---|---|---|---|---|",
        ]
        for label in dict.fromkeys(row["label"] for row in here):
            group = [row for row in here if row["label"] == label]
            single, mean, cost = (np.mean([row[key] for row in group]) for key in ("single", "psnr", "evaluations"))
            lines.append(f"| {label} | {group[0]['restarts']} | {single:.2f} | {mean:.2f} | {cost:.0f} |")
    return [*lines, ""]


def main() -> None:
    parser = flowers.parser(__doc__, "out/tune")
    parser.add_argument("--count", type=int, default=3, help="photographs")
    options = parser.parse_args()
    images = flowers.photographs(options.data, "tuning", options.count)
    rows = flowers.results(SETTINGS, images, options.out, options.workers)
    options.docs.mkdir(exist_ok=True)
    (options.docs / "tuning.md").write_text("\n".join(report(rows, len(images))))


if __name__ == "__main__":
    main()
