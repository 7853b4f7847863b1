"""A command on a node of a Ray cluster.

As ``srun`` does, it carries folder and environment there, prints what the command prints, ends with
its exit status, and stops it where it is stopped itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rarelens.errors import RarelensError
from rarelens.pipeline.launch.signals import terminated_as_interrupted

GIB = 2**30


def run_on_ray(
    command: Sequence[str], address: str, gpus: float, cpus: float, memory: float
) -> int:
    """Wait for a place, and run a command there.

    Args:
        command: and its arguments.
        address: of the cluster, as of ``ray.init``; this process runs on one of its machines.
        gpus: that the command has for itself; Ray says which, in ``CUDA_VISIBLE_DEVICES``.
        cpus: that are counted as its own.
        memory: GiB that are counted as its own; 0 counts none.

    Returns:
        Its exit status.

    Raises:
        RarelensError: if Ray is not installed, or has no cluster there; if the command's node is
            lost. It is not tried again: that is for the launcher to say.
        KeyboardInterrupt: on Ctrl-C or SIGTERM; the command is sent SIGTERM.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise RarelensError("Ray is not installed here: pip install 'rarelens[launch]'") from None
    try:
        ray.init(address, log_to_driver=False, logging_level="error")
    except ConnectionError:
        raise RarelensError(
            f"no Ray cluster at {address!r}: start one, `ray start --head`"
        ) from None
    # By its text, so that the nodes need no rarelens to begin with.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    there = ray.remote(_run).options(
        num_cpus=cpus,
        num_gpus=gpus,
        memory=int(memory * GIB) or None,
        max_retries=0,
        num_returns="streaming",
    )
    with terminated_as_interrupted():
        printed = there.remote(list(command), str(Path.cwd()), dict(os.environ))
        try:
            for each in printed:
                said = ray.get(each)
                if isinstance(said, int):
                    return said
                sys.stdout.buffer.write(said)
                sys.stdout.buffer.flush()
        except ray.exceptions.RayError as error:
            raise RarelensError(f"lost with its node: {str(error).splitlines()[0]}") from None
        except KeyboardInterrupt:
            ray.cancel(printed)
            raise
    raise AssertionError("a command that ended without an exit status")


def _run(
    command: Sequence[str], folder: str, environment: Mapping[str, str]
) -> Iterator[bytes | int]:
    """On the node: what the command prints, and at last its exit status."""
    dealt = {name: os.environ[name] for name in ("CUDA_VISIBLE_DEVICES",) if name in os.environ}
    # Where Ray kills this worker (for memory), the command must not go on beside its next try.
    leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    process = subprocess.Popen(
        [*leash, *command],
        cwd=folder if Path(folder).is_dir() else tempfile.gettempdir(),
        env={**environment, **dealt},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        while said := os.read(process.stdout.fileno(), 65536):
            yield said
        yield process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
