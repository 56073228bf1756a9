"""The tables of the papers, a command each: for whoever has a prior and images, such as `celeba_hq` and CelebA.

    python experiments/papers.py shred-1 --prior PRIOR --data FOLDER --size smoke
    python experiments/papers.py bird-1 --prior PRIOR --data FOLDER --size full --lpips vgg16.pth vgg.pth --inception FILE

Tables: shred-1 to -6, bird-1 to -4, bird-fig-10, gen2res-1 and -2 (`papers_tables.py`), or several. `--size`: smoke (2
images, 2 iterations: does it run?), standard (16 images), full (the paper's number). `--folder NAME=PATH` is a row of images
that another program restored of `OUT/images/TABLE/TASK/input`, under the same names, in PATH/TASK or, for a table of one
task, in PATH; it is scored alike. Gen2Res takes the sub-folders of `--data` that are named as its data sets, or all as one.

Every row is kept with its settings in OUT; the same command goes on where it was killed, and writes `OUT/TABLE.md`, with the
paper's own figures beside (`papers_printed.json`); what can't be run is said there. To expect of `--size smoke`, flowers64
and two cores: a table within minutes.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flowers
import numpy as np
import papers_report as reporting
import workers
from papers_methods import Way, posed, prior_for, restored, ways
from papers_scores import Networks, distances, outsiders, scored, stored
from papers_tables import FOLDERS, TABLES, Table, Task
from workers import Row

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.errors import InputError, OutOfMemory
from jaxrestore.files.folders import list_images
from jaxrestore.files.images import as_stored, read_image, write_image

SIZES = {"smoke": (2, 2), "standard": (16, None), "full": (None, None)}  # images, iterations; None: the paper's
Images = dict[str, np.ndarray]


def images_of(data: Path, task: str, prior: jr.Prior, count: int | None) -> Images:
    """Photographs by name, spread over the folder, or over the test half of the flowers' tar."""
    if data.is_file():
        return flowers.photographs(data, "test", count or 100)
    folder = data / task if (data / task).is_dir() else data
    files = list_images(folder)
    count = len(files) if count is None else count
    if len(files) < count:
        raise InputError(f"{folder} has {len(files)} images, and {count} are asked for: give --size standard or smoke.")
    return {file.name: read_image(file, prior.shape[:2], "crop") for file in files[:: len(files) // count][:count]}


def tasks_of(table: Table, data: Path) -> Mapping[str, Task]:
    """The table's; of a table of folders those that are there, else all images as one."""
    there = [name for name in FOLDERS if (data / name).is_dir()]
    return table.tasks or {name: Task("blind") for name in there or [data.stem]}


def planned(
    name: str, prior: jr.Prior, tasks: Mapping[str, Task], images: dict[str, list[str]], few: int | None
) -> list[Row]:
    """What every row is known by; `images` are the names of each task's."""
    table, plan = TABLES[name], []
    for task, posed_as in tasks.items():
        rows = {"input": {}} | {way.label: way.settings for way in ways(table, posed_as, prior, few)}
        about = {"table": name, "prior": prior.name, "task": task}
        plan += [
            {**about, "method": method, "settings": settings, "image": image}
            for method, settings in rows.items()
            for image in images[task]
        ]
    return plan


class Failures(list[str]):
    """Sentences of what can't be run, each once."""

    def add(self, entry: Row, error: Exception) -> None:
        sentence = f"{entry['method']} on {entry['task']}: {error}"
        if sentence not in self:
            self.append(sentence)
            print(sentence, file=sys.stderr, flush=True)


def measure(
    name: str,
    task: str,
    posed_as: Task,
    images: Images,
    album: np.ndarray,
    options: Any,
    prior: jr.Prior,
    known: Networks,
) -> Failures:
    """The rows of a task that `options.out` doesn't hold; what can't be run is told and left out."""
    table, failures, kept = TABLES[name], Failures(), {}
    few = SIZES[options.size][1]
    found = {way.label: way for way in ways(table, posed_as, prior, few)}
    plan = planned(name, prior, {task: posed_as}, {task: list(images)}, few)
    outside = [
        {**plan[0], "method": label, "settings": {"folder": str(folder)}, "image": image}
        for label, folder in options.folder
        for image in images
        if (folder / task).is_dir() or len(tasks_of(table, options.data)) == 1
    ]
    for entry in workers.unmeasured([*plan, *outside], options.out):
        image = images[entry["image"]]
        clean = None if posed_as.task == "blind" and not table.degradation else image
        one = posed(table, posed_as, entry["image"], image, options.out / "given" / name / task)
        try:
            row: Row = {}
            if entry["method"] == "input":
                made = one.shown
            elif "folder" in entry["settings"]:
                made = outsiders(Path(entry["settings"]["folder"]), task, stored(options, entry), prior.shape[:2])
            else:
                way: Way = found[entry["method"]]
                made, row = restored(way, one, prior_for(way, one, prior, album, kept), table.memory)
        except (InputError, OutOfMemory) as error:
            failures.add(entry, error)
            continue
        write_image(stored(options, entry), made)
        row |= scored(as_stored(made), clean, one.blind, known)
        workers.append(options.out / "results-0.jsonl", {**entry, **row})
    if known.inception is not None:
        against = options.reference or "the clean images"
        distances([*plan, *outside], images, str(against), options, known.inception)
    return failures


def run(name: str, options: argparse.Namespace, prior: jr.Prior, networks: Networks) -> None:
    """Measure a table, and write it."""
    table, failures, plan = TABLES[name], Failures(), []
    count = SIZES[options.size][0] or table.images
    tasks = tasks_of(table, options.data)
    for task, posed_as in tasks.items():
        asked = None if count is None else count + min(table.personal, 2 * count)
        images = images_of(options.data, task, prior, asked)
        names = list(images) if count is None else list(images)[:count]
        album = np.stack([image for key, image in images.items() if key not in names] or [*images.values()][:1])
        restoring = {key: images[key] for key in names}
        failures += measure(name, task, posed_as, restoring, album, options, prior, networks)
        plan += planned(name, prior, {task: posed_as}, {task: names}, SIZES[options.size][1])
    rows = [row for row in workers.read_rows(options.out) if row["table"] == name and row["prior"] == prior.name]
    text = reporting.document(name, reporting.of_plan(rows, plan), failures, options.size)
    (options.out / f"{name}.md").write_text("\n".join(text))
    print("\n".join(text), flush=True)


def named(text: str) -> tuple[str, Path]:
    """A row's name and folder, of NAME=PATH."""
    name, _, path = text.partition("=")
    if not path or not Path(path).is_dir():
        raise argparse.ArgumentTypeError(f"--folder takes NAME=PATH, a name and a folder that is there, not {text!r}.")
    return name, Path(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="+", choices=list(TABLES))
    parser.add_argument("--prior", required=True, help="a name or a folder")
    parser.add_argument("--data", type=Path, required=True, help="a folder of images, or the flowers' eval.tar")
    parser.add_argument("--size", choices=list(SIZES), default="standard")
    parser.add_argument(
        "--folder", type=named, action="append", default=[], help="NAME=PATH of images restored elsewhere"
    )
    parser.add_argument("--lpips", type=Path, nargs=2, help="weights of the backbone, and of LPIPS's channels")
    parser.add_argument("--backbone", choices=("alex", "vgg"), default="vgg", help="of --lpips")
    parser.add_argument("--inception", type=Path, help="weights of FID's Inception")
    parser.add_argument("--reference", type=Path, help="images for FID; without: the clean ones")
    parser.add_argument("--out", type=Path, default=Path("out/papers"))
    options = parser.parse_args()
    workers.keep_programs(options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        lpips = None if options.lpips is None else metrics.load_lpips(options.backbone, *options.lpips)
        inception = None if options.inception is None else metrics.load_inception(options.inception)
        prior = jr.load_prior(options.prior)
        for name in options.table:
            run(name, options, prior, Networks(lpips, inception))
    except InputError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
