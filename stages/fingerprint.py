"""Stage fingerprint: what code each stage and component runs, for all other stages to depend on."""

from pathlib import Path

import _tree  # noqa: F401
from rarelens.errors import guarded
from rarelens.pipeline.lineage.entries import read_entries
from rarelens.pipeline.lineage.fingerprints import write_fingerprints
from rarelens.pipeline.lineage.stage import FINGERPRINTS, timed
from rarelens.pipeline.lineage.tree import check_source
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.files import whole_folder


@timed
@guarded
def main() -> None:
    check_source(Path.cwd())
    scope = Scope(["datasets", "networks", "methods", "adjustments"])
    with whole_folder(FINGERPRINTS) as target:
        write_fingerprints(
            target, Path("stages"), Path("requirements.lock"), read_entries(scope.get)
        )


if __name__ == "__main__":
    main()
