"""Stage preprocess: from files on disk to arrays that training can map into memory."""

import sys
from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.data.segmentation.preprocessing import prepare_dataset
from rarelens.studies.files import whole_folder
from rarelens.studies.settings.segmentation.datasets import LayoutName, Preprocess, Split


@stage("datasets/{dataset}")
def main(dataset: str) -> None:
    at = f"datasets.{dataset}"
    scope = Scope([f"{at}.layout", f"{at}.preprocess", f"{at}.split"])
    with whole_folder(Path("data/prepared") / dataset) as target:
        prepare_dataset(
            dataset,
            scope.get(f"{at}.layout", LayoutName),
            Path("data/raw") / dataset,
            target,
            scope.get(f"{at}.preprocess", Preprocess),
            scope.get(f"{at}.split", Split),
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
