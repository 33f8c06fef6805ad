"""What a test runs beside itself: a Ray cluster of two processors on this machine, and one run on it."""

import os
import sys
from pathlib import Path

from lmcore.training.distributed.cluster import QUIET, train_on_ray
from lmcore.training.distributed.rundir import RunFolder

if __name__ == "__main__":
    os.environ.update(QUIET | {"RAY_AUTH_MODE": "disabled", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"})
    import ray

    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80 << 20, _node_ip_address="127.0.0.1")
    try:
        ended_well = train_on_ray(RunFolder(Path(sys.argv[1])))
    finally:
        ray.shutdown()
    sys.exit(0 if ended_well else 1)
