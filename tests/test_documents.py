"""What stands between markers in the documents is made of the kept rows, and of nothing else."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REPORTS = ("faces_report", "untold_report", "likelihood", "diip_rule", "partially_blind_report", "speed_report")


@pytest.fixture
def experiment(monkeypatch):
    """An experiment's module by its name."""
    monkeypatch.syspath_prepend(ROOT / "experiments")
    return importlib.import_module


@pytest.mark.parametrize("name", REPORTS)
def test_a_document_is_that_of_its_rows(experiment, name):
    parts = experiment(name).parts()
    assert parts
    for (document, marker), lines in parts.items():
        text = (ROOT / document).read_text()
        if marker:
            (text,) = re.findall(f"<!-- {marker} -->\n(.*?)\n<!-- /{marker} -->", text, re.DOTALL)
        assert text == "\n".join(lines), f"{document}, {marker}: made by experiments/{name}.py, and changed since"
        assert text.count("|") > 10
