"""Every parameter that a stage declares is read by code that the stage runs.

A declared section reruns its stage at a change of any of its fields; one that the stage's code
reads nowhere would rerun it for nothing. The search is over the syntax trees of all modules that
the stage can import: ``.field`` of a value whose class, where annotations tell it, is the
section's. A component's own options are no fields: `check_options` refuses those that are no
argument of it. Nor does anything below the stages read params.yaml by itself.
"""

from __future__ import annotations

import ast
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline.parameters.test_declared import (
    CALLS,
    ROOT,
    STAGES,
    Recorder,
    allow_all_code,
    filled,
    imported,
)
from rarelens.pipeline.lineage.closures import Closures
from rarelens.pipeline.lineage.modules import source_of

Function = ast.FunctionDef | ast.AsyncFunctionDef
# Names of classes; None where annotations do not tell.
Classes = frozenset[str] | None

# `cells` checks the whole of params.yaml, and `fingerprint` all that names a component: that is
# what they are for, and takes seconds.
NARROW = [name for name in STAGES if name not in ("cells", "fingerprint")]
CASES = [(name, name) for name in NARROW] + [("simulate", "classification:simulate")]
# What a stage keeps whole: the card of a model says how images are prepared for it; where anything
# of extraction changes, all extracts rerun, and browse follows these.
KEPT = {("train", "preprocess"), ("browse", "segmentation")}
CLOSURES = Closures()


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


@cache
def closure(script: str) -> list[str]:
    """All modules of ours that a stage's script can import."""
    return sorted(CLOSURES.of_script(ROOT / script).modules)


@cache
def reads_of(script: str) -> Reads:
    return Reads((ROOT / script, *map(source_of, closure(script))))


def fields(kind: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """The fields of the sections in a type, and of the sections in these, with their owner."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            tag = typing.get_origin(field.annotation) is typing.Literal
            # One of one value tells the sections of a union apart, and cannot change by itself.
            if not (tag and len(typing.get_args(field.annotation)) == 1):
                yield kind, name
            yield from fields(field.annotation)
    elif isinstance(kind, UnionType) or typing.get_origin(kind) is not None:
        for part in typing.get_args(kind):
            yield from fields(part)


def named(annotation: ast.expr | None) -> Classes:
    """The classes of an annotation such as ``Split``, ``Split | None`` or ``"Split"``."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return named(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return frozenset()
    if isinstance(annotation, ast.Name):
        return frozenset({annotation.id})
    if isinstance(annotation, ast.BinOp):
        left, right = named(annotation.left), named(annotation.right)
        return None if left is None or right is None else left | right
    return None


class Reads:
    """The fields that some files read: `of` a section."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self._found: list[tuple[Classes, str]] = []
        self._fields = {
            node.name: {
                each.target.id: each.annotation
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            }
            for file in files
            for node in ast.walk(tree(file))
            # A protocol stands for any class.
            if isinstance(node, ast.ClassDef) and "Protocol" not in map(ast.unparse, node.bases)
        }
        for file in files:
            self._visit(tree(file), {})

    def of(self, owner: type[BaseModel]) -> set[str]:
        own = {each.__name__ for each in owner.__mro__}
        return {field for classes, field in self._found if classes is None or classes & own}

    def _visit(self, node: ast.AST, names: Mapping[str, Classes]) -> None:
        if isinstance(node, Function):
            # Whether a section is well-formed changes no result.
            if any("validator" in ast.unparse(each) for each in node.decorator_list):
                return
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            known = {each.arg: self._known(each.annotation) for each in arguments}
            names = names | {key: value for key, value in known.items() if key != "self"}
        if isinstance(node, ast.ClassDef):
            names = {**names, "self": frozenset({node.name})}
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            self._found.append((self._class_of(node.value, names), node.attr))
        for child in ast.iter_child_nodes(node):
            self._visit(child, names)

    def _class_of(self, value: ast.expr, names: Mapping[str, Classes]) -> Classes:
        if isinstance(value, ast.Name):
            return names.get(value.id)
        if isinstance(value, ast.Attribute):
            owners = self._class_of(value.value, names) or frozenset()
            kinds = [self._fields[owner].get(value.attr) for owner in owners]
            return self._known(kinds[0]) if len(kinds) == 1 else None
        return None

    def _known(self, annotation: ast.expr | None) -> Classes:
        """The classes of an annotation, if all of them are of ours."""
        found = named(annotation)
        return found if found and found <= self._fields.keys() else None


class Kinds(Recorder):
    """A scope that remembers as what each path is read."""

    kinds: dict[str, Any]

    def get(self, path: str, kind: Any) -> Any:
        self.kinds[path] = kind
        return super().get(path, kind)


@pytest.mark.parametrize(("stage", "address"), CASES)
def test_each_field_of_a_declared_section_is_read_by_the_stages_code(
    stage: str, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, script, *arguments = filled(address, STAGES[stage]["cmd"]).split()
    module = imported(script)
    Kinds.declarations, Kinds.readings, Kinds.kinds = [], [], {}
    monkeypatch.setattr(module, "Scope", Kinds)
    for name in CALLS[stage]:
        monkeypatch.setattr(module, name, lambda *_, **__: [])
    allow_all_code(monkeypatch, tmp_path)
    module.main(*arguments)
    unread = [
        f"{path}: {owner.__name__}.{field}"
        for path, kind in Kinds.kinds.items()
        if (stage.partition(":")[2], path.rpartition(".")[2]) not in KEPT
        for owner, field in fields(kind)
        if field not in reads_of(script).of(owner)
    ]
    assert not unread, "\n".join(unread)


@pytest.mark.parametrize("stage", NARROW)
def test_nothing_below_a_stage_reads_all_parameters(stage: str) -> None:
    script = STAGES[stage]["cmd"].split()[1]
    modules = {*closure(script)} - {"rarelens.pipeline.parameters.reading"}
    assert "rarelens.pipeline.parameters.whole" not in modules
    for module in modules:
        nodes = list(ast.walk(tree(source_of(module))))
        taken = {
            each.name
            for node in nodes
            if isinstance(node, ast.ImportFrom)
            for each in node.names
            if node.module == "rarelens.pipeline.parameters.reading"
        }
        assert taken <= {"Scope", "check"}, module
        assert "params.yaml" not in {n.value for n in nodes if isinstance(n, ast.Constant)}, module


SOURCE = """
class Narrow(Section):
    width: int
    height: int
    depth: int

    @model_validator(mode="after")
    def _check(self):
        return self.depth

class Wide(Section):
    width: int

class Job:
    settings: Narrow | None

def area(settings: Narrow, job: Job, other):
    settings.depth = 3
    return settings.width * job.settings.height * other.length
"""


def test_a_read_counts_for_the_class_that_annotations_tell(tmp_path: Path) -> None:
    file = tmp_path / "source.py"
    file.write_text(SOURCE)
    reads = Reads((file,))
    narrow, wide = (type(name, (BaseModel,), {}) for name in ("Narrow", "Wide"))
    # Neither written nor checked is read; of an unknown class, it may be of any.
    assert {"width", "height", "depth"} & reads.of(narrow) == {"width", "height"}
    assert "width" not in reads.of(wide)
    assert "length" in reads.of(narrow) & reads.of(wide)
