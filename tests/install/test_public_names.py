"""`import rarelens`: its names, to users and to type checkers, and what it loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import rarelens

PACKAGES = ["rarelens", *(f"rarelens.components.{kind}" for kind in (
    "objectives", "regularisers", "networks", "adjustments"))]  # fmt: skip


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_what_there_is(package):
    module = import_module(package)
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    (block,) = (
        node for node in tree.body if isinstance(node, ast.If) and "TYPE_CH" in ast.dump(node.test)
    )
    seen = {name.asname or name.name: node.module for node in block.body for name in node.names}
    assert sorted(seen) == sorted(set(module.__all__) - {"__version__"})
    for name, source in seen.items():
        found = getattr(module, name)
        origin = import_module(source)
        assert found is getattr(origin, name, None) or found.__name__ == f"{source}.{name}"
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = module.nothing


def test_every_name_is_listed():
    assert dir(rarelens) == rarelens.__all__ == sorted(rarelens.__all__)


def test_the_package_alone_loads_nothing():
    code = "import sys; before = set(sys.modules); import rarelens; print(*set(sys.modules)-before)"
    allowed = {"rarelens", "__future__", "importlib", "importlib._bootstrap", "typing"}
    heavy = {name.partition(".")[0] for name in run(code).split()} & {
        "torch", "numpy", "monai", "pandas", "scipy", "pydantic", "matplotlib",
    }  # fmt: skip
    assert heavy == set()
    ours = {name for name in run(code).split() if name.startswith("rarelens")}
    assert ours <= allowed


def test_a_loss_loads_torch_and_none_of_the_rest():
    code = (
        "import sys; from rarelens import objectives; objectives.FocalLoss; "
        "print(*({name.partition('.')[0] for name in sys.modules}"
        " & {'torch', 'monai', 'pandas', 'scipy', 'pydantic', 'matplotlib', 'safetensors'}))"
    )
    assert run(code) == "torch"


def test_a_missing_package_is_told_with_its_extra():
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "try: from rarelens import predict\n"
        "except ImportError as error: print(error)"
    )
    assert run(code).startswith("predict: ")
    assert run(code).endswith("; pip install 'rarelens[pipeline]'")
