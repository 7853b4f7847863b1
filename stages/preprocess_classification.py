"""Stage preprocess: from image files on disk to one array that training can map into memory."""

import sys
from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.data.classification.preprocessing import prepare_images
from rarelens.studies.files import whole_folder
from rarelens.studies.settings.classification.datasets import (
    ImageLayoutName,
    ImagePreprocess,
    ImageSplit,
)


@stage("datasets/{dataset}")
def main(dataset: str) -> None:
    at = f"datasets.{dataset}"
    scope = Scope([f"{at}.layout", f"{at}.preprocess", f"{at}.split"])
    with whole_folder(Path("data/prepared") / dataset) as target:
        prepare_images(
            dataset,
            scope.get(f"{at}.layout", ImageLayoutName),
            Path("data/raw") / dataset,
            target,
            scope.get(f"{at}.preprocess", ImagePreprocess),
            scope.get(f"{at}.split", ImageSplit),
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
