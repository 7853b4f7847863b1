"""The further processes of a training that several share (`rarelens.studies.training.sharing`)."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch.distributed import FileStore  # type: ignore[attr-defined]

from rarelens.errors import RarelensError
from rarelens.studies.training.sharing import Share

FOLLOW = "from rarelens.studies.training.followers import follow; follow()"
# The others wait while the first validates.
LONGEST_WAIT = timedelta(days=1)
# For the process that lost another to say so itself.
GRACE = 10.0


@contextmanager
def shared(number: int, work: Callable[[Share], object], setting: str) -> Iterator[Share]:
    """Do ``work`` with ``number - 1`` further processes of this machine, while this one leads.

    On a machine with GPUs each process has one of its own, else they have the CPU together. They
    end when this one does, however it ends.

    Args:
        number: of processes, with this one.
        work: what the others do, each with its share; it is pickled.
        setting: where the number was set, for a message.

    Yields:
        This process's share.

    Raises:
        RarelensError: if there are fewer GPUs than processes, or one of the others has failed.
    """
    if number == 1:
        yield Share()
        return
    devices = _devices(number, setting)
    # They meet in a file, for no other machine takes part: nothing listens but on loopback.
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    meeting = str(Path(folder.name, "meeting"))
    pickled = pickle.dumps((work, number, meeting))
    followers: list[_Follower] = []
    guard = threading.Timer(3 * GRACE, os._exit, [1])
    guard.daemon = True
    try:
        followers.extend(_Follower(rank, devices) for rank in range(1, number))
        for each in followers:
            each.begin(pickled)
        store = _store(meeting, number)
        # Who never comes would be waited for.
        while not all(store.check([f"ready {each.rank}"]) or each.failure for each in followers):
            time.sleep(0.05)
        _refuse_failure(followers, setting)
        yield _join(store, 0, number)
    except RuntimeError:
        until = time.monotonic() + GRACE
        while time.monotonic() < until and not any(each.failure for each in followers):
            time.sleep(0.05)
        _refuse_failure(followers, setting)
        raise
    finally:
        # A GPU may wait for the others for ever; what was to be said has been said by then.
        guard.start()
        for each in followers:
            each.kill()
        for each in followers:
            each.dismiss()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        guard.cancel()
        folder.cleanup()


def follow() -> None:
    """What a further process does: reads its work, and does it; it ends with its leader."""
    rank = int(sys.argv[1])
    length = int.from_bytes(sys.stdin.buffer.read(8), "big")
    work, number, meeting = pickle.loads(sys.stdin.buffer.read(length))
    threading.Thread(target=_end_with_leader, daemon=True).start()
    try:
        store = _store(meeting, number)
        store.set(f"ready {rank}", "")
        work(_join(store, rank, number))
        torch.distributed.destroy_process_group()
    except RarelensError as error:
        print(error)
        sys.exit(1)
    except Exception as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {str(error).strip() or 'no message'}".splitlines()[0])
        sys.exit(1)


class _Follower:
    """A further process, and the thread that waits for its end."""

    def __init__(self, rank: int, devices: Sequence[str] | None) -> None:
        self.rank, self.failure, self.ended_at = rank, "", float("inf")
        self._dismissed = threading.Event()
        # What is imported here is imported there.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        if devices:
            environment["CUDA_VISIBLE_DEVICES"] = devices[rank]
        self._process = subprocess.Popen(
            [sys.executable, "-c", FOLLOW, str(rank)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the leader.
        )
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def begin(self, pickled: bytes) -> None:
        """Give it its work."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # It has ended, of which the thread tells.
            self._process.stdin.write(len(pickled).to_bytes(8, "big") + pickled)
            self._process.stdin.flush()

    def kill(self) -> None:
        """End it: it has nothing to write."""
        self._dismissed.set()
        self._process.kill()

    def dismiss(self) -> None:
        """Wait until it has ended."""
        self._thread.join()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _watch(self) -> None:
        assert self._process.stdout is not None
        said = self._process.stdout.read().decode(errors="replace").strip()
        status = self._process.wait()
        if status and not self._dismissed.is_set():
            last = said.splitlines()[-1] if said else f"exit status {status}"
            self.ended_at = time.monotonic()
            self.failure = f"process {self.rank} of the training has ended ({last})"
        # A GPU may wait for it for ever.
        if self.failure and not self._dismissed.wait(GRACE * 2):
            print(self.failure, file=sys.stderr, flush=True)
            os._exit(1)


def _refuse_failure(followers: Sequence[_Follower], setting: str) -> None:
    """Name the first that failed: others end for its sake."""
    first = min(followers, key=lambda each: each.ended_at)
    if first.failure:
        raise RarelensError(f"{setting}: {first.failure}")


def _store(meeting: str, number: int) -> Any:
    store = FileStore(meeting, number)
    store.set_timeout(LONGEST_WAIT)
    return store


def _join(store: Any, rank: int, number: int) -> Share:
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo",
        store=store,
        rank=rank,
        world_size=number,
        timeout=LONGEST_WAIT,
    )
    return Share(rank, number)


def _devices(number: int, setting: str) -> list[str] | None:
    """The GPUs that this process sees, as ``CUDA_VISIBLE_DEVICES`` names them."""
    if not torch.cuda.is_available():
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    devices = [each.strip() for each in visible if each.strip()]
    devices = devices or [str(each) for each in range(torch.cuda.device_count())]
    if len(devices) < number:
        raise RarelensError(
            f"{setting}: {number} processes take a GPU each, and this training sees "
            f"{len(devices)}; lower it, or start fewer trainings at once (rarelens launch --jobs)"
        )
    return devices


def _end_with_leader() -> None:
    # Not by sys.stdin, whose lock a process that is forked meanwhile would wait for.
    while os.read(0, 4096):
        pass
    os._exit(1)
