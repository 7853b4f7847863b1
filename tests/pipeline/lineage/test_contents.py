"""Two fingerprints tell by name what was edited, and not all that leads to it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from rarelens.pipeline.lineage.closures import Closure, Closures
from rarelens.pipeline.lineage.contents import Names, differences

BEFORE = {
    "a": "from rarelens.b import f\nfrom rarelens.c import N\ndef g(x): return h(x) * N\n"
    "def h(x): return f(x)\n",
    "b": "def f(x): return x + 1\ndef k(x): return k2(x)\ndef k2(x): return x\n",
    "c": "from rarelens.b import k\nN = 2\nM = 3\ndef other(): k(M)\n",
}


def closure(folder: Path, **files: str) -> Closure:
    (folder / "__init__.py").touch()
    for name, text in (BEFORE | files).items():
        (folder / f"{name}.py").write_text(text)
    return Closures(folder).of_names(["rarelens.a.g", "rarelens.c.other"])


def names(found: Closure) -> Names:
    grouped: dict[str, list[str]] = defaultdict(list)
    for name, own in found.code.items():
        grouped[own].append(name)
    return grouped


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("b", "x + 1", "x + 2", ["b.f changed"]),
        ("b", "def k2(x): return x", "def k2(x): return x + 1", ["b.k2 changed"]),
        ("c", "N = 2", "N = 3", ["c.N changed"]),
        ("a", "return f(x)", "return -f(x)", ["a.h changed"]),
        ("b", "def f(x): return x + 1", "def f(x): return new(x)\ndef new(x): return x + 4",
         ["b.f changed", "b.new now used"]),
        ("b", "return k2(x)", "return x + 4", ["b.k changed", "b.k2 no longer used"]),
        # Under another name as it was, it is not told.
        ("b", "def f(x): return x + 1", "def f(x): return -new(x)\ndef new(x): return x + 1",
         ["b.f changed"]),
        # What a definition calls is another, and nothing else: who calls it is told.
        ("a", "import f", "import k as f", ["a.h changed", "b.f no longer used"]),
    ],
)  # fmt: skip
def test_what_was_edited_is_told_by_its_name(
    tmp_path: Path, file: str, old: str, new: str, told: list[str]
) -> None:
    assert old in BEFORE[file]
    before = closure(tmp_path)
    after = closure(tmp_path, **{file: BEFORE[file].replace(old, new)})
    found = differences(before.content(), after.content(), names(before), names(after))
    assert sorted(found) == [f"rarelens.{each}" for each in told]


def test_without_the_names_of_before_what_is_new_is_told(tmp_path: Path) -> None:
    before = closure(tmp_path)
    after = closure(tmp_path, b=BEFORE["b"].replace("x + 1", "x + 2"))
    found = differences(before.content(), after.content(), {}, names(after))
    assert [*found] == ["rarelens.b.f changed"]


def test_files_are_told_by_their_paths() -> None:
    before = {"code": [], "files": {"a/x.j2": "1", "b": "1"}}
    after = {"code": [], "files": {"a/x.j2": "2", "c": "1"}}
    found = [*differences(before, after, {}, {})]
    assert found == ["a/x.j2 changed", "b no longer used", "c now used"]


def test_a_script_is_told_if_it_was_edited_itself(tmp_path: Path) -> None:
    script = tmp_path / "stages/own.py"
    script.parent.mkdir()

    def taken(text: str, **files: str) -> Closure:
        closure(tmp_path, **files)
        script.write_text(text)
        return Closures(tmp_path).of_script(script)

    body = "from rarelens.b import f, k\nprint(f(1), k(2))\n"
    before = taken(body)
    for text, files, told in [
        (body, {"b": BEFORE["b"].replace("x + 1", "x + 2")}, "rarelens.b.f changed"),
        (body.replace("f(1)", "f(2)"), {}, "stages/own.py changed"),
        (body.replace("f(1)", "k(1)").replace("k(2)", "f(2)"), {}, "stages/own.py changed"),
    ]:
        after = taken(text, **files)
        for old in (names(before), {}):
            found = differences(before.content(), after.content(), old, names(after))
            assert [*found] == [told]
