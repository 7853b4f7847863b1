"""A small project of the real one's shape, whose stages only write digests of their inputs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rarelens.pipeline.lineage.plan.evaluation import Fate, Prediction, Verdict
from rarelens.pipeline.lineage.plan.project import Project

PARAMETERS = """\
simulate: {subjects: 4}
study: {methods: [focal, dice], seeds: [0, 1]}
methods: {focal: {gamma: 2.0}, dice: {smooth: 1}}
train: {rate: 0.1}
analyse: {bins: 10}
compare: {level: 0.95}
"""
ROOT = """\
stages:
  fingerprint:
    cmd: rm -rf fingerprints && cp -r code fingerprints
    deps: [code]
    outs: [fingerprints]
  simulate:
    cmd: sh make.sh data/raw/simulated/ params.yaml
    params: [simulate]
    outs:
      - data/raw/simulated: {persist: true}
  prepare:
    cmd: sh make.sh data/prepared/ data/raw
    deps: [data/raw]
    outs: [data/prepared]
  cells:
    cmd: python cells.py
    params: [study, methods, train]
    deps: [fingerprints, data/prepared]
    outs:
      - cells/cells.csv: {persist: true, cache: false}
      - cells/checked: {persist: true, cache: false}
  report:
    cmd: sh make.sh reports/ "metrics cells/cells.csv analyses"
    deps:
      - metrics/compared.csv
      - metrics/compared.json
      - metrics/measured.json
      - cells/cells.csv
      - analyses
    outs: [reports]
"""
STUDY = """\
vars: [../../params.yaml]
stages:
  train:
    wdir: ../..
    matrix: {method: "${study.methods}", seed: "${study.seeds}"}
    cmd: >-
      sh make.sh "models/${item.method}/${item.seed}/ records/${item.method}/${item.seed}.json"
      "data/prepared fingerprints/stages/train.json fingerprints/methods/${item.method}.json"
    params: ["methods.${item.method}", train]
    deps:
      - fingerprints/stages/train.json
      - fingerprints/methods/${item.method}.json
      - cells/checked
      - data/prepared
    outs:
      - models/${item.method}/${item.seed}
      - records/${item.method}/${item.seed}.json
  analyse:
    wdir: ../..
    matrix: {method: "${study.methods}", seed: "${study.seeds}"}
    cmd: sh make.sh analyses/${item.method}/${item.seed}/ models/${item.method}/${item.seed}
    params: [analyse]
    deps: ["models/${item.method}/${item.seed}"]
    outs: ["analyses/${item.method}/${item.seed}"]
  compare:
    wdir: ../..
    cmd: >-
      sh make.sh "metrics/compared.csv metrics/compared.json"
      "fingerprints/stages/compare.json cells/cells.csv analyses"
    params: [compare]
    deps: [fingerprints/stages/compare.json, cells/cells.csv, analyses]
    outs:
      - metrics/compared.csv: {cache: false}
    metrics:
      - metrics/compared.json: {cache: false}
  measure:
    wdir: ../..
    cmd: sh make.sh metrics/measured.json analyses
    deps: [analyses]
    metrics:
      - metrics/measured.json: {cache: false}
"""
MAKE = """\
digest=$( (cat params.yaml; find $2 -type f | sort | xargs cat) < /dev/null | md5sum)
for out in $1; do
  case $out in
    */) mkdir -p $out; echo "$out $digest" > ${out}x; echo constant > ${out}y;;
    *) mkdir -p $(dirname $out); echo "$out $digest" > $out;;
  esac
done
"""
CELLS = """\
import itertools, pathlib, re, shutil
study = re.search(r"study: .*", pathlib.Path("params.yaml").read_text())[0]
methods, seeds = (each.split(", ") for each in re.findall(r"\\[(.*?)\\]", study))
cells = list(itertools.product(methods, seeds))
for folder in pathlib.Path("analyses").glob("*/*"):
    if folder.parts[1:] not in cells:
        shutil.rmtree(folder)
pathlib.Path("analyses").mkdir(exist_ok=True)
pathlib.Path("cells").mkdir(exist_ok=True)
pathlib.Path("cells/cells.csv").write_text("".join(f"{m},{s}\\n" for m, s in cells))
pathlib.Path("cells/checked").write_text("checked\\n")
"""
COMMANDS = Path(sys.executable).parent
ENVIRONMENT = os.environ | {
    "GIT_AUTHOR_NAME": "test",
    "GIT_AUTHOR_EMAIL": "test@example.invalid",
    "GIT_COMMITTER_NAME": "test",
    "GIT_COMMITTER_EMAIL": "test@example.invalid",
}


class SmallProject:
    """A folder with the small project: change it, plan, and let DVC really run."""

    # Where `dvc` and `python` are, maybe with libraries imported beforehand (`warm.Warm`).
    commands = COMMANDS

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # it may be a link into the cache
        file.write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def shell(self, command: str) -> str:
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=ENVIRONMENT | {"PATH": f"{self.commands}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def create(self) -> None:
        self.write("params.yaml", PARAMETERS)
        self.write("dvc.yaml", ROOT)
        self.write("studies/segmentation/dvc.yaml", STUDY)
        self.write("make.sh", MAKE)
        self.write("cells.py", CELLS)
        made = ("stages/train", "stages/compare", "methods/focal", "methods/dice")
        for name in made:
            self.write(f"code/{name}.json", print_of(name, "1"))
        self.write("code/names.json", names_of(made))
        self.write("data/raw/real/x", "measured\n")
        ignored = ("data", "models", "records", "analyses", "cells", "reports", "fingerprints")
        self.write(".gitignore", "".join(f"/{each}/\n" for each in ignored))
        self.shell(
            "git init -q && dvc init -q && dvc config core.analytics false"
            " && dvc config core.check_update false"
        )

    def commit(self) -> None:
        self.shell("git add -A && git commit -qm state")

    def repro(self) -> tuple[set[str], set[str]]:
        """Run `dvc repro`; return the stages that ran, and those that were restored."""
        output = self.shell("dvc repro")
        return (
            set(re.findall(r"Running stage '([^']+)'", output)),
            set(re.findall(r"Stage '([^']+)' is cached", output)),
        )

    def plan(self) -> list[Verdict]:
        return Project(self.folder).plan({"fingerprint": self.fingerprints, "cells": self.cells})

    def fingerprints(self, cell: str, parameters: Any) -> Prediction:
        code = self.folder / "code"
        return Prediction(
            {
                f"fingerprints/{file.relative_to(code)}": file.read_bytes()
                for file in code.rglob("*.json")
            }
        )

    def cells(self, cell: str, parameters: Any) -> Prediction:
        study = parameters["study"]
        cells = [(m, str(s)) for m in study["methods"] for s in study["seeds"]]
        dropped = tuple(
            "/".join(folder.parts[-3:])
            for folder in (self.folder / "analyses").glob("*/*")
            if folder.parts[-2:] not in cells
        )
        listed = "".join(f"{m},{s}\n" for m, s in cells).encode()
        files = {"cells/cells.csv": listed, "cells/checked": b"checked\n"}
        return Prediction(files, ("analyses",), dropped)


def print_of(module: str, digest: str, package: str = "2.13.0") -> str:
    """A fingerprint of one definition."""
    code = [_digests(module, digest)]
    return json.dumps({"code": code, "files": {}, "packages": {"torch": package}})


def names_of(modules: Sequence[str]) -> str:
    """The names of the definitions, as they are and as they are edited."""
    return json.dumps(
        {
            _digests(module, digest): [f"rarelens.{module.replace('/', '.')}"]
            for module in modules
            for digest in ("1", "2")
        }
    )


def _digests(module: str, digest: str) -> str:
    return f"{module}-{digest} {module}-{digest} {module}-{digest}"


def named(verdicts: list[Verdict], fate: Fate) -> set[str]:
    return {each.stage.addressing for each in verdicts if each.fate is fate}


def reasons(verdicts: list[Verdict], name: str) -> list[str]:
    (found,) = (each for each in verdicts if each.stage.addressing == name)
    return list(found.reasons)
