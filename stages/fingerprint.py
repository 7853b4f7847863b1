"""Stage fingerprint: what code each stage and component runs, for all other stages to depend on."""

from pathlib import Path

from rarelens.config.base import Name
from rarelens.config.methods import Network
from rarelens.config.whole import Adjustments, AnyDataset, Methods
from rarelens.errors import guarded
from rarelens.files import whole_folder
from rarelens.lineage.entries import Entries
from rarelens.lineage.fingerprints import write_fingerprints
from rarelens.lineage.stage import timed
from rarelens.parameters import Scope


@timed
@guarded
def main() -> None:
    scope = Scope(["datasets", "networks", "methods", "adjustments"])
    entries = Entries(
        scope.get("datasets", dict[Name, AnyDataset]),
        scope.get("networks", dict[Name, Network]),
        scope.get("methods", Methods),
        scope.get("adjustments", Adjustments),
    )
    with whole_folder(Path("fingerprints")) as target:
        write_fingerprints(target, Path("stages"), Path("requirements.lock"), entries)


if __name__ == "__main__":
    main()
