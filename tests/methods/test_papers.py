"""Every method can be cited, and what is cited is what the code says that it is."""

import re
from pathlib import Path

import jax.numpy as jnp
import pytest

import jaxrestore as jr
from jaxrestore import methods
from jaxrestore.cli.choices import CHOICES
from jaxrestore.methods.papers import KEYS, entries, library_entry

ROOT = Path(__file__).parent.parent.parent
NEEDED = {"inproceedings": {"author", "title", "booktitle", "year"}, "misc": {"author", "title", "year"}}
NEEDED["article"] = {"author", "title", "journal", "year"}
NEEDED["software"] = {"author", "title", "version", "year"}


def parsed(entry):
    """(kind, key, fields) of one BibTeX entry; an AssertionError for what is none."""
    head = re.match(r"@(\w+)\{(\w+),\n", entry)
    assert head
    assert entry.endswith("\n}")
    fields = {}
    for line in entry[head.end() : -2].split(",\n"):
        name, value = re.fullmatch(r"  (\w+) = \{(.+)\}", line).groups()
        depths = [value[:end].count("{") - value[:end].count("}") for end in range(len(value) + 1)]
        assert min(depths) == depths[-1] == 0, f"braces of {value}"
        assert name not in fields
        fields[name] = value
    return head[1], head[2], fields


def plain(text):
    return re.sub(r"[{}]", "", text)


def test_every_entry_is_bibtex_and_is_somebodys():
    assert {*KEYS.values()} == {*entries()}
    for key, entry in [*entries().items(), ("jaxrestore", library_entry())]:
        kind, found, fields = parsed(entry)
        assert (found, NEEDED[kind] - fields.keys()) == (key, set())
        assert re.fullmatch(r"20\d\d", fields["year"])
        assert all(
            re.fullmatch(r"[^,]+, [^,]+", name) for name in fields["author"].split(" and ") if kind != "software"
        )


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_a_method_is_cited_as_its_list_and_its_module_say(choice):
    _, _, fields = parsed(jr.citation(choice.name))
    if choice.name not in ("blind-diffpir", "blind-dpir"):  # the library's own
        year = re.search(r"20\d\d", choice.paper)[0]
        submitted = fields.get("howpublished", "")
        assert year == fields["year"] or year in submitted
    source = ROOT / "jaxrestore" / "methods" / f"_{choice.name.replace('-', '_')}.py"
    said = re.search(r"arXiv\s+(\d{4}\.\d{5})", source.read_text()) if source.exists() else None
    if said and "eprint" in fields:
        assert said[1] == fields["eprint"]


def test_a_method_object_is_cited_by_its_class():
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    for method, name in (
        (jr.bird(prior, jr.Identity()), "bird"),
        (jr.invert2restore(prior), "invert2restore"),
        (jr.invert2restore(prior, jr.Identity()), "invert2restore"),
        (jr.ddnm(prior, jr.Identity()), "ddnm"),
    ):
        assert jr.citation(method) == jr.citation(name)
    classes = [vars(methods)[name] for name in methods.__all__ if isinstance(vars(methods)[name], type)]
    own = [cls for cls in classes if issubclass(cls, jr.Method) and cls is not jr.Method]
    assert len(own) > 20
    assert all(jr.citation(object.__new__(cls)) in entries().values() for cls in own)
    with pytest.raises(jr.InputError, match="No paper of 'brid' is known"):
        jr.citation("brid")


def test_the_library_is_cited_by_its_version_and_its_file_names_the_same_papers():
    said = (ROOT / "CITATION.cff").read_text()
    assert f"version: {parsed(jr.citation())[2]['version']}\n" in said
    papers = {plain(parsed(entry)[2]["title"]) for entry in entries().values()}
    titles = re.findall(r'^    title: "(.*)"$', said, re.MULTILINE)
    assert len(titles) == 4
    assert {*titles} <= papers


def test_the_list_of_methods_cites(command):
    assert command("methods", "--cite", "bird") == (0, f"{jr.citation('bird')}\n\n{jr.citation()}\n", "")
    code, said, error = command("methods", "--cite", "brid")
    assert (code, said) == (2, "")
    assert "No paper of 'brid'" in error
