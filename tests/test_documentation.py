"""What the documentation names is there: modules and their contents, files, links."""

from __future__ import annotations

import re
import runpy
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import rarelens
from working_copy import ROOT

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
FOLDERS = "src|stages|tests|docs|benchmarks|studies|components|measures|pipeline"
TAGS = {"rarelens.identity", "rarelens.origin", "rarelens.stale"}  # Of MLflow's runs.


def exists(name: str) -> bool:
    """Whether a dotted name is a module of rarelens, or something in one."""
    parts = name.split(".")
    for number in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:number]))
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("rarelens"):
                return True  # It is there, and wants what is not installed here (nnU-Net).
            continue
        for part in parts[number:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_everything_named_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    named = set(re.findall(r"\brarelens(?:\.\w+)+", text)) - TAGS
    assert [name for name in sorted(named) if not exists(name)] == []

    # Files that a page tells to write have a title.
    written = set(re.findall(r'title="([^"]+)"', text))
    files = set(re.findall(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./-]+", text)) - written
    places = (ROOT, ROOT / "src/rarelens", page.parent)
    missing = [file for file in files if not any((place / file).exists() for place in places)]
    assert sorted(missing) == []

    links = re.findall(r"\]\((?!http)([^)#]+?)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(("script", "page"), [("parameters", "parameters"), ("tables", "results")])
def test_the_reference_is_that_of_what_is_declared(script: str, page: str, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    written = runpy.run_path(f"docs/reference/{script}.py")["page"]()
    assert (ROOT / f"docs/reference/{page}.md").read_text("utf-8") == written, (
        f"run: python docs/reference/{script}.py"
    )


def test_the_site_leads_to_every_page() -> None:
    named = re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text("utf-8"))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES[3:]}
    assert set(named) == pages - {"results/hippocampus/cells.md"}  # A table beside its page.


def test_the_citation_is_of_this_version() -> None:
    found = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert found["version"] == rarelens.__version__
    assert (
        found["license"]
        == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]
    )
