"""Launches whose stages run in clones elsewhere, a DVC remote between them and the project."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from dvc.repo import Repo

from rarelens.errors import RarelensError
from rarelens.pipeline.cli import main
from rarelens.pipeline.launch.away import send
from rarelens.pipeline.launch.launch import launch

Make = Callable[..., Path]
TREE = {
    "first": {"cmd": "mkdir first; cp source first/a; pwd", "deps": ["source"], "outs": ["first"]},
    "last": {"cmd": "cat first/a > last; pwd", "deps": ["first/a"], "outs": ["last"]},
}
IGNORED = "/first\n/last\n/source\n/.rarelens\ndvc.lock\n"
SETTINGS = "access_key_id = key\n    secret_access_key = secret\n    region = us-east-1\n"


@pytest.fixture(params=["a folder", "S3"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Settings of a remote of DVC."""
    if request.param == "a folder":
        yield f"url = {tmp_path / 'store'}\n"
        return
    if find_spec("moto") is None or find_spec("dvc_s3") is None:
        pytest.skip("needs moto and dvc-s3: PYTHONPATH=$(.ci/packages s3) python -m pytest …")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    where = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=where, **keys)
    client.create_bucket(Bucket="bucket")
    yield f"url = s3://bucket/store\n    endpointurl = {where}\n    {SETTINGS}"
    server.stop()


@pytest.fixture
def committed(make: Make, tmp_path: Path, remote: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in git; commands find ``rarelens``."""
    folder = make(TREE)
    with (folder / ".dvc/config").open("a") as file:
        file.write(f"['remote \"store\"']\n    {remote}")
    (folder / ".gitignore").write_text(IGNORED)
    git(folder, "init", "-q")
    commit(folder)
    (tmp_path / "bin").mkdir()
    rarelens = tmp_path / "bin/rarelens"
    start = f"from {main.__module__} import main; main()"
    rarelens.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{start}' \"$@\"\n")
    rarelens.chmod(0o755)
    monkeypatch.setenv("PATH", str(rarelens.parent), prepend=":")
    return folder


def git(folder: Path, *arguments: str) -> None:
    name = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "state")


def through(tmp_path: Path, folder: Path, *transport: str) -> dict[str, list[str]]:
    """There is no such folder as here on the other machine."""
    away = ["rarelens", "away", "--git", str(folder), "--scratch", str(tmp_path / "there")]
    return {"": [*away, "store", *(transport or ("env", "--chdir=/"))]}


def test_what_comes_back_is_what_dvc_repro_makes(
    make: Make, tmp_path: Path, committed: Path
) -> None:
    launch(committed, 2, through=through(tmp_path, committed))
    for stage in TREE:
        log = (committed / f".rarelens/launch/{stage}.log").read_text()
        assert Path(log.splitlines()[-1]).is_relative_to(tmp_path / "there")
    with Repo(str(committed)) as repo:
        assert repo.status() == {}
    assert (committed / "last").read_text() == "content\n"
    serial = make(TREE, "serial")
    assert subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], check=False).returncode == 0
    assert (committed / "dvc.lock").read_bytes() == (serial / "dvc.lock").read_bytes()


@pytest.mark.parametrize("remote", ["a folder"], indirect=True)
def test_a_link_to_data_stays_where_they_are_the_same_and_is_never_written_through(
    tmp_path: Path, committed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``source`` is a link in git; behind it are the same data there, then others."""
    data = tmp_path / "data"
    (committed / "source").rename(data)
    (committed / "source").symlink_to(data)
    (committed / ".gitignore").write_text(IGNORED.replace("/source\n", ""))
    commit(committed)
    monkeypatch.setenv("DVC_STAGE", "first")
    arguments = through(tmp_path, committed)[""]
    command = [*arguments[arguments.index("store") + 1 :], "/bin/sh", "-c", ""]
    sent = {"git": str(committed), "scratch": str(tmp_path / "there")}
    send("store", command, **sent)
    (clone,) = (each for each in (tmp_path / "there").glob("*/0") if each.is_dir())
    assert (clone / "source").is_symlink()
    data.write_text("more\n")
    store = tmp_path / "bin/behind"
    # The other machine's data are not ours.
    store.write_text(f'#!/bin/sh\necho other > {data}; "$@"; cp {data} {tmp_path}/after\n')
    store.chmod(0o755)
    send("store", [str(store), *command], **sent)
    assert (tmp_path / "after").read_text() == "other\n"
    assert (committed / "first/a").read_text() == "more\n"
    assert not (clone / "source").is_symlink()
    # All is lost but the remote, and no other machine answers: what it made is fetched.
    data.write_text("more\n")
    shutil.rmtree(committed / ".dvc/cache")
    shutil.rmtree(committed / "first")
    send("store", ["false", *command], **sent)
    assert (committed / "first/a").read_text() == "more\n"


@pytest.mark.parametrize("remote", ["a folder"], indirect=True)
def test_what_the_other_machine_cannot_have_is_named(
    tmp_path: Path, committed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_STAGE", "first")
    command = ["env", "/bin/sh", "-c", ""]
    (committed / "README").write_text("no stage reads it\n")
    (committed / "params.yaml").write_text("value: 1\n")
    (committed / "src").mkdir()
    (committed / "src/new.py").touch()
    with pytest.raises(RarelensError, match=r"^params\.yaml, src/new\.py: not committed, so"):
        send("store", command)
    commit(committed)
    with pytest.raises(RarelensError, match=r"git remote get-url: .*origin"):
        send("store", command)
    with pytest.raises(RarelensError, match="nowhere"):
        send("nowhere", command, str(committed))
    with pytest.raises(RarelensError, match="runs stages of `rarelens launch --through`"):
        send("store", ["ls", "-l"])


@pytest.mark.parametrize("remote", ["a folder"], indirect=True)
def test_what_fails_there_is_told_here(tmp_path: Path, committed: Path) -> None:
    dvc = (committed / "dvc.yaml").read_text()
    (committed / "dvc.yaml").write_text(dvc.replace("cp source", "echo so near; exit 3; cp source"))
    commit(committed)
    with pytest.raises(RarelensError, match="first: no result in the remote store"):
        launch(committed, 1, ["first"], through=through(tmp_path, committed))
    assert "so near" in (committed / ".rarelens/launch/first.log").read_text()
    old = tmp_path / "old"
    git(committed, "clone", "-q", "--bare", ".", str(old))
    git(committed, "commit", "--allow-empty", "-qm", "not pushed")
    with pytest.raises(RarelensError, match="no result"):
        launch(committed, 1, ["first"], through=through(tmp_path, old))
    assert "is it pushed?" in (committed / ".rarelens/launch/first.log").read_text()
