"""Every task on photographs that chose no setting: BIRD and SHRED as shipped, and classical references tuned as they were.

    pip install bm3d
    python experiments/tasks_table.py --data eval.tar --stage classical
    python experiments/tasks_table.py --data eval.tar --stage ours
    python experiments/tasks_table.py --data eval.tar --stage report

SHRED is given what is free of noise (denoising: white noise, 30 grey levels), BIRD its published noise. "classical" tunes the
references and measures them; "samplers" does so with DDRM, DiffPIR and BlindDPS of a hundred steps; "ours" are the shipped
settings; "frozen" the same with the operator left at its start (blind tasks); "papers" the published settings, on four
photographs. A stage keeps its rows in `experiments/results/`, and "report" makes of these rows `docs/results.md` and, if all
of ours are there, the README's table and `docs/results.png`. `--task` and `--noise` take some; killed, a stage goes on
where it was. On two cores "classical" takes 35 minutes, "ours" 40, the others less.
"""

import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import classical
import flowers
import jax.numpy as jnp
import kept_rows
import numpy as np
import workers
from report import Parts, write
from tasks_report import BLIND, METHODS, NOISES, OWN, SAMPLERS, TOLD, WORDS, brief, document, unfinished
from variants import TRUE, Variant, measure, results
from workers import Row

import jaxrestore as jr
from jaxrestore.cli.tasks import TASKS
from jaxrestore.methods.settings import tried_of
from jaxrestore.operators import put_back

TUNING, TEST, OF_PAPERS = 8, 16, 4  # photographs
FEW = 4  # of those for tuning, for what takes a restoration a value
STAGES = ("classical", "samplers", "ours", "frozen", "papers", "report")
STEPS = 100  # of a sampler
ABOUT = ("task", "noise", "label")  # what a row that is kept is known by; its settings are the last ones measured
SCORES = (
    "input",
    "gmsd of the input",
    "psnr",
    "ssim",
    "gmsd",
    "restarts",
    "kernel_start",
    "kernel_found",
    "seconds",
    "spent",
)


def planned(stage: str, tasks: Sequence[str], noises: Sequence[str] = tuple(WORDS)) -> list[Variant]:
    """What a stage restores by a prior."""
    variants = []
    for task, (label, method) in product(tasks, METHODS.items()):
        if stage == "ours":
            variants.append(Variant(task, label, method, photographs=TEST))
        elif stage == "frozen" and task in BLIND and not _is_frozen(task, method):
            changes = (("operator_lr", 0.0), ("operator_every", 0))
            variants.append(Variant(task, f"{label}, frozen", method, changes=changes, photographs=TEST))
        elif stage == "papers" and label in TASKS[task].papers:
            variants.append(Variant(task, f"{label}, published", method, "published", photographs=OF_PAPERS))
    for task in tasks:
        if own := OWN[TASKS[task].method.name]:
            for noise in NOISES[task]:
                one = Variant(task, own, TASKS[task].method.name, None, photographs=TEST, given=noise)
                variants += [one] * (stage == "ours")
                frozen = (("operator_from", 1.0),)
                variants += [one._replace(label=f"{own}, frozen", changes=frozen)] * (stage == "frozen")
    return [variant for variant in variants if variant.noise in noises]


def _is_frozen(task: str, method: str) -> bool:
    """Whether the shipped settings leave the operator as it starts."""
    settings = Variant(task, "", method).settings()
    return settings.operator_every == 0 and settings.operator_lr == 0


def _problems(tasks: Sequence[str], noises: Sequence[str]) -> list[tuple[str, str]]:
    return [(task, noise) for task in tasks for noise in NOISES[task] if noise in noises]


def restored(variants: Sequence[Variant], images: dict[str, flowers.Photograph], options: Any) -> list[Row]:
    """Rows of these, an image each."""
    return [_in_short(row) for row in results(variants, images, options.out / options.stage, options.workers)]


def _in_short(row: Row) -> Row:
    told = {None: "", "auto": "", TRUE: "the noise's deviation"}
    return {**row, "told": told[row["sigma_y"]], "restarts": np.round(row["restarts"], 3).tolist()}


def samplers(tasks: Sequence[str], test: dict[str, flowers.Photograph], options: Any) -> list[Row]:
    """Rows of the sampler that people would use instead, an image each: its chief number tuned first, as ours were."""
    tuning = flowers.with_scenes(options.data, "tuning", FEW)
    out, problems = options.out / "samplers", _problems(tasks, options.noise)

    def work(index: int) -> None:
        workers.keep_programs(out)
        for task, noise in problems[index :: options.workers]:
            for variant in _tried(task, noise):
                measure(variant, tuning, out / "tuning", index)
            best, _ = _best(task, noise, tuning, out / "tuning")
            measure(best, test, out, index)

    workers.in_workers(work, out, options.workers)
    found = [_best(task, noise, tuning, out / "tuning") for task, noise in problems]
    kept_rows.kept("tasks_tuning", [tried for _, tried in found], ("task", "noise", "label", "tried"), "photographs")
    rows = workers.complete([entry for best, _ in found for entry in best.entries([*test])], out)
    return [_in_short(row) for row in rows]


def _tried(task: str, noise: str) -> list[Variant]:
    """A sampler with each value of its chief number."""
    label, method = SAMPLERS[task]
    ((number, values),) = tried_of(type(jr.published(method))).items()
    one = Variant(task, label, method, None, photographs=FEW, given=noise)
    return [one._replace(label=f"{label}, {value:g}", changes=(("steps", STEPS), (number, value))) for value in values]


def _best(task: str, noise: str, tuning: dict[str, flowers.Photograph], out: Path) -> tuple[Variant, Row]:
    """The value of the highest PSNR on the photographs for tuning, for all of the test half; and what was tried."""
    plan = _tried(task, noise)
    found = [workers.complete(one.entries([*tuning]), out) for one in plan]
    scores = [round(float(np.mean([row["psnr"] for row in rows])), 4) for rows in found]
    tried = [(dict(one.changes[1:]), score) for one, score in zip(plan, scores, strict=True)]
    about = {"task": task, "noise": noise, "label": SAMPLERS[task][0], "tried": tried, "photographs": [*tuning]}
    return _first(task, noise, scores), about


def _first(task: str, noise: str, scores: Sequence[float]) -> Variant:
    """Of the values that were tried the one of the highest score, for the test half."""
    best = _tried(task, noise)[int(np.argmax(scores))]
    return best._replace(label=SAMPLERS[task][0], photographs=TEST)


def references(tasks: Sequence[str], test: dict[str, flowers.Photograph], options: Any) -> list[Row]:
    """Rows of the classical references, tuned first; an image each."""
    tuning = flowers.with_scenes(options.data, "tuning", TUNING)
    out, about = options.out / "classical", ("task", "noise", "label")
    plan = [
        {
            "task": task,
            "noise": noise,
            "label": reference.label,
            "start": reference.start,
            "images": [*tuning, *test],
            "cut": flowers.is_cut(task),
        }
        for task, noise in _problems(tasks, options.noise)
        for reference in classical.references(task, noise)
    ]

    def work(index: int) -> None:
        workers.keep_programs(out)
        for entry in workers.unmeasured(plan[index :: options.workers], out):
            workers.append(out / f"results-{index}.jsonl", entry | _referred(entry, tuning, test, out / "given"))

    workers.in_workers(work, out, options.workers)
    rows = workers.complete(plan, out)
    tried = [{key: row[key] for key in (*about, "tried")} | {"photographs": [*tuning]} for row in rows]
    kept_rows.kept("tasks_tuning", tried, about, "photographs")
    return [one for row in rows for one in row["rows"]]


def _referred(
    entry: Row, tuning: dict[str, flowers.Photograph], test: dict[str, flowers.Photograph], folder: Path
) -> Row:
    """A reference's numbers, what was tried for them, and its rows on the photographs of the test half."""
    task, noise, label = (entry[name] for name in ("task", "noise", "label"))
    (reference,) = (one for one in classical.references(task, noise) if one.label == label)
    posed = [flowers.problem(task, noise, name, image, folder) for name, image in tuning.items()]

    def score(values: classical.Values) -> float:
        found = [flowers.scores(one, _restored(reference, one, values), one.clean) for one in posed]
        return round(float(np.mean([one["psnr"] for one in found])), 4)

    settings, tried = classical.tuned(reference, score)
    about = {
        "task": task,
        "noise": noise,
        "label": label,
        "settings": settings,
        "told": reference.told,
        "evaluations": 0,
    }
    rows = []
    for name, image in test.items():
        problem = flowers.problem(task, noise, name, image, folder)
        began = time.process_time()
        restored = _restored(reference, problem, settings)
        seconds, given = time.process_time() - began, flowers.scores(problem, flowers.shown(problem), problem.clean)
        row = {**about, "name": name, "input": given["psnr"], "gmsd of the input": given["gmsd"], "seconds": seconds}
        rows.append(row | flowers.scores(problem, restored, problem.clean))
    return {"tried": tried, "rows": rows}


def _restored(reference: classical.Reference, problem: flowers.Problem, values: classical.Values) -> np.ndarray:
    image = jnp.asarray(reference.restore(problem, values), jnp.float32)
    keep = problem.noise == "none"  # what was measured without noise is put back, as a restoration does
    return np.asarray(put_back(problem.truth, image, problem.y) if keep else image)


def pictured(task: str) -> list[tuple[str, Variant]]:
    """What the figure shows of a task with BIRD's noise, and the stage whose images it is among: the sampler and ours."""
    known, tuning = (task, "bird", SAMPLERS[task][0]), kept_rows.read("tasks_tuning")
    (tried,) = (row["tried"] for row in tuning if (row["task"], row["noise"], row["label"]) == known)
    sampler = _first(task, "bird", [score for _, score in tried])
    (shipped,) = (one for one in planned("ours", [task], ["bird"]) if one.method == TASKS[task].method.name)
    return [("samplers", sampler._replace(photographs=1)), ("ours", shipped._replace(photographs=1))]


def write_figure(images: dict[str, flowers.Photograph], out: Path, path: Path) -> None:
    """A row a task, all of the same photograph: input with BIRD's noise, sampler, ours, truth; what a tomograph sees.

    What `out` has no image of is restored first.
    """
    from jaxrestore.files.images import enlarge, read_image, strip, write_image

    name, strips = next(iter(images)), []
    file = f"{name.replace('/', '_')}.png"
    for task in TOLD:
        problem = flowers.problem(task, "bird", name, images[name], out / "given")
        shown = [flowers.shown(problem)]
        for stage, variant in pictured(task):
            measure(variant, images, out / stage, 0)
            shown.append(read_image(out / stage / "images" / variant.key / file))
        shown.append(problem.clean)
        if task == "tomography":
            shown = [np.where(flowers.circle(flowers.SIZE)[..., None], image, -1) for image in shown]
        strips.append(np.pad(strip(shown), ((0, 2), (0, 0), (0, 0)), constant_values=1.0))
    half = (len(strips) + 1) // 2
    columns = [np.concatenate(part) for part in (strips[:half], strips[half:])]
    columns[1] = np.pad(columns[1], ((0, len(columns[0]) - len(columns[1])), (12, 0), (0, 0)), constant_values=1.0)
    write_image(path, enlarge(np.concatenate(columns, axis=1), 2))


def parts() -> Parts:
    """Both documents, of the kept rows."""
    rows = kept_rows.read("tasks")
    return {("docs/results.md", ""): document(rows).split("\n"), ("README.md", "results"): brief(rows)}


def main() -> None:
    parser = workers.parser(__doc__, "out/tasks_table")
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--task", nargs="+", choices=TOLD, default=TOLD, help="some of the tasks")
    parser.add_argument("--noise", nargs="+", choices=list(WORDS), default=list(WORDS), help="some of the noises")
    options = parser.parse_args()
    images = flowers.with_scenes(options.data, "test", TEST)
    if options.stage != "report":
        if options.stage == "classical":
            made = references(options.task, images, options)
        elif options.stage == "samplers":
            made = samplers(options.task, images, options)
        else:
            made = restored(planned(options.stage, options.task, options.noise), images, options)
        about = (*ABOUT, "settings", "told", "evaluations")
        listed = [{key: row[key] for key in (*about, "name", *SCORES) if key in row} for row in made]
        kept_rows.kept("tasks", kept_rows.grouped(listed, about, "name"), ABOUT, "name")
        return
    waiting = unfinished(kept_rows.read("tasks"))
    if waiting:
        raise SystemExit(f"The documents wait for {', '.join(waiting)}: run the other stages for these.")
    write(options.docs.parent, parts())
    write_figure(images, options.out, options.docs / "results.png")


if __name__ == "__main__":
    main()
