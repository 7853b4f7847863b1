"""Outputs are written whole or not at all, and mistakes are told without a traceback."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from killing import kills_of
from rarelens.errors import RarelensError, guarded
from rarelens.studies.files import read_json, whole_folder, write_json, write_text


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def interrupted(target: Path, failure: type[BaseException]) -> None:
    """Write into a folder that is to stand at ``target``, and fail."""
    with whole_folder(target) as folder:
        (folder / "new").write_text("2")
        raise failure


def test_a_whole_folder_takes_the_place_of_the_old_one(tmp_path):
    target = tmp_path / "above" / "out"
    with whole_folder(target) as folder:
        (folder / "old").write_text("1")
        assert not target.exists()
    with whole_folder(target) as folder:
        assert names(folder) == []
        (folder / "new").write_text("2")
        assert names(target) == ["old"]
    assert names(target) == ["new"]
    assert names(target.parent) == ["out"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_folder_and_no_partial_one(tmp_path, failure):
    target = tmp_path / "out"
    with whole_folder(target) as folder:
        (folder / "old").write_text("1")
    with pytest.raises(failure):
        interrupted(target, failure)
    assert (target / "old").read_text() == "1"
    assert names(target) == ["old"]
    assert names(tmp_path) == ["out"]


def test_a_failure_where_nothing_stood_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError):
        interrupted(tmp_path / "out", RuntimeError)
    assert names(tmp_path) == []


def test_what_a_killed_run_left_is_not_taken_over(tmp_path):
    left = tmp_path / ".out.partial"
    left.mkdir()
    (left / "half").write_text("1")
    with whole_folder(tmp_path / "out") as folder:
        (folder / "new").write_text("2")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["new"]


def test_a_kill_at_any_moment_leaves_a_whole_folder_or_none(tmp_path):
    target = tmp_path / "out"

    def write(text: str) -> None:
        with whole_folder(target) as folder:
            for name in "ab":
                (folder / name).write_text(text)

    seen = []
    write("1")
    for _ in kills_of(lambda: write("2")):
        found = [file.read_text() for file in target.iterdir()] if target.exists() else None
        seen.append(found)
        # Whatever it left is removed by the next that is not killed.
        write("1")
        assert names(tmp_path) == ["out"]
    assert all(found in (["1", "1"], None) for found in seen)
    assert (target / "b").read_text() == "2"


def test_a_kill_at_any_moment_leaves_the_old_text_or_the_new_one(tmp_path):
    target = tmp_path / "file.txt"
    seen = []
    write_text(target, "old")
    for _ in kills_of(lambda: write_text(target, "new")):
        seen.append(target.read_text())
        write_text(target, "old")
        assert names(tmp_path) == ["file.txt"]
    assert set(seen) == {"old"}
    assert target.read_text() == "new"


@pytest.mark.parametrize("there", [True, False], ids=["target there", "dangling"])
def test_nothing_is_written_through_a_link(tmp_path, there):
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "out"
    if there:
        elsewhere.mkdir()
        (elsewhere / "kept").write_text("1")
    link.symlink_to(elsewhere)
    with pytest.raises(RarelensError, match=r"out: a symbolic link .*; remove the link"):
        whole_folder(link).__enter__()
    with pytest.raises(RarelensError, match="symbolic link"):
        write_text(link, "2")
    assert link.is_symlink()
    assert names(tmp_path) == (["elsewhere", "out"] if there else ["out"])
    if there:
        assert (elsewhere / "kept").read_text() == "1"


def test_text_replaces_text_and_makes_its_folder(tmp_path):
    target = tmp_path / "above" / "file.txt"
    write_text(target, "old, and longer")
    write_text(target, "né\n")
    assert target.read_bytes() == b"n\xc3\xa9\n"
    assert names(target.parent) == ["file.txt"]


def test_json_is_the_same_whatever_the_order_and_reads_back(tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    write_json(one, {"b": [1, 0.1], "a": {"d": None, "c": "é"}})
    write_json(two, {"a": {"c": "é", "d": None}, "b": [1, 0.1]})
    assert one.read_bytes() == two.read_bytes()
    assert one.read_text().endswith("}\n")
    assert (
        read_json(one) == json.loads(two.read_text()) == {"a": {"c": "é", "d": None}, "b": [1, 0.1]}
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_refuses_what_is_no_number_and_keeps_the_old_file(tmp_path, value):
    target = tmp_path / "metrics.json"
    write_json(target, {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(target, {"a": value})
    assert read_json(target) == {"a": 1}
    assert names(tmp_path) == ["metrics.json"]


def test_mistakes_are_printed_as_sentences_without_a_traceback(capsys):
    @guarded
    def main(file: str) -> None:
        raise RarelensError(f"{file}: this is wrong; mend it", "that is too; mend it as well")

    with pytest.raises(SystemExit) as caught:
        main("a.csv")
    assert caught.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: a.csv: this is wrong; mend it\nerror: that is too; mend it as well\n"


def test_a_guarded_call_that_goes_well_passes_its_arguments_and_returns():
    seen = []
    guarded(lambda *args, **kwargs: seen.append((args, kwargs)))(1, b=2)
    assert seen == [((1,), {"b": 2})]


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.npy"), 1, "a.npy: No space left"),
        (PermissionError(errno.EACCES, "Permission denied", "b"), 1, "b: Permission denied; give"),
        (OSError(errno.EROFS, "Read-only file system", "c"), 1, "c: Read-only file system; this"),
        (MemoryError("Unable to allocate 9 GiB"), 1, "not enough memory (Unable to allocate 9"),
        (KeyboardInterrupt(), 130, "interrupted; run dvc repro to go on"),
    ],
)
def test_what_a_machine_or_a_user_brings_about_is_one_sentence(raised, status, said, capsys):
    @guarded
    def main() -> None:
        raise raised

    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == status
    err = capsys.readouterr().err
    assert err.removeprefix("error: ").startswith(said)
    assert err.count("\n") == 1


def test_sigterm_leaves_nothing_half_written(tmp_path, capsys):
    @guarded
    def main() -> None:
        with whole_folder(tmp_path / "model") as folder:
            (folder / "weights").write_text("half")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 143
    assert capsys.readouterr().err == "ended by SIGTERM; run dvc repro to go on\n"
    assert names(tmp_path) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_reader_that_went_away_is_no_traceback():
    said = "from rarelens.errors import guarded; guarded(lambda: print('x' * 10**6, flush=True))()"
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{said}" | true; exit ${{PIPESTATUS[0]}}'],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stderr) == (141, "")


def test_a_programming_mistake_keeps_its_traceback():
    @guarded
    def main() -> None:
        raise KeyError("report")

    with pytest.raises(KeyError):
        main()


def test_problems_are_kept_apart_and_shown_together():
    error = RarelensError("one", "two")
    assert error.problems == ("one", "two")
    assert str(error) == "one\ntwo"
