"""A definition that is changed changes the fingerprints that hold it, and no others."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

from rarelens.pipeline.lineage.closures import SIGNATURES, Closures
from rarelens.pipeline.lineage.definitions import Source
from rarelens.pipeline.lineage.entries import Entries, components, roots
from rarelens.pipeline.parameters.whole import read_parameters

ROOT = Path(__file__).parents[3]
SCRIPTS = sorted((ROOT / "stages").glob("[!_]*.py"))
# Of all definitions one in so many is changed; with 1 it takes a quarter of an hour.
STRIDE = int(os.environ.get("RARELENS_MUTATION_STRIDE", "17"))


@pytest.fixture(scope="module")
def entries() -> dict[str, set[str]]:
    """The names that the fingerprint of each component starts from."""
    whole = read_parameters(ROOT / "params.yaml")
    found = Entries(whole.datasets, whole.networks, whole.methods, whole.adjustments)
    return {name: roots(modules) for name, modules in components(found).items()}


def fingerprints(closures: Closures, entries: dict[str, set[str]]) -> dict[str, dict[str, str]]:
    found = {name: closures.of_names(names).code for name, names in entries.items()}
    return found | {script.stem: closures.of_script(script).code for script in SCRIPTS}


def test_a_changed_definition_changes_the_fingerprints_that_hold_it(
    entries: dict[str, set[str]], tmp_path: Path
) -> None:
    closures = Closures()
    before = fingerprints(closures, entries)
    modules = [name for name in closures.below("rarelens") if closures.module(name)]
    definitions = [(name, at) for name in modules for at, _ in enumerate(statements(name))]
    wrong, changed = {}, 0
    for number, (module, at) in enumerate(definitions[::STRIDE]):
        tree = ast.parse(file_of(module).read_text())
        statement = kept(tree)[at]
        if "__all__" in names(statement):
            continue
        expected = {
            name for name, code in before.items() if code.keys() & keys(closures, module, statement)
        }
        change(statement, number)
        file = tmp_path / "changed.py"
        file.write_text(ast.unparse(ast.fix_missing_locations(tree)))
        after = fingerprints(with_source(closures, module, file), entries)
        found = {name for name, code in after.items() if code != before[name]}
        changed += bool(found)
        if found != expected:
            wrong[module, *names(statement)] = found ^ expected
    assert not wrong
    assert changed > 1000 / STRIDE


def with_source(closures: Closures, module: str, file: Path) -> Closures:
    """Closures that know what all other modules are written like; and what those do that cannot
    import this one.
    """
    signatures = module.startswith(SIGNATURES)
    source = Source(module, file, closures.package(module), signatures=signatures)
    found = Closures()
    found._sources = closures._sources | {module: source}
    near = importers(module)
    found._modules = {name: own for name, own in closures._modules.items() if name not in near}
    found._parts = {key: own for key, own in closures._parts.items() if key[0] not in near}
    return found


@cache
def importers(module: str) -> set[str]:
    """It, the packages around it, what is in it, and all that import any of these, by grimp."""
    graph = imports()
    parts = module.split(".")
    near = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    near |= graph.find_descendants(module)
    return near.union(*(graph.find_downstream_modules(each) for each in near))


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("rarelens", cache_dir=None)


def file_of(module: str) -> Path:
    base = (ROOT / "src").joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def statements(module: str) -> list[ast.stmt]:
    return kept(ast.parse(file_of(module).read_text()))


def kept(tree: ast.Module) -> list[ast.stmt]:
    """Functions, classes and constants."""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    return [each for each in tree.body if isinstance(each, kinds)]


def names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    stored = (each for each in ast.walk(statement) if isinstance(each, ast.Name))
    return {each.id for each in stored if isinstance(each.ctx, ast.Store)}


def keys(closures: Closures, module: str, statement: ast.stmt) -> set[str]:
    table = closures.module(module)
    assert table
    return {
        f"{module}.{name}" if name in table.definitions else module for name in names(statement)
    }


def change(statement: ast.stmt, number: int) -> None:
    """Change one operator, comparison or value that counts; where there is none, add something."""
    places = [*parts(statement)]
    if places:
        node = places[number % len(places)]
        if isinstance(node, ast.BinOp):
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        elif isinstance(node, ast.Compare):
            node.ops[0] = ast.NotEq() if isinstance(node.ops[0], ast.Eq) else ast.Eq()
        elif isinstance(node, ast.Constant):
            node.value = f"{node.value}!" if isinstance(node.value, str) else not node.value
    elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        statement.body.append(ast.parse("edited = True").body[0])
    elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value:
        statement.value = ast.Tuple([statement.value, ast.Constant(1)], ast.Load())


def parts(node: ast.AST) -> Iterator[ast.AST]:
    """Operators and values outside annotations, docstrings and what is raised."""
    if isinstance(node, (ast.Raise, ast.JoinedStr)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ):
        return
    if isinstance(node, (ast.BinOp, ast.Compare, ast.Constant)):
        yield node
    for field, value in ast.iter_fields(node):
        if field not in ("annotation", "returns"):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    yield from parts(each)
