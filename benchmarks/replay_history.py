"""Which trainings would each commit of the past have rerun, by modules and by definitions?

    python benchmarks/replay_history.py [--commits 60] > docs/results/replay.md

For each commit that touches ``src/``, and its first parent, the code that a training of each method
can run is digested twice: whole modules of its import closure (as rarelens did before), and the
definitions that it reaches. A training reruns if one differs.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from rarelens.pipeline.lineage.closures import WITHOUT_RESULT, Closures
from rarelens.pipeline.lineage.definitions import Source
from rarelens.pipeline.lineage.entries import roots
from rarelens.pipeline.lineage.modules import source_of
from rarelens.pipeline.lineage.syntax import digest

STAGES = {"segmentation": "train_segmentation", "classification": "train_classification"}
OBJECTIVES = "components/objectives"


def git(*arguments: str) -> bytes:
    """What git prints."""
    return subprocess.run(["git", *arguments], check=True, capture_output=True).stdout


class Shared(Closures):
    """Closures that parse a file once for all commits that have it."""

    parsed: ClassVar[dict[tuple[str, bytes], Source]] = {}

    def _source(self, name: str) -> Source | None:
        file = source_of(name, self._root)
        if name not in self._sources and file.is_file():
            key = name, file.read_bytes()
            found = self.parsed.get(key) or super()._source(name)
            self._sources[name] = found
            if found:
                self.parsed[key] = found
        return super()._source(name)


class Tree:
    """The code of one commit."""

    def __init__(self, commit: str, folder: Path) -> None:
        archive = git("archive", commit, "src", "stages")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        self.folder = folder
        self.root = folder / "src/rarelens"
        self.closures = Shared(self.root)
        self._whole: dict[str, tuple[str, set[str]]] = {}

    def objectives(self) -> list[str]:
        """The names of their files."""
        files = (self.root / OBJECTIVES).glob("[!_]*.py")
        return sorted(file.stem for file in files)

    def by_definitions(self, stage: str, objective: str) -> dict[str, str]:
        """Digests of the definitions that a training can reach."""
        module = f"rarelens.{OBJECTIVES.replace('/', '.')}.{objective}"
        names = roots({module}, self.root)
        return self.closures.of_script(self.folder / f"stages/{stage}.py", names).code

    def by_modules(self, stage: str, objective: str) -> dict[str, str]:
        """Digests of the modules in a training's import closure."""
        script = self.folder / f"stages/{stage}.py"
        text, left = self._module(script)
        found = {"script": text}
        left = left | {f"rarelens.{OBJECTIVES.replace('/', '.')}.{objective}"}
        while left:
            name = left.pop()
            file = source_of(name, self.root)
            if name in found or not file.is_file() or name.startswith(WITHOUT_RESULT):
                continue
            if name == "rarelens" or not name.startswith("rarelens."):
                continue
            found[name], further = self._module(file)
            left |= {*further, name.rpartition(".")[0]} - found.keys()
        return found

    def _module(self, file: Path) -> tuple[str, set[str]]:
        """Digest without docstrings, and all imports but those for type checkers."""
        key = str(file)
        if key not in self._whole:
            tree = ast.parse(file.read_bytes())
            documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            for node in ast.walk(tree):
                if isinstance(node, documented) and ast.get_docstring(node) is not None:
                    node.body = node.body[1:]
            text = ast.dump(tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                    node.body = [ast.Pass()]
            names: set[str] = set()
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    names |= {each.name for each in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    module = str(node.module)
                    names |= {module, *(f"{module}.{each.name}" for each in node.names)}
            self._whole[key] = digest([text]), names
        text, imported = self._whole[key]
        return text, set(imported)


def task_of(tree: Tree, objective: str) -> str:
    """Objectives of images see labels, those of volumes voxels."""
    source = (tree.root / OBJECTIVES / f"{objective}.py").read_text(encoding="utf-8")
    return "classification" if "_labels" in source else "segmentation"


Digests = dict[str, tuple[dict[str, str], dict[str, str]]]
known: dict[bytes, Digests] = {}


def digested(commit: str) -> Digests:
    """By objective, the digests of modules and of definitions."""
    trees = git("rev-parse", f"{commit}:src", f"{commit}:stages")
    if trees not in known:
        known[trees] = _digested(commit)
    return known[trees]


def _digested(commit: str) -> Digests:
    with TemporaryDirectory() as folder:
        tree = Tree(commit, Path(folder))
        stages = {each: STAGES[task_of(tree, each)] for each in tree.objectives()}
        return {
            each: (tree.by_modules(stage, each), tree.by_definitions(stage, each))
            for each, stage in stages.items()
        }


def compared(commit: str) -> tuple[int, set[str], set[str], set[str]]:
    """Trainings in both commits, which rerun by modules and by definitions; what reran them."""
    before, after = digested(f"{commit}^"), digested(commit)
    shared = before.keys() & after.keys()
    modules = {each for each in shared if before[each][0] != after[each][0]}
    definitions = {each for each in shared if before[each][1] != after[each][1]}
    reached = {
        name for each in definitions for name, _ in before[each][1].items() ^ after[each][1].items()
    }
    return len(shared), modules, definitions, reached


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--since", default="21d7663", help="when the folders had today's names")
    parser.add_argument("--until", default="HEAD")
    options = parser.parse_args()
    span = f"{options.since}..{options.until}"
    commits = git("log", "--no-merges", "--format=%h", span, "--", "src").decode().split()
    rows, total = [], [0, 0, 0]
    for commit in commits[: options.commits]:
        found = compared(commit)
        counts = [found[0], len(found[1]), len(found[2])]
        total = [had + each for had, each in zip(total, counts, strict=True)]
        subject = git("log", "-1", "--format=%s", commit).decode().strip().replace("|", "/")
        why = ", ".join(name.removeprefix("rarelens.") for name in sorted(found[3])[:2])
        rows.append(f"| {commit} | {subject} | {counts[1]} | {counts[2]} | {why} |")
        print(rows[-1], file=sys.stderr, flush=True)
    print(
        f"# Replay: what {len(rows)} commits would have retrained\n\n"
        f"Made by `python benchmarks/replay_history.py --until {options.until}`. One training "
        "an objective, of the study it "
        "is for; a commit's\ncode against its parent's, at one set of parameters.\n\n"
        f"Of {total[0]} trainings ({len(rows)} commits), **{total[1]} rerun by modules, "
        f"{total[2]} by definitions**.\n\n"
        "| commit | what | by modules | by definitions | first definitions that differ |\n"
        "|---|---|---|---|---|\n" + "\n".join(rows)
    )


if __name__ == "__main__":
    main()
