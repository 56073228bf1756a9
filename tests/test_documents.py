"""What stands between markers in the documents is made of the kept rows, and of nothing else."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REPORTS = ("faces_report", "untold_report", "likelihood", "diip_rule", "partially_blind_report", "speed_report")
REPORTS += (
    "borders",
    "compare_deepinv",
    "compare_report",
    "kernels_report",
    "photographs",
    "tasks_table",
    "blind_table",
    "ffdnet",
    "full_depth",
    "gen2res_report",
    "kinds_of_photographs",
    "latent_cost",
    "memorisation",
    "quicker",
    "rectification_ablation",
    "rectification_calibration",
    "robustness_report",
    "scaling",
    "tiles",
    "tune",
)
WITHOUT_PYTHON = (
    "README.md",
    "versions",
)  # of rows of `speed.py` that don't say yet which Python they were measured with


@pytest.fixture
def experiment(monkeypatch):
    """An experiment's module by its name."""
    monkeypatch.syspath_prepend(ROOT / "experiments")
    return importlib.import_module


def texts(document):
    """What stands in a document: by marker, and the whole as nobody's."""
    text = (ROOT / document).read_text()
    marked = re.findall(r"<!-- ([^/].*?) -->\n(?:(.*?)\n)?<!-- /\1 -->", text, re.DOTALL)
    assert len(marked) == text.count("<!-- /")
    return {"": text, **dict(marked)}


@pytest.mark.parametrize("name", REPORTS)
def test_a_part_of_a_document_is_made_of_its_rows(experiment, name):
    parts = experiment(name).parts()
    assert parts
    for (document, marker), lines in parts.items():
        text = texts(document)[marker]
        assert text == "\n".join(lines), f"{document}, {marker}: not what experiments/{name}.py makes of its rows"
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert (text.count("|") > 10 and len(rows) > 2) or marker == "versions"  # more than a head


def test_the_versions_are_made_once_a_row_says_its_python(experiment):
    """Then the README's line is somebody's."""
    assert WITHOUT_PYTHON not in experiment("speed_report").parts()


def test_every_marked_part_is_somebodys(experiment):
    made = {part for name in REPORTS for part in experiment(name).parts()} | {WITHOUT_PYTHON}
    documents = ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
    marked = {(document, marker) for document in documents for marker in texts(document) if marker}
    assert marked == {part for part in made if part[1]}


def test_files_that_are_named_in_the_documents_for_developers_are_there():
    for document in ("CONTRIBUTING.md", "SECURITY.md", "docs/gpu.md"):
        text = (ROOT / document).read_text()
        named = set(re.findall(r"\b((?:jaxrestore|checkpoints_convert|experiments|tests|docs)/[\w./]*\w)", text))
        assert len(named) > 3
        missing = {name for name in named if not (ROOT / name).exists()}
        assert missing <= {"experiments/results/speed"}, document  # of two suffixes


def test_the_limits_that_are_promised_are_the_readers():
    limits = {
        "a pickle has at most 8 MiB": importlib.import_module("checkpoints_convert.pickles").LONGEST == 2**23,
        "at most 16 MiB and 32 levels": importlib.import_module("jaxrestore.diffusion.card").LONGEST == 2**24,
        "at most 100 million pixels": importlib.import_module("jaxrestore.files.opening").MAX_PIXELS == 100_000_000,
        "at most 1 GiB when unpacked": importlib.import_module("jaxrestore.files.expanding").LARGEST == 2**30,
        "ten formats": len(importlib.import_module("jaxrestore.files.opening").FORMATS) == 10,
        "JSON of known steps, at most 32": importlib.import_module("jaxrestore.operators.chains").MAX_STEPS == 32,
        "at most 16 MiB; pictures": importlib.import_module("jaxrestore.pages.records").LONGEST == 2**24,
    }
    text = (ROOT / "SECURITY.md").read_text()
    assert all(limits.values())
    assert [words for words in limits if words not in text] == []
