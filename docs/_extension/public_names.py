"""Pages of the public names, one for each folder, in the groups of `jaxrestore/__init__.pyi`; written into `docs/api/`."""

import ast
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx

import jaxrestore

STUB = Path(jaxrestore.__file__).with_suffix(".pyi")
Names = dict[str, str]  # the object's whole name, by that under which it is documented


def groups() -> dict[str, Names]:
    """The public names of the package by the folder (or file) that they come from, in the order of the stub."""
    found: dict[str, Names] = {}
    whole: list[str] = []
    for node in ast.parse(STUB.read_text("utf-8")).body:
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            home = str(node.module).split(".")
            if len(home) == 1:  # a folder that is public as a whole
                whole.append(alias.name)
            else:
                found.setdefault(home[1], {})[f"jaxrestore.{alias.name}"] = alias.name
    for folder in whole:
        names, module = found.setdefault(folder, {}), importlib.import_module(f"jaxrestore.{folder}")
        there = {whole_name.rsplit(".")[-1] for whole_name in names}
        names.update({f"jaxrestore.{folder}.{name}": name for name in module.__all__ if name not in there})
    return found


def directive(name: str, value: Any) -> list[str]:
    """What documents one object."""
    if isinstance(value, ModuleType):
        functions = [
            key for key, one in vars(value).items() if inspect.isfunction(one) and one.__doc__ and key[0] != "_"
        ]
        mine = [key for key in functions if getattr(value, key).__module__ == value.__name__]
        return [line for key in mine for line in directive(f"{value.__name__}.{key}", getattr(value, key))]
    if inspect.isclass(value) and issubclass(value, Exception):
        return [f".. autoexception:: {name}", ""]
    if inspect.isclass(value):
        return [f".. autoclass:: {name}", "   :members:", ""]
    return [f".. auto{'function' if callable(value) else 'data'}:: {name}", ""]


def documented(value: Any) -> bool:
    """Not so are numbers, tables, and names of types."""
    return isinstance(value, ModuleType) or inspect.isclass(value) or (callable(value) and hasattr(value, "__name__"))


def first_sentence(value: Any) -> str:
    from docstrings import escaped

    text = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
    sentence = re.split(r"(?<!\bal)\. ", text)[0]
    return escaped([sentence.rstrip(".:") + "."])[0]


def rank(item: tuple[str, Any]) -> tuple[bool, bool]:
    """Of methods the functions come first, and their settings last."""
    name, value = item
    return name.endswith("Settings"), inspect.isclass(value) and value.__module__.startswith("jaxrestore.methods.")


def page(group: str, names: Names) -> str:
    """A page: what the folder is for, a list, and every object with its docstring."""
    from docstrings import escaped

    module = importlib.import_module(f"jaxrestore.{group}")
    title = group.strip("_") if names else group
    lines = [title, "=" * len(title), "", *escaped((inspect.getdoc(module) or "").splitlines()), ""]
    values: dict[str, Any] = {}
    for name, short in names.items():
        home, _, _ = name.rpartition(".")
        value = getattr(importlib.import_module(home), short)
        if documented(value):
            values[name] = value
    values = dict(sorted(values.items(), key=rank))
    lines += [".. list-table::", "   :widths: auto", "   :class: names", ""]
    for name, value in values.items():
        shown = name.replace("jaxrestore.", "jr.")
        target = f":py:obj:`{shown} <{name}>`" if not isinstance(value, ModuleType) else f"``{shown}``"
        lines += [f"   * - {target}", f"     - {first_sentence(value)}"]
    lines += ["", ".. py:currentmodule:: jaxrestore", ""]
    for name, value in values.items():
        lines += directive(name, value)
    return "\n".join(lines)


def write(app: Sphinx) -> None:
    """The pages, and their index; what is unchanged is left alone, so that it isn't built anew."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    found = groups()
    pages = {group.strip("_"): page(group, names) for group, names in found.items()}
    title = "Public names"
    index = [
        title,
        "=" * len(title),
        "",
        "By the folder of the package that they come from: ``import jaxrestore as jr``.",
        "",
    ]
    index += ["Every example runs in the tests.", "", ".. toctree::", "   :maxdepth: 1", ""]
    pages["index"] = "\n".join([*index, *(f"   {name}" for name in pages), ""])
    for path in folder.glob("*.rst"):
        if path.stem not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
