"""What importing costs, which way the arrows point, and what the rooms are."""

import ast
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import jaxrestore
from jaxrestore import operators as ops

PACKAGE = Path(jaxrestore.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
# What each folder may import of the package, beside the files at its top. Networks know nothing of restoration, methods
# nothing of Flax, the library nothing of the command line.
ARROWS = {
    "networks": set(),
    "diffusion": {"networks"},
    "operators": set(),
    "simulate": {"operators", "files"},
    "density": {"diffusion", "files", "runtime"},
    "files": {"operators", "diffusion"},
    "metrics": {"operators"},
    "runtime": set(),
    "stopping": set(),
    "training": {"diffusion", "runtime", "files"},
    "pages": {"solve", "methods", "metrics", "files", "diffusion"},
    "methods": {"density", "operators", "diffusion", "training", "stopping", "networks"},
    "solve": {
        "methods",
        "stopping",
        "operators",
        "diffusion",
        "density",
        "metrics",
        "runtime",
        "training",
        "simulate",
        "files",
    },
}


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_heavy_packages_wait_until_they_are_needed():
    library = {"flax", "orbax", "tyro", "tqdm", "PIL", "grain", "safetensors", "checkpoints_convert", "huggingface_hub"}
    command_line = (library | {"jax", "numpy", "optax"}) - {"tyro"}
    everything = "import jaxrestore\nfor name in jaxrestore.__all__: getattr(jaxrestore, name)"
    for code, heavy in ((everything, library), ("import jaxrestore.cli.commands", command_line)):
        code = f"{code}\nimport sys; print(*{heavy} & set(sys.modules))"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert set(said.split()) == set()


def test_public_names_are_those_of_the_stub():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    (listed,) = (node.value for node in stub.body if isinstance(node, ast.Assign))
    assert ast.literal_eval(listed) == jaxrestore.__all__ == sorted(jaxrestore.__all__)
    assert {*jaxrestore.__all__, "__version__"} <= {*dir(jaxrestore)}
    assert jaxrestore.errors.InputError is jaxrestore.InputError
    with pytest.raises(AttributeError, match="module 'jaxrestore' has no attribute 'restoer'"):
        jaxrestore.restoer  # noqa: B018
    namespace: dict = {}
    exec("from jaxrestore import *", namespace)
    assert namespace["bird"] is jaxrestore.bird


@pytest.mark.parametrize("folder", [*ARROWS, "cli"])
def test_arrows_go_one_way(folder):
    allowed = {folder, *ARROWS.get(folder, ARROWS)}
    for path in (PACKAGE / folder).rglob("*.py"):
        for name in imports(ast.parse(path.read_text())):
            parts = name.split(".")
            inside = parts[0] == "jaxrestore" and (PACKAGE / parts[1]).is_dir()
            assert not inside or parts[1] in allowed, f"{path.relative_to(PACKAGE)} imports {name}"


def test_foreign_frameworks_stay_where_they_are_needed():
    for path in MODULES:
        folder, names = path.parent.name, list(imports(ast.parse(path.read_text())))
        if folder != "networks":
            assert not any(name.startswith("flax") for name in names), path
        reads_foreign = path.name in ("convert.py", "hub.py", "weights.py")
        foreign = ("torch",) if reads_foreign else ("checkpoints_convert", "torch")
        assert not any(name.startswith(foreign) for name in names), path


def test_no_function_has_the_name_of_its_module_and_no_module_knows_a_prior_by_name():
    for path in MODULES:
        tree = ast.parse(path.read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert path.stem not in functions, path
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        if path.parent.name != "cli":  # whose flags have a default
            assert "flowers64" not in texts, path


def test_rooms_are_small():
    assert {path.name: length for path in MODULES if (length := len(path.read_text().splitlines())) > 300} == {}


def test_no_operator_is_asked_for_its_class_outside_of_the_operators():
    operators = {name for name in ops.__all__ if name[0].isupper()} - {"Operator"}
    for path in MODULES:
        if path.parent.name == "operators":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
                asked = {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
                asked |= {part.attr for part in ast.walk(node.args[1]) if isinstance(part, ast.Attribute)}
                assert not asked & operators, f"{path}, line {node.lineno}"


def test_structures_of_different_types_differ():
    """Or a program compiled for one would be taken for the other."""
    structures = [jax.tree.structure(operator) for operator in (ops.Identity(), ops.Grayscale(), ops.AveragePool(2))]
    assert len({*structures}) == 3
    assert all(one != other for i, one in enumerate(structures) for other in structures[:i])
