"""Which trainings would each commit of the past have rerun, by modules and by definitions?

    python benchmarks/replay_history.py [--commits 60] [--train FOLDER] > docs/results/replay.md

For each commit that touches ``src/``, and its first parent, the code that a training of each
objective can run is digested twice: whole modules of its import closure (as rarelens did before),
and the definitions that it reaches. A training reruns if one differs.

With ``--train``, a tiny cell of each objective is trained before and after each commit that reruns
one by definitions: do the bytes of its weights differ, or of its model (card and history besides)?
Between such commits nothing reran, and so the models after one are to be those before the next.
Digests are kept in the folder; a commit takes half a minute (`replay_training`).
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from rarelens.pipeline.lineage.closures import WITHOUT_RESULT, Closure, Closures
from rarelens.pipeline.lineage.contents import differences
from rarelens.pipeline.lineage.definitions import Source
from rarelens.pipeline.lineage.digests import digest
from rarelens.pipeline.lineage.entries import roots
from rarelens.pipeline.lineage.modules import source_of

STAGES = {"segmentation": "train_segmentation", "classification": "train_classification"}
OBJECTIVES = "components/objectives"
# Beside it stands the code that trains, for its fixtures.
PLACE = "tests/studies/training/classification/conftest.py"


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

    def by_definitions(self, stage: str, objective: str) -> Closure:
        """The definitions that a training can reach."""
        module = f"rarelens.{OBJECTIVES.replace('/', '.')}.{objective}"
        names = roots({module}, self.root)
        return self.closures.of_script(self.folder / f"stages/{stage}.py", names)

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
            self._whole[key] = digest(text), names
        text, imported = self._whole[key]
        return text, set(imported)


def task_of(tree: Tree, objective: str) -> str:
    """Objectives of images see labels, those of volumes voxels."""
    source = (tree.root / OBJECTIVES / f"{objective}.py").read_text(encoding="utf-8")
    return "classification" if "_labels" in source else "segmentation"


Digests = dict[str, tuple[dict[str, str], Closure]]
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


def compared(
    commit: str, objectives: set[str] | None
) -> tuple[set[str], set[str], set[str], set[str]]:
    """Trainings in both commits, which rerun by modules and by definitions; what reran them."""
    before, after = digested(f"{commit}^"), digested(commit)
    shared = before.keys() & after.keys() & (objectives or before.keys())
    modules = {each for each in shared if before[each][0] != after[each][0]}
    definitions, reached = set(), set()
    for each in shared:
        old, new = before[each][1], after[each][1]
        if old.content() != new.content():
            definitions.add(each)
            names = by_digest(old), by_digest(new)
            told = differences(old.content(), new.content(), *names)
            reached |= {one.partition(" ")[0] for one in told}
    return shared, modules, definitions, reached


def by_digest(closure: Closure) -> dict[str, list[str]]:
    """Names of definitions by their digests."""
    found: dict[str, list[str]] = {}
    for name, own in closure.code.items():
        found.setdefault(own, []).append(name)
    return found


Trained = dict[str, tuple[str, str]]


def trained(commit: str, kept: Path) -> Trained:
    """By objective, digests of a tiny cell's weights and model, of a commit's code and methods."""
    made_of = ("src", "params.yaml", "tests/conftest.py", PLACE)
    trees = git("rev-parse", *(f"{commit}:{each}" for each in made_of)).decode().split()
    target = kept.resolve() / f"{'-'.join(tree[:10] for tree in trees)}.json"
    if not target.exists():
        with TemporaryDirectory() as folder:
            archive = git("archive", commit, "src", "tests", "params.yaml", "pyproject.toml")
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                tar.extractall(folder, filter="data")
            script = Path(folder, PLACE).with_name("test_replay.py")
            script.write_bytes(Path(__file__).with_name("replay_training.py").read_bytes())
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(script)],
                cwd=folder, check=True, stdout=sys.stderr, env=os.environ | {
                    "PYTHONPATH": f"{folder}/src", "OMP_NUM_THREADS": "1",
                    "REPLAY_PARAMETERS": f"{folder}/params.yaml", "REPLAY_TARGET": str(target),
                },
            )  # fmt: skip
    return {each: tuple(own) for each, own in json.loads(target.read_text()).items()}


def differing(first: Trained, second: Trained, which: int) -> set[str]:
    """The objectives in both whose weights (0) or models (1) differ."""
    shared = first.keys() & second.keys()
    return {each for each in shared if first[each][which] != second[each][which]}


@dataclass
class Count:
    """Trainings over all commits."""

    all: int = 0
    modules: int = 0
    definitions: int = 0
    weights: int = 0
    models: int = 0
    missing: list[str] = field(default_factory=list)


def rows(commits: list[str], kept: Path | None, count: Count) -> Iterator[str]:
    """A row of the table for each commit, newest first."""
    later = ""
    plain = {*trained(commits[0], kept)} if kept else None  # in params.yaml, and so trained
    for commit in commits:
        shared, modules, definitions, reached = compared(commit, plain)
        count.all += len(shared)
        count.modules += len(modules)
        count.definitions += len(definitions)
        truly = "|"
        if kept and (definitions or not later or commit == commits[-1]):
            after, before = trained(commit, kept), trained(f"{commit}^", kept)
            weights, changed = (differing(before, after, which) for which in (0, 1))
            truly = f"{len(weights)} | {len(changed)}"
            count.weights += len(weights)
            count.models += len(changed)
            unseen = {each for each in changed & shared if each not in definitions}
            count.missing += [f"{each} at {commit}" for each in sorted(unseen)]
            if later:
                unseen = differing(after, trained(f"{later}^", kept), 1)
                span = f"{commit}..{later}^"
                count.missing += [f"{each} in {span}" for each in sorted(unseen)]
            later = commit
        subject = git("log", "-1", "--format=%s", commit).decode().strip().replace("|", "/")
        why = ", ".join(name.removeprefix("rarelens.") for name in sorted(reached)[:2])
        row = f"| {commit} | {subject} | {len(modules)} | {len(definitions)} | {truly} | {why} |"
        print(row, file=sys.stderr, flush=True)
        yield row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--since", default="21d7663", help="when the folders had today's names")
    parser.add_argument("--until", default="HEAD")
    parser.add_argument("--train", type=Path, help="a folder for digests of trained weights")
    options = parser.parse_args()
    if options.train:
        options.train.mkdir(parents=True, exist_ok=True)
    span = f"{options.since}..{options.until}"
    commits = git("log", "--no-merges", "--format=%h", span, "--", "src").decode().split()
    count = Count()
    table = list(rows(commits[: options.commits], options.train, count))
    print(
        f"# Replay: what {len(table)} commits would have retrained\n\n"
        f"Made by `{' '.join(['python', *sys.argv])}`. One training an objective, of the study it\n"
        "is for; a commit's code against its parent's, at one set of parameters.\n\n"
        f"Of {count.all} trainings ({len(table)} commits), **{count.modules} rerun by modules, "
        f"{count.definitions} by definitions**."
    )
    if options.train:
        least = count.models
        print(
            f"\nA tiny cell of each was trained before and after each commit that reruns one: of "
            f"{count.weights} the weights\ndiffer, of {least} the model (its card or history). "
            f"Superfluous: {count.modules - least} by modules,\n{count.definitions - least} by "
            f"definitions. **Missing: {len(count.missing)}** (models differ, nothing reran). "
            f"{'; '.join(count.missing)}"
        )
    print(
        "\n| commit | what | by modules | by definitions | weights differ | models "
        "differ | first definitions that differ |\n|---|---|---|---|---|---|---|\n"
        + "\n".join(table)
    )


if __name__ == "__main__":
    main()
