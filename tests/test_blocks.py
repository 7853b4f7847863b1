"""Every block of code of every page is right, also where none runs it to the letter.

YAML is merged into ``params.yaml`` and checked as `rarelens validate` checks it, page by page from
its top. Of shells' commands each is one that there is, its words are read by its own parser, its
``-S`` change the parameters that there are. Python compiles, and imports what there is.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from dvc.cli.parser import DvcParser, get_main_parser
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML
from typer.main import get_command

from pages import Block, blocks, merge
from rarelens.pipeline.checks import check_study
from rarelens.pipeline.cli import app
from rarelens.pipeline.parameters.whole import Parameters
from rarelens.studies.settings.checking import check
from test_documentation import exists
from working_copy import ROOT

DOCS = ROOT / "docs"
PAGES = ["../README.md", "../CONTRIBUTING.md", "../SECURITY.md"]
PAGES += sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))

# Pages whose commands a test runs to the letter, from top to bottom.
FOLLOWED = {
    "tutorial.md": "end_to_end/test_pages.py",
    "how-to/add-a-layout.md": "end_to_end/test_pages.py",
    "how-to/add-a-loss.md": "end_to_end/test_pages.py",
    "how-to/add-a-measure.md": "end_to_end/test_pages.py",
    "how-to/add-a-network.md": "end_to_end/test_pages.py",
    "how-to/predict.md": "studies/models/test_examples.py",
    "how-to/diagnose-nnunet.md": "studies/diagnosis/test_pages.py",
    "how-to/diagnose-your-own.md": "studies/diagnosis/test_pages.py",
    "how-to/diagnose-in-pytorch.md": "studies/diagnosis/test_pages.py",
    "how-to/monai.md": "nnunet/test_monai.py",
}
HOURS = "hours of training, on data that are not in the repository"
# Pages whose commands are checked here only, and why.
CHECKED = {
    "../README.md": "the tutorial's commands, and hours of training",
    "explanation/costs.md": "half an hour of one core",
    "how-to/experiments.md": "workers of a queue; end_to_end/test_queue.py runs them, smaller",
    "how-to/launch.md": "a cluster; pipeline/launch/test_slurm.py has one of its own",
    "how-to/nnunet-trainers.md": "nnU-Net's environment; nnunet/test_trainers.py trains there",
    "how-to/own-dataset.md": "data that the reader has",
    "how-to/plan.md": "the tutorial's commands",
    "results/across.md": HOURS,
    "results/blood_cells.md": HOURS,
    "results/embedded.md": "hours of training",
    "results/emidec_findings.md": HOURS,
    "results/hippocampus.md": HOURS,
    "results/nih.md": HOURS,
    "results/nnunet.md": "nnU-Net's environment, and hours of training",
}
SHELLS = ("sh", "console")
OF_THE_SYSTEM = ("cd", "export", "git", "ln", "mkdir", "source")
OF_NNUNET = ("nnUNetv2_train", "nnUNetv2_predict", "nnUNet_train", "nnUNet_predict")
KNOWN = ("rarelens", "dvc", "python", "pytest", "make", "pip", *OF_NNUNET)
INLINE = re.compile(rf"(?<!`)`((?:{'|'.join(KNOWN)}) [^`·]+)`(?!`)")


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a shell's lines, those within ``$(…)`` too."""
    text = re.sub(r"^\$ ", "", text.replace("\\\n", " "), flags=re.MULTILINE)
    for line in text.splitlines():
        for inner in re.findall(r"\$\((.*?)\)", line):
            yield from commands(inner)
        words = shlex.shlex(line, posix=True, punctuation_chars="&;|")
        words.whitespace_split = True
        own: list[str] = []
        for word in [*words, ";"]:
            if not set(word) <= set("&;|"):
                own.append(word)
            elif own:
                yield own
                own = []


class Unfinished(Exception):
    """A command lacks arguments that it must have."""


@cache
def own_parameters() -> str:
    """``params.yaml``, as JSON, for that is read in no time."""
    return json.dumps(YAML(typ="safe").load(ROOT / "params.yaml"))


class Page:
    """A page that is read from its top, with the parameters as it has them so far."""

    def __init__(self, page: str, folder: Path) -> None:
        self.blocks = blocks(page)
        self.text = (DOCS / page).read_text("utf-8")
        self.written = {block.title for block in self.blocks}
        self.parameters = json.loads(own_parameters())
        self.changed = folder / "params.json"

    def check(self) -> None:
        """Read it all.

        Raises:
            AssertionError, or what a parser raises: for a block that is not right.
        """
        for block in self.blocks:
            if block.kind == "yaml":
                self.merge(block)
            elif block.kind == "json":
                json.loads(block.content)
            elif block.kind == "python":
                check_python(block.content)
            elif block.kind in SHELLS:
                for words in commands(block.content):
                    self.command(words)
        for inline in INLINE.findall(self.text):
            for words in commands(inline.replace("\n", " ")):
                with suppress(Unfinished):  # It names a command rather than to say all of it.
                    self.command(words)

    def merge(self, block: Block) -> None:
        assert block.title == "params.yaml", "say what it is part of"
        merge(self.parameters, YAML(typ="safe").load(block.content))
        self.check_parameters(self.parameters)

    def check_parameters(self, parameters: Any) -> None:
        # What stands on code that a page writes is checked by the test that follows it.
        if not any(title.startswith("src/") for title in self.written):
            assert check_study(check(parameters, Parameters, "")) == []

    def command(self, words: list[str]) -> None:
        name, *rest = words
        if name in OF_THE_SYSTEM or name in OF_NNUNET:
            return
        {
            "rarelens": check_rarelens,
            "dvc": self.dvc,
            "python": self.python,
            "pytest": lambda _: None,  # That its files are there test_documentation.py sees.
            "make": check_make,
            "pip": check_pip,
        }[name](rest)

    def dvc(self, words: list[str]) -> None:
        options = check_dvc(words)
        changes = [each for each in getattr(options, "set_param", ()) or () if "…" not in each]
        if changes:
            self.changed.write_text(json.dumps(self.parameters))
            apply_overrides(self.changed, changes)
            self.check_parameters(json.loads(self.changed.read_text()))

    def python(self, words: list[str]) -> None:
        if words[0] == "-m":
            assert find_spec(words[1])
        elif words[0] not in self.written:
            check_script(words)


def check_rarelens(words: list[str]) -> None:
    command, name, left = get_command(app), "rarelens", list(words)
    context = None
    try:
        context = command.make_context(name, left)
        while hasattr(command, "resolve_command"):
            left = [*context._protected_args, *context.args]
            name, command, left = command.resolve_command(context, left)
            context = command.make_context(name, left, parent=context)
    except Exception as error:
        # typer has a click of its own, whose exceptions have no public place.
        if type(error).__name__ in ("MissingParameter", "NoArgsIsHelpError"):
            raise Unfinished(str(error)) from error
        raise
    if name in ("launch", "repro"):
        check_dvc(["repro", *(context.params.get("targets") or context.args)])


def check_dvc(words: list[str]) -> argparse.Namespace:
    def refuse(_: DvcParser, message: str, *_others: object) -> None:
        lacking = "are required" in message or message.endswith("expected one argument")
        raise (Unfinished if lacking else AssertionError)(f"dvc {' '.join(words)}: {message}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DvcParser, "error", refuse)
        options = get_main_parser().parse_args(words)
    targets = options.targets if words[0] == "repro" else []
    for file, _, stage in (target.partition(":") for target in targets):
        if "…" not in file and "<" not in file:
            known = YAML(typ="safe").load(ROOT / file)["stages"]
            assert stage.partition("@")[0] in known
    return options


def check_script(words: list[str]) -> None:
    file, *arguments = words
    code = (ROOT / file).read_text("utf-8")
    if "ArgumentParser" not in code:
        assert not arguments or "sys.argv" in code
        return

    class Parsed(Exception):
        """The arguments are those of the script."""

    def parse(self: argparse.ArgumentParser, *given: Any) -> None:
        original(self, *given)
        raise Parsed

    original = argparse.ArgumentParser.parse_args
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse)
        patch.setattr(sys, "argv", [file, *arguments])
        patch.syspath_prepend((ROOT / file).parent)
        with pytest.raises(Parsed):
            runpy.run_path(str(ROOT / file), run_name="__main__")


def check_make(words: list[str]) -> None:
    rules = (ROOT / "Makefile").read_text("utf-8")
    for word in words:
        assert "=" in word or re.search(rf"^{re.escape(word)}:", rules, re.MULTILINE), word


def check_pip(words: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for own in re.findall(r"rarelens\[([\w,-]+)\]", " ".join(words)):
        assert set(own.split(",")) <= set(extras["optional-dependencies"])


def check_python(code: str) -> None:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("rarelens"):
            names = [f"{node.module}.{name.name}" for name in node.names]
            assert [name for name in names if not exists(name)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_right(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Page(page, tmp_path).check()


def test_every_page_with_commands_is_followed_or_it_is_said_why_not() -> None:
    found = {page for page in PAGES if any(block.kind in SHELLS for block in blocks(page))}
    assert found == FOLLOWED.keys() | CHECKED.keys()
    assert not FOLLOWED.keys() & CHECKED.keys()
    for page, test in FOLLOWED.items():
        assert page in (ROOT / "tests" / test).read_text("utf-8")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("yaml", "datasets:\n  mine:\n    layout: coco\n    preprocess: {size: [8, 8]}\n"),
        ("yaml", "study:\n  segmentation:\n    datasets: [nobody]\n"),
        ("sh", "rarelens plan --jsn\n"),
        ("sh", "rarelens diagnose file --test a\n"),
        ("sh", "dvc repro && dvc exp run --ques\n"),
        ("sh", "dvc repro studies/segmentation/dvc.yaml:training@one\n"),
        ("sh", "dvc exp run -S methods.segmentation.focus.gamma=3\n"),
        ("sh", "dvc exp run -S train.classification.steps=many\n"),
        ("sh", "python benchmarks/tails.py --study 3\n"),
        ("sh", "python docs/results/tables.py all\n"),
        ("sh", "python docs/results/pages.py\n"),
        ("sh", "make reproduction\n"),
        ("sh", "export HERE=$(rarelens nnunet where)\n"),
        ("sh", "rarelense plan\n"),
        ("sh", "pip install 'rarelens[everything]'\n"),
        ("python", "from rarelens import FocalLoss\n"),
        ("json", "{a: 1}\n"),
    ],
)
def test_a_block_that_is_wrong_is_seen(
    kind: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = Page("../SECURITY.md", tmp_path)
    page.blocks = [Block(kind, "params.yaml" if kind == "yaml" else "", content)]
    # Of many parsers.
    with pytest.raises((Exception, SystemExit)):
        page.check()
