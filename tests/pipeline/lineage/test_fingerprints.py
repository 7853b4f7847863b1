"""The fingerprint of a stage or component holds all code that it can run, and no other."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rarelens.pipeline.lineage.canonical import canonical
from rarelens.pipeline.lineage.definitions import Source, read_module
from rarelens.pipeline.lineage.entries import Entries
from rarelens.pipeline.lineage.fingerprints import fingerprinted, write_fingerprints
from rarelens.pipeline.parameters.whole import read_parameters

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src/rarelens"
MODULES = sorted(file.relative_to(ROOT / "src").as_posix() for file in SOURCE.rglob("*.py"))
LEFT_OUT = ("rarelens/pipeline/tracking/", "rarelens/pipeline/lineage/", "rarelens/__init__.py")


@pytest.fixture(scope="module")
def fingerprints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Of the repository, by name; with the names of the definitions that each holds."""
    folder = tmp_path_factory.mktemp("fingerprints")
    whole = read_parameters(ROOT / "params.yaml")
    entries = Entries(whole.datasets, whole.networks, whole.methods, whole.adjustments)
    write_fingerprints(folder, ROOT / "stages", ROOT / "requirements.lock", entries)
    found = {}
    for name, start, closure in fingerprinted(ROOT / "stages", entries):
        content = json.loads((folder / f"{name}.json").read_text())
        assert content.items() >= closure.content().items()
        assert content["from"] == sorted(start)
        found[name] = content | {"names": [*closure.code]}
    assert len(found) == len([*folder.rglob("*.json")]) - 1  # names.json
    return found


# An independent closure, of files, without grimp.


def file_of(module: str) -> str | None:
    base = SOURCE.parent.joinpath(*module.split("."))
    for file in (base / "__init__.py", base.with_suffix(".py")):
        if file.is_file():
            return file.relative_to(ROOT / "src").as_posix()
    return None


def file_of_definition(name: str) -> str | None:
    return file_of(name) or file_of(name.rpartition(".")[0])


@cache
def imports(file: Path) -> frozenset[str]:
    """Files of rarelens that a file imports, with the packages around them."""
    names: set[str] = set()
    for node in _run(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            names |= {str(node.module), *(f"{node.module}.{each.name}" for each in node.names)}
        elif isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
    parents = {".".join(name.split(".")[:end]) for name in names for end in range(1, 9)}
    found = {file_of(name) for name in parents if name.startswith("rarelens")}
    return frozenset(each for each in found if each and not each.startswith(LEFT_OUT))


def _run(tree: ast.AST) -> list[ast.AST]:
    """The nodes of a file but for those below ``if TYPE_CHECKING``."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            found += [node, *_run(node)]
    return found


def reached(*files: Path) -> set[str]:
    found: set[str] = set()
    left = [file for each in files for file in imports(each)]
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += imports(ROOT / "src" / file)
    return found


def test_no_stage_holds_what_it_does_not_import(
    fingerprints: dict[str, dict[str, Any]],
) -> None:
    scripts = {f"stages/{file.stem}": file for file in (ROOT / "stages").glob("[!_]*.py")}
    assert {name for name in fingerprints if name.startswith("stages/")} == set(scripts)
    for name, script in scripts.items():
        held = {file_of_definition(each) for each in fingerprints[name]["names"] if "/" not in each}
        assert held <= reached(script)
        assert {"stages/_tree.py", f"{name}.py"} <= set(fingerprints[name]["files"])


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("methods/segmentation/focal", ["objectives/focal.py"]),
        (
            "methods/segmentation/asymmetric_combination",
            [
                "objectives/focal_margin.py",
                "objectives/cross_entropy.py",
                "regularisers/augmentation.py",
                "regularisers/adversarial.py",
                "regularisers/mixup.py",
            ],
        ),
        (
            "methods/segmentation/boundary",
            ["objectives/compound.py", "objectives/boundary.py", "objectives/dice.py"],
        ),
        ("methods/classification/weighted_sampling", ["objectives/bce.py", "sampling/weighted.py"]),
        ("networks/unet_large", ["networks/unet.py"]),
        (
            "adjustments/classification/classifier_retraining",
            ["retraining/classifier_retraining.py"],
        ),
        ("datasets/embedded", ["studies/data/segmentation/layouts/msd.py"]),
        ("datasets/nih_chestxray14", ["studies/data/classification/layouts/nih.py"]),
    ],
)
def test_a_component_holds_its_files_and_no_more_than_they_import(
    fingerprints: dict[str, dict[str, Any]], name: str, files: list[str]
) -> None:
    floor = "" if name.startswith("datasets/") else "components/"
    own = {f"rarelens/{floor}{file}" for file in files}
    around = {f"{folder}/__init__.py" for file in own for folder in Path(file).parents[:-2]}
    expected = own | around | reached(*(SOURCE.parent / file for file in own | around))
    held = {file_of_definition(each) for each in fingerprints[name]["names"]}
    assert own <= held <= expected


@pytest.mark.parametrize("module", MODULES)
def test_of_any_definition_an_edit_counts_and_a_comment_does_not(
    module: str, tmp_path: Path
) -> None:
    source = (ROOT / "src" / module).read_text()
    file = tmp_path / "module.py"

    def digests(text: str) -> dict[str, str]:
        file.write_text(text)
        table = read_module(Source("module", file, "", signatures=False))
        parts = table.definitions | {"": table.effects}
        return {name: canonical(nodes, {}, {}, table.scope) for name, nodes in parts.items()}

    before = digests(source)
    assert digests(f"# A comment.\n{source}\n\n# Another.\n") == before
    tree = ast.parse(source)
    for statement in tree.body:
        if not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            continue
        statement.body.append(ast.parse("edited = True").body[0])
        after = digests(ast.unparse(tree))
        statement.body.pop()
        changed = {name for name in before if before[name] != after[name]}
        assert changed == {statement.name if statement.name in before else ""}


def test_versions_of_numeric_packages_belong_to_whom_they_move(
    fingerprints: dict[str, dict[str, Any]],
) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    train = fingerprints["stages/train_segmentation"]["packages"]
    assert {"accelerate", "numpy", "torch"} <= set(train)
    assert f"torch=={train['torch']} " in lock
    assert "monai" in fingerprints["networks/unet"]["packages"]
    # Tools that only move files about.
    assert not {"dvc", "mlflow", "rich", "typer"} & set(train)
    assert "torch" not in fingerprints["stages/compare_segmentation"]["packages"]


class Copy:
    """A copy of the code in which files are edited; fingerprints are taken by the stage."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.python = python
        for name in ("src", "stages"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.egg-info"))
        for name in ("params.yaml", "requirements.lock"):
            shutil.copyfile(ROOT / name, folder / name)
        self.before = self.take()

    def copy(self, folder: Path) -> Copy:
        """Another one, to be edited."""
        shutil.copytree(self.folder, folder)
        other = copy(self)
        other.folder = folder
        return other

    def run(self) -> subprocess.CompletedProcess[str]:
        """The stage itself."""
        return subprocess.run(
            [self.python, "stages/fingerprint.py"],
            cwd=self.folder,
            env={"PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def take(self) -> dict[str, bytes]:
        done = self.run()
        assert done.returncode == 0, done.stderr
        target = self.folder / "fingerprints"
        return {
            file.relative_to(target).with_suffix("").as_posix(): file.read_bytes()
            for file in target.rglob("*.json")
        }

    def changed(self) -> set[str]:
        """Names of the fingerprints that differ from the repository's, which stages depend on."""
        after = self.take()
        changed = {name for name, text in after.items() if text != self.before.get(name)}
        return changed - {"names"}

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, warm: Path | None) -> Copy:
    """Do not edit it."""
    python = warm / "python" if warm else Path(sys.executable)
    return Copy(tmp_path_factory.mktemp("whole"), python)


@pytest.fixture
def edited(whole: Copy, tmp_path: Path) -> Copy:
    return whole.copy(tmp_path / "edited")


def test_an_edited_loss_changes_only_the_methods_that_are_made_of_it(edited: Copy) -> None:
    file = "src/rarelens/components/objectives/tversky.py"
    edited.edit(file, "from __future__", "# A comment.\nfrom __future__")
    assert edited.changed() == set()
    edited.edit(file, "    def __init__(", "    x = 1\n\n    def __init__(")
    assert edited.changed() == {
        "methods/segmentation/tversky",
        "methods/segmentation/focal_tversky",
    }


def test_an_import_inside_a_function_counts(edited: Copy) -> None:
    dice = "src/rarelens/components/dice.py"
    edited.edit(dice, "return ", "return 1 * ")
    assert "methods/segmentation/dice" not in edited.changed()
    edited.edit(
        "src/rarelens/components/objectives/dice.py",
        "    def __init__(",
        "    def late(self) -> None:\n        import rarelens.components.dice as late\n\n"
        "        late.mean_dice()\n\n    def __init__(",
    )
    before = edited.take()["methods/segmentation/dice"]
    edited.edit(dice, "return 1 * ", "return 2 * ")
    assert edited.take()["methods/segmentation/dice"] != before


def test_a_definition_that_is_not_used_and_a_message_change_nothing(edited: Copy) -> None:
    with (edited.folder / "src/rarelens/studies/files.py").open("a") as stream:
        stream.write("\n\nimport colorsys\n\n\ndef new() -> None:\n    colorsys.x()\n")
    edited.edit("src/rarelens/studies/building.py", "there is no {name!r}", "we know no {name!r}")
    assert edited.changed() == set()


def test_a_statement_with_effects_counts_wherever_its_module_is_imported(edited: Copy) -> None:
    with (edited.folder / "src/rarelens/studies/cells.py").open("a") as stream:
        stream.write("\n\nimport os\n\nos.environ['X'] = '1'\n")
    stages = {f"stages/{file.stem}" for file in (ROOT / "stages").glob("[!_]*.py")}
    without = {"stages/fingerprint", "stages/simulate"} | {
        f"stages/preprocess_{task}" for task in ("segmentation", "classification")
    }
    assert edited.changed() == stages - without


def test_a_new_component_changes_nothing_but_its_own_entry(edited: Copy) -> None:
    own = edited.folder / "src/rarelens/components/objectives/mine.py"
    shutil.copyfile(edited.folder / "src/rarelens/components/objectives/focal.py", own)
    assert edited.changed() == set()
    edited.edit(
        "params.yaml",
        "    focal: {objective: focal,",
        "    mine: {objective: mine}\n    focal: {objective: focal,",
    )
    assert edited.changed() == {"methods/segmentation/mine"}


def test_a_template_of_the_report_changes_the_report_alone(edited: Copy) -> None:
    edited.edit("src/rarelens/studies/reporting/page.html.j2", "<html", "<!-- edited --><html")
    assert edited.changed() == {"stages/report"}


def test_tracking_and_lineage_change_nothing(edited: Copy) -> None:
    for name in ("pipeline/tracking/live.py", "pipeline/lineage/stage.py", "__init__.py"):
        with (edited.folder / "src/rarelens" / name).open("a") as stream:
            stream.write("\nedited = True\n")
    assert edited.changed() == set()


def test_a_new_version_of_torch_changes_the_trainings_and_not_the_comparison(edited: Copy) -> None:
    edited.edit("requirements.lock", "torch==2.13.0", "torch==2.14.0")
    changed = edited.changed()
    assert {"stages/train_segmentation", "stages/train_classification"} <= changed
    assert not {"stages/compare_segmentation", "stages/report", "stages/simulate"} & changed


def test_a_component_that_does_not_exist_is_told(edited: Copy) -> None:
    edited.edit("params.yaml", "    focal: {objective: focal,", "    focal: {objective: vocal,")
    done = edited.run()
    assert done.returncode == 1
    assert (
        "methods.segmentation.focal: objectives: there is no 'vocal'; choose one of" in done.stderr
    )
    assert "Traceback" not in done.stderr
    # What stood before is whole.
    assert json.loads((edited.folder / "fingerprints/stages/report.json").read_text())["code"]


def test_code_that_is_no_python_is_told_with_its_line(edited: Copy) -> None:
    for file in ("src/rarelens/components/objectives/focal.py", "stages/report.py"):
        text = (edited.folder / file).read_text()
        (edited.folder / file).write_text(f"def (\n{text}")
        done = edited.run()
        assert done.returncode == 1
        assert f"{file}: line 1 is no Python; correct it" in done.stderr
        assert "Traceback" not in done.stderr
        (edited.folder / file).write_text(text)


def test_without_the_lock_of_packages_the_stage_says_so(edited: Copy) -> None:
    (edited.folder / "requirements.lock").unlink()
    done = edited.run()
    assert done.returncode == 1
    assert "error: requirements.lock: no such file" in done.stderr
    assert "Traceback" not in done.stderr
