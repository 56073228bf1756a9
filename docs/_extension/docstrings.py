"""Docstrings as they stand in the source, made fit for Sphinx: text, signatures, and fields with the comments beside them."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, NamedTuple

from sphinx.application import Sphinx

CODE = re.compile(r"(``.*?``|`[^`]*`|:py:\w+:`[^`]*`)", re.DOTALL)
SPECIAL = re.compile(r"([*|\\]|(?<=\w)_(?=\W|$))")


def escaped(lines: list[str]) -> list[str]:
    """Text in which only code, links, lists and examples mean anything to reStructuredText."""
    blocks, example = [], False
    for line in lines:  # alternately text and examples, each to the next blank line
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not blocks or blocks[-1][0] != example:
            blocks.append((example, []))
        blocks[-1][1].append(line)
    made = []
    for example, block in blocks:
        text = "\n".join(block)
        if not example:
            parts = CODE.split(text)
            text = "".join(part if index % 2 else SPECIAL.sub(r"\\\1", part) for index, part in enumerate(parts))
        made += text.split("\n")
    return made


def tree_of(value: Any) -> tuple[str, Any] | None:
    """The source of a function or class, and its syntax tree; None where there is none."""
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(value)))
        return source, ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError):
        return None


class Field(NamedTuple):
    name: str
    annotation: str
    default: str  # "" where there is none
    comment: str


def _comments(source: str) -> tuple[dict[int, str], set[int]]:
    """By line, and the lines that are nothing else."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    found = {
        token.start[0]: (token.string.lstrip("# "), token.line.strip()[0] == "#")
        for token in tokens
        if token.type == tokenize.COMMENT
    }
    return {line: text for line, (text, _) in found.items()}, {line for line, (_, alone) in found.items() if alone}


def own_fields(cls: type) -> Iterator[Field]:
    """Those that the body of a class declares."""
    found = tree_of(cls)
    if found is None or not isinstance(found[1], ast.ClassDef):
        return
    comments, alone = _comments(found[0])
    for node in found[1].body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        line, above = node.lineno, node.lineno - 1
        words = [comments[above]] if above in alone else []
        words += [comments[at] for at in range(line, (node.end_lineno or line) + 1) if at in comments]
        default = "" if node.value is None else ast.unparse(node.value)
        made = re.search(r"default(?:_factory)?=([^,)]+)", default)
        if default.startswith("field("):
            default = made.group(1) if made else ""
        yield Field(node.target.id, ast.unparse(node.annotation), default, "; ".join(words))


def fields_of(cls: type) -> list[Field]:
    """Of a class without a constructor of its own, with what it inherits; a later one takes an earlier one's place."""
    found: dict[str, Field] = {}
    for base in reversed(cls.__mro__):
        if is_dataclass(base) or hasattr(base, "_fields"):
            found |= {field.name: field for field in own_fields(base)}
    return list(found.values())


def has_fields(value: Any) -> bool:
    """Whether its constructor takes its fields."""
    if not inspect.isclass(value):
        return False
    return hasattr(value, "_fields") or (is_dataclass(value) and "__init__" not in _written(value))


def _written(cls: type) -> set[str]:
    """The functions that the source of a class has."""
    found = tree_of(cls)
    body = found[1].body if found and isinstance(found[1], ast.ClassDef) else []
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def signature(
    app: Sphinx, what: str, name: str, value: Any, options: Any, given: str | None, returned: str | None
) -> Any:
    """As it is written, with types by the names that the source has for them."""
    if inspect.isclass(value) and "__init__" not in _written(value):
        if has_fields(value):
            return f"({', '.join(_parameter(field) for field in fields_of(value))})", None
        return None
    found = tree_of(value.__init__ if inspect.isclass(value) else value)
    if found is None or not isinstance(found[1], ast.FunctionDef):
        return None
    arguments, node = found[1].args, found[1]
    leading = arguments.posonlyargs or arguments.args
    if leading and leading[0].arg in ("self", "cls"):
        leading.pop(0)
    gives = None if node.returns is None or inspect.isclass(value) else ast.unparse(node.returns)
    return f"({ast.unparse(arguments)})", gives


def _parameter(field: Field) -> str:
    return f"{field.name} = {field.default}" if field.default else field.name


def docstring(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Escaped; of settings and results with their fields."""
    lines[:] = escaped(lines)
    if what == "class" and has_fields(value) and fields_of(value):
        lines += ["", ".. list-table::", "   :widths: auto", "   :class: fields", ""]
        for field in fields_of(value):
            default = f" = ``{field.default}``" if field.default else ""
            lines += [
                f"   * - ``{field.name}``{default}",
                f"     - {escaped([field.comment])[0] or '``' + field.annotation + '``'}",
            ]
        lines += [""]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-docstring", docstring)
    return {"parallel_read_safe": True}
