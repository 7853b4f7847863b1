"""A Slurm of two nodes on this machine, of its own munge, for as long as a test needs it."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

DAEMONS = ("munged", "slurmctld", "slurmd", "srun")
NODES = ("n1", "n2")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=10
InactiveLimit=0
KillWait=2
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def need_slurm() -> None:
    """Skip the test where Slurm is not installed."""
    missing = [each for each in DAEMONS if not shutil.which(each)]
    if missing:
        packages = "slurmctld slurmd slurm-client munge"
        pytest.skip(f"{', '.join(missing)}: no such command; apt-get install {packages}")


class Slurm:
    """Started in a folder; ``environment`` leads its commands to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        ports = _free_ports(3)
        text = CONFIGURATION.format(host=socket.gethostname(), folder=folder, ports=ports)
        (folder / "slurm.conf").write_text(text)
        (folder / "state").mkdir()
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        own = [
            f"--{name}={folder}/munge.{name}"
            for name in ("socket", "pid-file", "log-file", "seed-file")
        ]
        self._run("munged", "--foreground", "--force", f"--key-file={key}", *own)
        self._wait_for(folder / "munge.socket")
        self._run("slurmctld", "-D")
        self.nodes = {name: self._run("slurmd", "-D", "-N", name) for name in NODES}
        self._wait_until_idle()

    def kill(self, node: str) -> None:
        """Let a node be gone, with all that runs on it."""
        self.nodes[node].kill()
        for step in psutil.process_iter():
            # Any of them may end by itself meanwhile.
            with suppress(psutil.NoSuchProcess):
                if step.name() == "slurmstepd":
                    tasks = step.children(recursive=True)
                    if any(each.environ().get("SLURMD_NODENAME") == node for each in tasks):
                        for each in (step, *tasks):
                            each.kill()

    def stop(self) -> None:
        for node in NODES:
            self.kill(node)
        for process in self._processes:
            process.kill()
            process.wait()

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{command[0]}.{len(self._processes)}.out").open("wb")
        process = subprocess.Popen(
            command,
            env=os.environ | self.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def _wait_for(self, file: Path) -> None:
        for _ in range(100):
            if file.exists():
                return
            time.sleep(0.1)
        raise AssertionError(f"{file} did not come")

    def _wait_until_idle(self) -> None:
        for _ in range(300):
            told = subprocess.run(
                ["sinfo", "-h", "-N", "-o", "%t"],
                env=os.environ | self.environment,
                capture_output=True,
                text=True,
                check=False,
            ).stdout.split()
            if told == ["idle"] * len(NODES):
                return
            time.sleep(0.1)
        raise AssertionError(f"Slurm's nodes are {told}")


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
