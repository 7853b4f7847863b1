"""Ctrl-C in any command, and what a terminal may be shown."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from rarelens.errors import LONGEST_WORD, RarelensError
from rarelens.pipeline import cli

SLEEPING = """
import time
import rarelens.pipeline.checks.validate as validate
def sleep():
    print("begun", flush=True)
    time.sleep(60)
validate.validate_study = sleep
import sys
sys.argv = ["rarelens", "validate"]
from rarelens.pipeline.cli import main
main()
"""


@pytest.mark.parametrize(
    ("number", "status", "sentence"),
    [
        (signal.SIGINT, 130, "interrupted; run the command again to go on\n"),
        (signal.SIGTERM, 143, "ended by SIGTERM; run dvc repro to go on\n"),
    ],
)
def test_a_command_that_is_ended_says_so(number, status, sentence):
    running = subprocess.Popen(
        [sys.executable, "-c", SLEEPING],
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    time.sleep(0.1)
    running.send_signal(number)
    _, said = running.communicate(timeout=30)
    assert (running.returncode, said) == (status, sentence)


def test_a_mistake_in_a_command_stays_a_sentence(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["rarelens", "validate"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: params.yaml: no such file; run from the project's root"


def test_a_sentence_shows_no_control_characters_and_no_endless_word():
    error = RarelensError("a\x1b[31m\nfile\x00 \ud800", "x" * 5000, "1 – 2 × 3")
    first, second, third = error.problems
    assert first == "a\\x1b[31m file\\x00 \\ud800"
    assert len(second) == LONGEST_WORD + 1
    assert third == "1 – 2 × 3"
    assert str(error).count("\n") == 2


def test_help_lists_every_command_in_the_order_in_which_people_need_them():
    commands = typer.main.get_command(cli.app)
    listed = commands.list_commands(None)
    assert set(listed) == set(commands.commands)
    assert listed.index("diagnose") < listed.index("validate") < listed.index("launch")
    assert listed.index("launch") < listed.index("predict")
