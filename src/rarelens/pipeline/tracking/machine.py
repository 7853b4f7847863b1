"""What the machine does while it trains: MLflow's own monitor of CPU, memory, disk, network, GPU.

Of the whole machine, and not of one training beside others.
``MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING`` set to false turns it off,
``MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL`` sets the seconds.
"""

from __future__ import annotations

import logging

from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING as ENABLED
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

INTERVAL = 30  # seconds: a training of a day has 3000 points of each.

# It tells that it starts and ends, and of each point that a server which is away did not take.
logging.getLogger("mlflow.system_metrics").setLevel(logging.CRITICAL)


def watch(run: str, tracking_uri: str) -> SystemMetricsMonitor | None:
    """A monitor that logs to a run, in a thread of its own; to be finished before the run ends."""
    if ENABLED.is_set() and not ENABLED.get():
        return None
    monitor = SystemMetricsMonitor(run, INTERVAL, resume_logging=True, tracking_uri=tracking_uri)
    monitor.start()
    return monitor
