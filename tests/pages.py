"""Follow a page of the documentation: write its files, merge its parameters, run its commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from working_copy import ROOT, Project

BLOCK = re.compile(r'^( *)```(\w+)(?: title="([^"]+)")?\n(.*?)^\1```', re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code: its language, its title or nothing, and what stands in it."""

    kind: str
    title: str
    content: str


def blocks(page: str) -> list[Block]:
    """The blocks of code of a page in ``docs``, those in lists too."""
    found = BLOCK.findall((ROOT / "docs" / page).read_text("utf-8"))
    return [Block(kind, title, dedent(content)) for _, kind, title, content in found]


def follow(page: str, project: Project) -> list[str]:
    """Do what a page says, from its top to its end; returns what its commands have printed."""
    said = []
    for kind, title, content in blocks(page):
        if title == "params.yaml":
            project.change(lambda parameters, own=content: merge(parameters, YAML().load(own)))
        elif title:
            file: Path = project.folder / title
            file.write_text(_added(file, content) if kind == "diff" else content)
        elif kind == "sh":
            for line in content.splitlines():
                done = project.run(*shlex.split(line))
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
                said.append(done.stdout + done.stderr)
    return said


def _added(file: Path, diff: str) -> str:
    """The file with the lines of a diff that begin with + put behind those before them."""
    text = file.read_text()
    for hunk in re.findall(r"((?:^ .*\n)+)((?:^\+.*\n)+)", diff, re.MULTILINE):
        before, new = ("".join(re.findall(r"^.(.*\n)", own, re.MULTILINE)) for own in hunk)
        assert text.count(before) == 1, (
            f"{file}: {before!r} stands there {text.count(before)} times"
        )
        text = text.replace(before, before + new)
    return text


def merge(parameters: Any, new: Any) -> None:
    """Put the values of one mapping into another, the rest of which stays."""
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(parameters.get(key), dict):
            merge(parameters[key], value)
        else:
            parameters[key] = value
