import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "experiments"


@pytest.mark.slow
def test_speed_measures_a_tiny_network_and_goes_on_where_it_was(tmp_path):
    command = [sys.executable, SCRIPTS / "speed.py", "--small", "--rounds", "2"]
    command += ["--out", tmp_path / "out", "--docs", tmp_path]
    subprocess.run(command, check=True, capture_output=True)
    rows = [json.loads(line) for line in (tmp_path / "out" / "speed.jsonl").read_text().splitlines()]
    found = {row["name"]: row for row in rows if row["race"] == "tiny"}
    assert len(found["jax frozen, 2 steps"]["seconds"]) == 2
    assert found["jax full, 2 steps"]["operations"] == pytest.approx(
        3 * found["jax frozen, 2 steps"]["operations"], rel=0.1
    )
    assert found["jax frozen, 2 steps"]["residual"] == pytest.approx(found["jax full, 2 steps"]["residual"], rel=1e-4)
    table = (tmp_path / "experiments" / "results" / "speed.md").read_text()
    assert "| jax full, 2 steps |" in table
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert again.stdout == ""  # nothing is measured twice
    assert (tmp_path / "experiments" / "results" / "speed.md").read_text() == table
