"""Every task of SHRED and BIRD on photographs that chose no default.

    python experiments/tasks_table.py --data eval.tar

Rows of a task: SHRED without noise, BIRD with its published noise, each with its paper's settings if the paper has the task,
and with those tuned for `flowers64`; the tuned ones with the operator frozen at its start (blind tasks), some with four
restarts and with the full gradient; classical references. `--evaluations` is a budget of network evaluations, which decides
how many photographs a row gets (at most 20). The default ends within an hour on two cores; killed, it goes on where it was.
Writes `docs/results.md`, `docs/results.png` and the README's table. To expect: every tuned row above its input.
"""

from pathlib import Path

import flowers
import numpy as np
import workers
from classical import references
from report import insert
from variants import Variant, results
from workers import Row

from jaxrestore.cli.tasks import TASKS

TOLD = [name for name, task in TASKS.items() if task.method.name == "bird"]  # theirs; others have tables of their own
BLIND = [name for name in TOLD if TASKS[name].estimated]
WEIGHTS = {
    "tuned": 3.0,
    "blind": 4.0,
    "paper": 0.5,
    "restarts": 1.0,
    "full": 0.5,
}  # of a task's budget, on kinds of rows
DEAR = ("denoise", "inpaint", "motion-deblur", "blind-motion-deblur")  # with four restarts and with the full gradient
WORDS = {"bird": "BIRD's", "white": "30 grey levels", "none": "none"}
FIGURE = ("BIRD, tuned", "SHRED, tuned")


def planned(budget: int) -> list[Variant]:
    """All rows, with the photographs that the budget allows; those of a tuned row and its frozen twin are the same."""
    weighted: list[tuple[float, Variant]] = []
    for task in TOLD:
        for method, name, weight in (("bird", "BIRD", 1.0), ("shred", "SHRED", 0.8)):
            tuned = Variant(task, f"{name}, tuned", method)
            share = WEIGHTS["blind" if task in BLIND else "tuned"] * weight
            weighted.append((share, tuned))
            if task in BLIND:
                frozen = (("operator_lr", 0.0), ("operator_every", 0))
                weighted.append((share, tuned._replace(label=f"{name}, tuned, frozen", changes=frozen)))
            if name in TASKS[task].papers:
                weighted.append((WEIGHTS["paper"] * weight, Variant(task, f"{name}, paper", method, "published")))
        if task in DEAR:
            four = Variant(task, "BIRD, tuned, 4 restarts", changes=(("restarts", 4),))
            full = (("gradient", "full"), ("restarts", 1))
            weighted.append((WEIGHTS["restarts"], four))
            weighted.append((WEIGHTS["full"], Variant(task, "BIRD, tuned, full gradient, one restart", changes=full)))
    share = budget / sum(weight for weight, _ in weighted)
    return [one._replace(photographs=int(np.clip(weight * share / one.cost(), 1, 20))) for weight, one in weighted]


def table(task: str, rows: list[Row]) -> list[str]:
    """Markdown of one task. Gains are over the input of the same photographs."""
    here = [row for row in rows if row["task"] == task]
    blind = any("kernel_found" in row for row in here)
    heads = ["noise", "photographs", "input", "PSNR", "gain", "SSIM"]
    heads += ["kernel, start", "kernel, found"] * blind
    heads += ["first restart", "evaluations", "s/image"]
    lines = [f"| method | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for label, noise in dict.fromkeys((row["label"], row["noise"]) for row in here):
        group = [row for row in here if (row["label"], row["noise"]) == (label, noise)]

        def mean(key: str, form: str = ".2f", group: list[Row] = group) -> str:
            values = [row[key] for row in group if key in row]
            return format(np.mean(values), form) if values else ""

        gain = np.mean([row["psnr"] - row["input"] for row in group])
        cells = [WORDS[noise], str(len(group)), mean("input"), mean("psnr"), f"{gain:+.2f}", mean("ssim", ".3f")]
        cells += [mean("kernel_start", ".3f"), mean("kernel_found", ".3f")] * blind
        seconds = min(
            (row["seconds"] for row in group if "seconds" in row), default=None
        )  # the others may hold compilation
        cells += [mean("single"), mean("evaluations", ".0f"), "" if seconds is None else f"{seconds:.0f}"]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def summary(rows: list[Row], classics: list[Row]) -> list[str]:
    """The README's table: of each task the tuned defaults and the best classical reference, on the same photographs."""
    lines = [
        "| task | noise | photographs | input | classical | tuned default | its operator frozen | kernel, start to found |",
        "|---" * 8 + "|",
    ]
    for task in TOLD:
        for name in ("BIRD", "SHRED"):
            group = [row for row in rows if row["task"] == task and row["label"] == f"{name}, tuned"]
            names, noise = {row["name"] for row in group}, group[0]["noise"]

            def mean(rows: list[Row], key: str = "psnr", form: str = ".2f") -> str:
                return format(np.mean([row[key] for row in rows]), form) if rows and key in rows[0] else ""

            frozen = [row for row in rows if row["task"] == task and row["label"] == f"{name}, tuned, frozen"]
            named: dict[str, list[Row]] = {}
            for row in classics:
                if row["task"] == task and row["noise"] == noise and row["name"] in names:
                    named.setdefault(row["label"], []).append(row)
            best = max(named.items(), key=lambda item: np.mean([row["psnr"] for row in item[1]]), default=("", []))
            kernel = (
                f"{mean(group, 'kernel_start', '.3f')} to {mean(group, 'kernel_found', '.3f')}" if task in BLIND else ""
            )
            cells = [task, WORDS[noise], str(len(group)), mean(group, "input")]
            cells += [f"{mean(best[1])} {best[0]}".strip(), f"{mean(group)} {name}", mean(frozen), kernel]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def classical_rows(rows: list[Row], images: dict[str, np.ndarray], folder: Path) -> list[Row]:
    """Classical results on the photographs of the tuned rows."""
    classics = []
    for row in [row for row in rows if row["label"].endswith(", tuned")]:
        problem = flowers.problem(row["task"], row["noise"], row["name"], images[row["name"]], folder)
        for label, image in references(problem).items():
            scores = flowers.scores(row["task"] in BLIND, image.astype(np.float32), images[row["name"]])
            same = {key: row[key] for key in ("task", "noise", "name", "input")}
            classics.append({"label": label, **same, **scores})
    return classics


def write_figure(images: dict[str, np.ndarray], out: Path, path: Path) -> None:
    """A row a task, all of the same photograph: input with BIRD's noise, the tuned restorations, truth."""
    from jaxrestore.files.images import enlarge, read_image, strip, write_image

    name, strips = next(iter(images)), []
    for task in TOLD:
        seen = flowers.shown(flowers.problem(task, "bird", name, images[name], out / "given"))
        file = f"{name.replace('/', '_')}.png"
        restored = [read_image(out / "images" / task / label / file) for label in FIGURE]
        strips.append(np.pad(strip([seen, *restored, images[name]]), ((0, 2), (0, 0), (0, 0)), constant_values=1.0))
    half = (len(strips) + 1) // 2
    columns = [np.concatenate(part) for part in (strips[:half], strips[half:])]
    columns[1] = np.pad(columns[1], ((0, len(columns[0]) - len(columns[1])), (12, 0), (0, 0)), constant_values=1.0)
    write_image(path, enlarge(np.concatenate(columns, axis=1), 2))


def main() -> None:
    parser = workers.parser(__doc__, "out/tasks_table")
    parser.add_argument("--evaluations", type=int, default=130_000, help="budget of network evaluations")
    options = parser.parse_args()
    variants = planned(options.evaluations)
    images = flowers.photographs(options.data, "test", max(variant.photographs for variant in variants))
    rows = results(variants, images, options.out, options.workers)
    classics = classical_rows(rows, images, options.out / "given")
    lines = ["# Every task", "", (Path(__file__).parent / "results_about.md").read_text().strip(), ""]
    for task in TOLD:
        lines += [f"## {task}", "", *table(task, [*rows, *classics]), ""]
    options.docs.mkdir(exist_ok=True)
    pictures = (
        f"Input with BIRD's noise, {FIGURE[0]}, {FIGURE[1]} (of its own input), photograph; tasks as above, in columns."
    )
    lines += [pictures, "", "![Every task](results.png)", ""]
    (options.docs / "results.md").write_text("\n".join(lines))
    insert(options.docs.parent / "README.md", "results", summary(rows, classics))
    write_figure(images, options.out, options.docs / "results.png")


if __name__ == "__main__":
    main()
