"""The page of restorations: what `jaxrestore report` writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxrestore._files import write_aside
from jaxrestore.errors import ImageError, InputError
from jaxrestore.files.opening import open_image
from jaxrestore.files.pictures import reduced
from jaxrestore.methods import citation
from jaxrestore.pages.curves import logarithmic
from jaxrestore.pages.markup import Html, element, joined
from jaxrestore.pages.parts import document, figure, folded, paragraphs, slider, table
from jaxrestore.pages.records import Run, flat, listed, number, part, runs_of, short
from jaxrestore.pages.scores import anchor_of, method_of, score_table

if TYPE_CHECKING:
    import PIL.Image

SIDE, STRIP = 768, 1536  # pixels of a picture's longer side, beyond which a page holds it reduced
REDUCED = (
    f"Pictures of more than {SIDE} pixels a side (strips: {STRIP}) are reduced for this page, and large ones are JPEG."
)


def write_page(output: str | Path, runs: Sequence[str | Path], pictures: int = 50) -> int:
    """Write the page of the records, or of folders in which they lie: how many restorations there are on it.

    The first `pictures` of them are shown, all are in the table. InputError for a name that doesn't end in .html, for what
    can't be read or written, and where there is nothing to show. Not for jit: it reads and writes files.
    """
    output = Path(output)
    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{output} can't be written: a page's name ends in .html.")
    found = [run for path in runs for run in runs_of(Path(path))]
    if not found:
        raise InputError(
            "There is nothing to report: give a run.json, or a folder into which `jaxrestore restore` wrote."
        )
    page = page_of(found, pictures)
    write_aside(output, lambda aside: aside.write_text(page, "utf-8"))
    return len(found)


def page_of(runs: list[Run], pictures: int = 50) -> str:
    """The text of the page."""
    anchors = [anchor_of(run, index) if index < pictures else "" for index, run in enumerate(runs)]
    sections = [section(run, anchor) for run, anchor in zip(runs, anchors, strict=True) if anchor]
    left = len(runs) - len(sections)
    title = f"Restoration of {runs[0].name}" if len(runs) == 1 else f"{len(runs)} restorations"
    some = f"The first {len(sections)} are shown; the other {left} are in the table alone." if left else ""
    return document(
        title,
        paragraphs(some),
        score_table(runs, anchors),
        *sections,
        cited(runs),
        element("p", REDUCED, class_="faint"),
    )


def section(run: Run, anchor: str) -> Html:
    """One restoration: its pictures, how the search went, and how it was set."""
    record, options = run.record, part(run.record, "options")
    names = [method_of(run), short(options.get("task")), short(options.get("prior"))]
    about = " by ".join(name for name in (names[1], names[0]) if name) + (f", prior {names[2]}" if names[2] else "")
    novel = part(record, "novelty")
    score, limit = number(novel.get("score")), number(novel.get("limit"))
    unlike = ""
    if score is not None and limit is not None and score > limit:
        unlike = f"Unlike the photographs that the prior knows (novelty {score:.1f}, theirs is below {limit:g})."
    versions = [f"{short(name)} {short(value)}" for name, value in list(part(record, "versions").items())[:20]]
    device = [f"on {short(record.get('device'))}"] if record.get("device") else []
    said = f"Made with {', '.join([*versions, *device])}." if versions else ""
    return joined(
        [
            element("h2", run.name, id=anchor),
            paragraphs(f"{about}: {short(record.get('result'))}.".lstrip(": "), unlike),
            *shown_pictures(run),
            history(run),
            settings("Settings of the method", part(record, "method")),
            settings("Options of the command", options),
            element("p", said, class_="faint") if said else "",
        ]
    )


def shown_pictures(run: Run) -> list[Html]:
    """The slider, the reference, kernels, where restarts disagree, and the strip; a sentence for what can't be read."""
    read, missing = read_pictures(run)
    cut = parts_of_strip(run, read)
    small, large = [], []
    if {"measurement", "restored"} <= cut.keys():
        after = reduced(cut["restored"], SIDE)
        before = reduced(centred(cut["measurement"], cut["restored"].size), SIDE)
        small.append(slider(before, after, ("degraded", "restored"), run.name))
    elif "image" in read:
        small.append(figure(reduced(read["image"], SIDE), f"{run.name}, restored", "Restored"))
    if "reference" in cut:
        small.append(figure(reduced(cut["reference"], SIDE), f"{run.name}, the reference", "Reference"))
    if "kernel" in read:
        words = "Estimated kernels, each by its own largest weight"
        small.append(figure(reduced(read["kernel"], SIDE), f"{run.name}, estimated kernels", words))
    if "uncertainty" in read:
        largest = number(part(run.record, "uncertainty").get("largest"))
        words = "Where restarts disagree" + (f" (white: {largest:.1f} grey levels)" if largest is not None else "")
        small.append(figure(reduced(read["uncertainty"], SIDE), f"{run.name}, deviation of restarts", words))
    if "strip" in read:
        parts = ", ".join(cut) or "measurement, restored"
        large.append(figure(reduced(read["strip"], STRIP), f"{run.name}, strip: {parts}", f"Strip: {parts}", wide=True))
    return [element("div", *small, class_="pictures"), *large, paragraphs(*missing)]


def read_pictures(run: Run) -> "tuple[dict[str, PIL.Image.Image], list[str]]":
    """The pictures that the record says are there, by what they are; and a sentence for each that isn't, or can't be read."""
    beside = {"kernel": "estimated_kernels", "uncertainty": "uncertainty"}
    read, missing = {}, []
    for name in ("image", "strip", *(name for name, key in beside.items() if run.record.get(key))):
        path = getattr(run.files, name)
        try:
            read[name] = open_image(path).convert("RGB")
        except ImageError:
            missing.append(f"The picture {path.name} isn't there, or can't be read.")
    return read, missing


def parts_of_strip(run: Run, read: "dict[str, PIL.Image.Image]") -> "dict[str, PIL.Image.Image]":
    """Pictures cut from the strip, where the record says that they lie there; without the enlargement of small ones."""
    boxes = {name: listed(box) for name, box in part(run.record, "strip").items()}
    if "strip" not in read or not all(_is_inside(box, read["strip"].size) for box in boxes.values()):
        return {}
    image, (_, _, _, height) = read.get("image"), boxes.get("restored", [0] * 4)
    factor = 1 if image is None else max(1, height // image.height)
    names = [name for name in ("measurement", "restored", "reference") if name in boxes]
    crops = [read["strip"].crop((left, top, left + w, top + h)) for left, top, w, h in map(boxes.__getitem__, names)]
    return {name: crop.reduce(factor) if factor > 1 else crop for name, crop in zip(names, crops, strict=True)}


def _is_inside(box: list, size: tuple[int, int]) -> bool:
    if len(box) != 4 or not all(type(side) is int for side in box):
        return False
    left, top, width, height = box
    return 0 <= left < left + width <= size[0] and 0 <= top < top + height <= size[1]


def centred(image: "PIL.Image.Image", size: tuple[int, int]) -> "PIL.Image.Image":
    """On grey of that size: a measurement may lack an image's outer pixels. A larger one is reduced."""
    from PIL import Image

    if image.width > size[0] or image.height > size[1]:
        return image.resize(size)
    below = Image.new("RGB", size, (128, 128, 128))
    below.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return below


def history(run: Run) -> Html:
    """The data term of each search on the way."""
    kept = part(run.record, "history")
    at = [number(one) or 0.0 for one in listed(kept.get("iterations"))[:1000]]
    searches = [listed(one)[: len(at)] for one in listed(kept.get("data_terms"))[:100]]
    series = [[(one, number(value) or 0.0) for one, value in zip(at, terms, strict=False)] for terms in searches]
    each = "" if len(series) == 1 else f", a line for each of {len(series)} restarts"
    drawn = logarithmic(series, "iteration", "data term", f"{run.name}: the data term by iteration{each}")
    if not drawn:
        return Html("")
    return element("figure", drawn, element("figcaption", f"Data term by iteration{each}"), class_="wide")


def settings(title: str, values: dict) -> Html:
    pairs = flat(values)
    return folded(title, table(["setting", "value"], pairs, title, said=False)) if pairs else Html("")


def cited(runs: list[Run]) -> Html:
    """BibTeX of the methods, and of the library."""
    entries = []
    for name in dict.fromkeys(method_of(run) for run in runs):
        try:
            entries.append(citation(name) if name else "")
        except InputError:  # a method of somebody's own
            entries.append("")
    texts = [entry for entry in dict.fromkeys([*entries, citation()]) if entry]
    return joined([element("h2", "How to cite"), element("pre", "\n\n".join(texts))])
