"""What a page is made of: figures, sliders between two pictures, tables, and the page around them."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxrestore.files.pictures import embedded
from jaxrestore.pages.markup import Html, element, joined

if TYPE_CHECKING:
    import PIL.Image

HERE = Path(__file__).parent
SMALL = 320  # pixels of the longer side, up to which a picture is enlarged with its pixels seen


def picture(image: "PIL.Image.Image", alt: str, class_: str | None = None) -> Html:
    """An image in the page itself."""
    return element("img", src=embedded(image), alt=alt, width=image.width, height=image.height, class_=class_)


def figure(image: "PIL.Image.Image", alt: str, caption: str, wide: bool = False) -> Html:
    """A picture and a line about it."""
    size = "wide" if wide else "small" if max(image.size) <= SMALL else None
    return element("figure", picture(image, alt), element("figcaption", caption), class_=size)


def slider(
    before: "PIL.Image.Image", after: "PIL.Image.Image", names: tuple[str, str], subject: str, caption: str = ""
) -> Html:
    """Two pictures of one size over each other, and a slider between them: left of it the first, right the second.

    It is moved by keys, by its thumb and on the pictures; without scripts half of each is seen.
    """
    first, second = names
    pictures = (picture(before, f"{subject}, {first}", "before"), picture(after, f"{subject}, {second}", "after"))
    range_ = element(
        "input",
        type="range",
        min=0,
        max=100,
        value=50,
        aria_label=f"{subject}: how much of it is seen {first} rather than {second}",
        data_before=first,
        data_after=second,
    )
    ends = element("div", element("span", first), range_, element("span", second), class_="ends")
    classes = "compare small" if max(before.size) <= SMALL else "compare"
    said = element("figcaption", caption) if caption else ""
    return element("figure", element("div", *pictures, class_="pair"), ends, said, class_=classes)


def table(
    head: Sequence[object], rows: Sequence[Sequence[object]], caption: str, means: int = 0, said: bool = True
) -> Html:
    """A table that scrolls where it is too wide, by keys as well; its last `means` rows sum up the others. Without `said` its
    caption is for screen readers alone, and stands above already."""
    body = [
        element(
            "tr",
            *(element("td", cell, class_="number" if _is_number(cell) else None) for cell in row),
            class_="mean" if index >= len(rows) - means else None,
        )
        for index, row in enumerate(rows)
    ]
    head_row = element("tr", *(element("th", cell, scope="col") for cell in head))
    inside = element("table", element("thead", head_row), element("tbody", *body))
    scrolled = element("div", inside, class_="scroll", tabindex=0, role="region", aria_label=caption)
    return joined([element("p", caption, class_="faint"), scrolled]) if said else scrolled


def _is_number(cell: object) -> bool:
    """Whether a cell must not be broken."""
    return isinstance(cell, Html) or (
        isinstance(cell, str) and len(cell) < 40 and set(cell) <= set("0123456789+-., []")
    )


def folded(summary: str, *content: object) -> Html:
    """What is seen when it is asked for."""
    return element("details", element("summary", summary), *content)


def document(title: str, *content: object) -> str:
    """The page: its style and script are in it, and it may load nothing else."""
    style, script = ((HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(style)),
    )
    body = element("body", element("main", element("h1", title), *content), element("script", Html(script)))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def paragraphs(*sentences: str) -> Html:
    return joined(element("p", sentence) for sentence in sentences if sentence)


def _hash(source: str) -> str:
    """By which a page's policy knows its own style and script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
