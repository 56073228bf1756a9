"""How a method is cited: BibTeX of its paper, and of this library."""

from functools import cache
from pathlib import Path

from jaxrestore import __version__
from jaxrestore.errors import InputError

LIBRARY = "jaxrestore"
KEYS = {  # a method's name, or its class's -> the entries of `papers.bib` that it stands in
    "bird": "chihaoui2024bird",
    "shred": "chihaoui2023shred",
    "dmplug": "wang2024dmplug",
    "naive-inversion": "wang2024dmplug",
    "d-flow": "benhamu2024dflow",
    "diip": "chihaoui2025diip",
    "invert2restore": "chihaoui2025invert2restore",
    "invert2restore-literal": "chihaoui2025invert2restore",
    "invert2restore-calibrated": "chihaoui2025invert2restore",
    "gen2res": "ding2024gen2res",
    "dreamclean": "xiao2024dreamclean",
    "dps": "chung2023dps",
    "pigdm": "song2023pigdm",
    "ddnm": "wang2023ddnm",
    "ddrm": "kawar2022ddrm",
    "diffpir": "zhu2023diffpir",
    "dpir": "zhang2021dpir",
    "blind-dpir": "zhang2021dpir",  # which it is after, too
    "repaint": "lugmayr2022repaint",
    "daps": "zhang2025daps",
    "pnp-flow": "martin2025pnpflow",
    "flowdps": "kim2025flowdps",
    "blind-diffpir": "zhu2023diffpir",  # which it is after: the method itself is the library's
    "fast-em": "laroche2024fastem",
    "blind-dps": "chung2023blinddps",
    "gdp": "fei2023gdp",
    "dip": "ulyanov2018dip",
    "selfdeblur": "ren2020selfdeblur",
}
OF_CLASSES = {  # whose names are not their methods'
    "partiallyblind": "invert2restore",
    "literalinvert2restore": "invert2restore-literal",
    "calibratedinvert2restore": "invert2restore-calibrated",
}


def citation(method: object = None) -> str:
    """BibTeX of the paper of a method, given by its name as `jaxrestore methods` lists it, or as an object; without one, of
    this library. Cite both.

    A `jr.shred` with the settings of DMPlug or of naive inversion is cited by those names. InputError for a method that is
    not the library's.

    >>> print(citation("pigdm").splitlines()[0])
    @inproceedings{song2023pigdm,
    >>> citation("bird") in entries().values()
    True
    """
    if method is None or method == LIBRARY:
        return library_entry()
    said = method if isinstance(method, str) else type(method).__name__
    names = {_plain(name): name for name in KEYS}
    name = OF_CLASSES.get(_plain(said)) or names.get(_plain(said))
    if name is None:
        raise InputError(f"No paper of {said!r} is known here; known: {', '.join(KEYS)}, and {LIBRARY} itself.")
    return entries()[KEYS[name]]


def library_entry() -> str:
    """BibTeX of this library, at this version."""
    fields = {
        "author": "{The jaxrestore authors}",
        "title": "{jaxrestore}: zero-shot, blind image restoration with diffusion priors in {JAX}",
        "version": __version__,
        "year": "2026",
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@software{{{LIBRARY},\n{lines}\n}}"


@cache
def entries() -> dict[str, str]:
    """The papers' entries, by key."""
    text = Path(__file__).with_suffix(".bib").read_text("utf-8")
    found = (entry.strip() for entry in text.split("\n\n"))
    return {entry.split("{", 1)[1].split(",", 1)[0]: entry for entry in found}


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
