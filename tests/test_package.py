"""What importing costs, and which way the arrows point."""

import ast
import subprocess
import sys
from pathlib import Path

import jax

import jaxrestore
from jaxrestore import operators as ops

PACKAGE = Path(jaxrestore.__file__).parent


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_heavy_packages_wait_until_they_are_needed():
    heavy = "{'flax', 'orbax', 'tyro', 'tqdm', 'PIL', 'grain', 'safetensors', 'checkpoints_convert'}"
    for module, allowed in (("jaxrestore", set()), ("jaxrestore.cli.commands", {"tyro", "PIL"})):
        code = f"import sys, {module}; print(*{heavy} & set(sys.modules))"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert set(said.split()) == allowed


def test_methods_know_no_network_and_networks_no_restoration():
    for path in (PACKAGE / "methods").glob("*.py"):
        assert not any(name.startswith(("flax", "jaxrestore.networks")) for name in imports(path)), path
    for path in (PACKAGE / "networks").glob("*.py"):
        assert not any(name.startswith(("jaxrestore.methods", "jaxrestore.operators")) for name in imports(path)), path
    for path in PACKAGE.rglob("*.py"):
        foreign = ("torch",) if path.name in ("converting.py", "tensors_in.py") else ("checkpoints_convert", "torch")
        assert not any(name.startswith(foreign) for name in imports(path)), path


def test_structures_of_different_types_differ():
    """Or a program compiled for one would be taken for the other."""
    found = [jax.tree.structure(operator) for operator in (ops.Identity(), ops.Grayscale(), ops.Mask(None))]
    assert len({*found}) == 3
    assert all(one != other for i, one in enumerate(found) for other in found[:i])
