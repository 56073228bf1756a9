"""Markup in which nothing is left unescaped: what isn't `Html` already is text."""

import html
import re
from collections.abc import Iterable
from typing import Any

VOID = {
    "img": ">",
    "input": ">",
    "meta": ">",
    "br": ">",
    "path": "/>",
    "line": "/>",
}  # elements without content, how they end


class Html(str):
    """Markup, made by `element` alone; any other text is escaped where it is put into one."""


def text(value: object) -> Html:
    """A value as text within markup: escaped, what no page can hold replaced.

    >>> text("<b> & \\ud800\\x00")
    '&lt;b&gt; &amp; ??'
    """
    if isinstance(value, Html):
        return value
    shown = str(value).encode("utf-8", "replace").decode("utf-8")
    return Html(html.escape(re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "?", shown)))


def element(tag: str, /, *content: object, **attributes: object) -> Html:
    """``<tag attribute="value">content</tag>``, everything in it escaped but what is `Html`.

    An attribute's underscores are hyphens, the last is dropped (``class_``); None or False leaves it out, True has no value.

    >>> element("a", "1 < 2", element("br"), href="#x", class_="wide")
    '<a href="#x" class="wide">1 &lt; 2<br></a>'
    """
    kept = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    said = "".join(_attribute(key, value) for key, value in kept if value is not None and value is not False)
    return Html(f"<{tag}{said}{VOID[tag]}" if tag in VOID else f"<{tag}{said}>{joined(content)}</{tag}>")


def joined(content: Iterable[Any]) -> Html:
    """One after the other."""
    return Html("".join(map(text, content)))


def _attribute(name: str, value: object) -> str:
    return f" {name}" if value is True else f' {name}="{text(str(value))}"'
