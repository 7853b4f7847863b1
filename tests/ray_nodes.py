"""A Ray of two nodes on this machine, for as long as a test needs it."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest


def need_ray() -> None:
    """Skip the test where Ray is not installed."""
    if find_spec("ray") is None:
        pytest.skip("needs Ray: PYTHONPATH=$(.ci/packages ray) python -m pytest …")


class Ray:
    """``environment`` leads commands to it; ``packages`` is where Ray is installed."""

    def __init__(self) -> None:
        # Their niceness is 15 otherwise: beside other tests they would starve.
        os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
        import ray
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
        self._cluster: Any = Cluster(initialize_head=True, head_node_args=node)
        self.second = self._cluster.add_node(**node)
        self.packages = str(Path(ray.__file__).parents[1])
        self.environment = {"RAY_ADDRESS": self._cluster.address}

    def runs_on_the_second(self, process: int) -> bool:
        """Whether a process is one of the second node's."""
        return process in [each.pid for each in self._of_the_second()]

    def kill_the_second(self) -> None:
        """Let it be gone, with all that runs on it."""
        running = self._of_the_second()
        self._cluster.remove_node(self.second, allow_graceful=False)
        for each in running:
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def stop(self) -> None:
        self._cluster.shutdown()

    def _of_the_second(self) -> list[psutil.Process]:
        (raylet,) = self.second.all_processes["raylet"]
        return psutil.Process(raylet.process.pid).children(recursive=True)
