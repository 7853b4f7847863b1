"""Commands for end-to-end tests in which heavy libraries are imported already.

A stage imports torch, MONAI and MLflow for seconds and then works for a moment. Here a server has
imported them once and forks for each command: the command line, the script, DVC and the project's
own code are the real ones; nothing of rarelens is loaded before. In a folder before all others in
``PATH`` stand ``python``, ``dvc`` and ``rarelens``, which hand their arguments, directory,
environment and streams to the server. Beside them a link ``<process of the command>.pid`` names
the process that does the work. RARELENS_COLD=1 leaves all this out.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

# What stages import of other packages.
LIBRARIES = """
accelerate altair captum.attr contourpy dvc.cli dvc.commands.repro dvc.repo dvc_data.index grimp
h5py jinja2 matplotlib.backends.backend_svg matplotlib.pyplot mlflow alembic.command mlflow.tracking
mlflow.store.tracking.sqlalchemy_store mlflow.system_metrics.system_metrics_monitor monai.inferers
monai.losses monai.metrics monai.networks.nets nibabel numpy pandas
pandera.backends.pandas.builtin_checks pandera.pandas PIL.ImageOps PIL.PngImagePlugin
pyarrow.dataset pyarrow.parquet pycocotools.mask pydantic rich.progress ruamel.yaml
safetensors.torch scipy.ndimage scipy.optimize scipy.sparse.csgraph scipy.stats seaborn
sklearn.linear_model sqlalchemy.dialects.sqlite torch torch._dynamo typer
"""
COMMANDS = ("python", "dvc", "rarelens")
CLIENT = """#!{python} -SEI
import json, os, socket, sys
if sys.argv[0].endswith("/python") and not "".join(sys.argv[1:2]).endswith(".py"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
link = socket.socket(socket.AF_UNIX)
link.connect({address!r})
what = [os.path.basename(sys.argv[0]), sys.argv[1:], os.getcwd(), dict(os.environ)]
message = json.dumps(what).encode()
socket.send_fds(link, [len(message).to_bytes(8, "big")], [0, 1, 2])
link.sendall(message)
answer = link.recv(1)
sys.exit(answer[0] if answer else 137)
"""


class Warm:
    """A server and the folder of the commands that ask it.

    Args:
        variables: of its environment, for those that are of a process's start, as PYTHONHASHSEED.
    """

    def __init__(self, variables: Mapping[str, str] = MappingProxyType({})) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="warm"))
        address = str(self.folder / "socket")
        for name in COMMANDS:
            file = self.folder / name
            file.write_text(CLIENT.format(python=sys.executable, address=address))
            file.chmod(0o755)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", **variables}
        environment.pop("PYTHONPATH", None)
        self._server = subprocess.Popen([sys.executable, __file__, address], env=environment)
        while not Path(address).exists():
            assert self._server.poll() is None, "the server of warm commands did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server; commands that run go on."""
        self._server.terminate()
        self._server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def serve(address: str) -> None:
    """Fork for each command, for ever."""
    for name in LIBRARIES.split():
        importlib.import_module(name)
    assert not [name for name in sys.modules if name.partition(".")[0] == "rarelens"]
    gc.freeze()  # What is imported stays: no command looks through it again.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{address}.new")
    server.listen(64)
    Path(f"{address}.new").rename(address)
    while True:
        link, _ = server.accept()
        if os.fork() == 0:
            server.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _tell(link, Path(address).parent)
            _answer(link)
        link.close()


def _tell(link: socket.socket, folder: Path) -> None:
    """Leave a link named after the command's process to this one."""
    command, _, _ = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    file = folder / f"{command}.pid"
    file.unlink(missing_ok=True)
    file.symlink_to(str(os.getpid()))


def _answer(link: socket.socket) -> None:
    """Do as the command would, tell its exit code, and end this process."""
    head, streams, _, _ = socket.recv_fds(link, 8, 3)
    message = b""
    while len(message) < int.from_bytes(head, "big"):
        part = link.recv(2**20)
        if not part:  # The command was killed.
            os._exit(1)
        message += part
    command, arguments, folder, environment = json.loads(message)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    code = _run(command, arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    link.sendall(bytes([code]))
    os._exit(code)


def _run(command: str, arguments: list[str]) -> int:
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [each for each in path if each]
    try:
        if command == "python":
            sys.argv = arguments
            sys.path.insert(0, str(Path(arguments[0]).parent.resolve()))
            runpy.run_path(arguments[0], run_name="__main__")
        else:
            sys.argv = [command, *arguments]
            main: Any = importlib.import_module(
                {"dvc": "dvc.cli", "rarelens": "rarelens.pipeline.cli"}[command]
            ).main
            sys.exit(main(arguments) if command == "dvc" else main())
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    else:
        code = 0
    threading._shutdown()
    atexit._run_exitfuncs()
    return code & 0xFF


if __name__ == "__main__":
    serve(sys.argv[1])
