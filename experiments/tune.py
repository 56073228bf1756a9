"""How the settings of `flowers64` were chosen: what was tried, on photographs that appear in no table.

    python experiments/tune.py --data eval.tar

The photographs are of the tuning half (even positions). About half an hour on two cores; resumes; more photographs with
`--count`. Writes `docs/tuning.md`; the chosen settings stand in `jaxrestore/presets.py`.
"""

from typing import Any

import flowers
import numpy as np
from flowers import Setting


def tried(task: str, words: str, method: str = "bird", **changes: Any) -> Setting:
    """The tuned preset with changes, one restart."""
    return Setting(task, f"{method.upper()}, {words}", method, None, tuple(changes.items()), 1)


def settings() -> list[Setting]:
    made = []
    for task in ("denoise", "deblur", "super-resolution"):
        made += [tried(task, f"rate {rate}", noise_lr=rate) for rate in (0.02, 0.03, 0.05)]
    return made


def report(rows: list[dict], count: int) -> list[str]:
    """Markdown, from the results alone."""
    lines = ["# How the settings of flowers64 were chosen", ""]
    lines += [f"{count} photographs of the tuning half; made by `experiments/tune.py`, not by hand."]
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
    parser = flowers.parser(__doc__, "out/tune")
    parser.add_argument("--count", type=int, default=3, help="photographs")
    options = parser.parse_args()
    images = flowers.photographs(options.data, "tuning", options.count)
    chosen = [setting._replace(photographs=options.count) for setting in settings()]
    rows = flowers.results(chosen, images, options.out, options.workers)
    options.docs.mkdir(exist_ok=True)
    (options.docs / "tuning.md").write_text("\n".join(report(rows, len(images))))


if __name__ == "__main__":
    main()
