import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_eight_devices_restore_as_one_does(tmp_path):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    environment = {**os.environ, "XLA_FLAGS": flags}
    script = Path(__file__).with_name("forced_devices.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path / "checkpoint"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "all equal" in done.stdout
