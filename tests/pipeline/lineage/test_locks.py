"""A lock written entry by entry has the bytes that DVC gives it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from dvc import dvcfile
from dvc.utils.serialize import load_yaml, modify_yaml

from rarelens.pipeline.lineage import locks, repro
from rarelens.pipeline.lineage.locks import KeptLocks

LOCK = Path(__file__).parents[3] / "studies/segmentation/dvc.lock"


def strange():
    """An entry of what YAML has ways of its own to write."""
    values = {"a": 1e-05, "b": None, "c": [], "d": "yes", "e": {"f": ["x: y"]}}
    outs = [
        {"path": "ä/ö", "md5": "0e1234", "size": 12},
        {"path": "n" * 140, "isexec": True},
    ]
    command = "python stages/x.py " + "a-long-name/" * 20
    return {"cmd": command, "params": {"params.yaml": values}, "outs": outs}


def aliased():
    """An entry of parameters of which one is an alias of another."""
    size = [48, 48, 16]
    return {"cmd": "a && b", "params": {"params.yaml": {"patch": size, "window": size}}}


def test_it_has_the_bytes_of_dvc(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs/dvc.lock", tmp_path / "ours/dvc.lock"
    for file in (theirs, ours):
        file.parent.mkdir()
        file.write_text("\n  ".join(re.split(r"\n  (?=\w)", LOCK.read_text())[:6]) + "\n")
    kept = KeptLocks()
    names = list(modified(theirs, modify_yaml, lambda stages: None))
    changes = (
        lambda stages: None,
        lambda stages: stages.update({names[0]: strange()}),
        lambda stages: stages.update({"train@" + "n" * 150: strange(), names[1]: strange()}),
        lambda stages: stages.pop(names[0]),
        lambda stages: stages.update({names[0]: {"cmd": "echo # no comment"}}),
        lambda stages: stages.update({names[2]: strange()}),
        lambda stages: stages.update({names[2]: aliased(), names[3]: aliased()}),
        lambda stages: stages.update({names[4]: aliased()}),
        lambda stages: stages.update({names[3]: strange()}),
    )
    for change in changes:
        for file, modify in ((theirs, modify_yaml), (ours, kept)):
            modified(file, modify, change)
        assert ours.read_bytes() == theirs.read_bytes()
        assert load_yaml(ours) == load_yaml(theirs)
    assert b"&id002" in ours.read_bytes()
    assert b"echo # no comment" in ours.read_bytes()


def modified(file, modify, change):
    with modify(file) as data:
        change(data["stages"])
        return data["stages"]


def test_one_that_others_write_is_read_again_and_a_failure_leaves_no_trace(tmp_path: Path) -> None:
    file, kept = tmp_path / "dvc.lock", KeptLocks()
    with kept(file) as data:
        data.update({"schema": "2.0", "stages": {"a": {"cmd": "x"}}})
    whole = file.read_text()
    assert whole == "schema: '2.0'\nstages:\n  a:\n    cmd: x\n"
    with pytest.raises(ZeroDivisionError), kept(file) as data:
        data["stages"]["b"] = 1 / 0 if data["stages"].pop("a") else None
    with kept(file):
        pass
    assert file.read_text() == whole
    file.write_text(whole.replace("x", "y"))
    with kept(file) as data:
        data["stages"]["b"] = {"cmd": "z"}
    assert file.read_text() == "schema: '2.0'\nstages:\n  a:\n    cmd: y\n  b:\n    cmd: z\n"


@pytest.mark.parametrize("aliases", [False, True])
def test_repro_parses_a_lock_once_and_leaves_what_dvc_leaves(
    aliases: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    parse = locks.parse_yaml_for_update
    monkeypatch.setattr(
        locks, "parse_yaml_for_update", lambda text, path: parsed.append(path) or parse(text, path)
    )
    left = []
    for name in ("dvc", "rarelens"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        dvc = Path(sys.executable).with_name("dvc")
        for command in (["git", "init", "-q"], [dvc, "init", "-q"]):
            subprocess.run(command, check=True)
        Path("params.yaml").write_text("x: &same [1, 2]\ny: *same\n" if aliases else "x: 1\ny: 2\n")
        Path("dvc.yaml").write_text(
            "stages:\n  make:\n    foreach: [a, b, c]\n    do:\n      cmd: echo ${item} > ${item}\n"
            "      params: [x, y]\n      outs: ['${item}']\n"
        )
        if name == "dvc":
            subprocess.run([dvc, "repro", "-q"], check=True)
        else:
            assert repro.repro(["-q"]) == 0
        left.append(Path("dvc.lock").read_bytes())
    assert left[0] == left[1]
    assert left[0].count(b"cmd:") == 3
    # Aliases are counted over the whole file.
    assert parsed == ["dvc.lock"] * (3 if aliases else 1)
    assert (b"&id003" in left[0]) is aliases
    assert dvcfile.modify_yaml is modify_yaml
