"""Make the files beside this one with nnU-Net 1's own code; run by hand, once.

    pip install --no-deps --target v1 nnunet==1.7.1
    PYTHONPATH=v1:$(.ci/packages nnunet) python tests/studies/diagnosis/nnunet_1/make.py

An image with an empty border is cropped by nnU-Net's ``ImageCropper``, as in its preprocessing;
made-up scores on a coarser grid go through its export, which resamples and writes softmax (of the
cropped box), properties and label map; the splits are written as its trainer writes them.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from batchgenerators.utilities.file_and_folder_operations import save_pickle
from nnunet.inference.segmentation_export import save_segmentation_nifti_from_softmax
from nnunet.preprocessing.cropping import ImageCropper
from scipy.ndimage import zoom

HERE = Path(__file__).parent
SPACING = (1.0, 1.5, 2.0)  # x, y, z
TASK = "Task001_Cubes"


def main() -> None:
    """A case with two classes in an image of which a box is not empty."""
    model = HERE / f"nnUNet/3d_fullres/{TASK}/nnUNetTrainerV2__nnUNetPlansv2.1"
    folder = model / "fold_0/validation_raw"
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.zeros((14, 16, 18), np.uint8)  # z, y, x
    labels[4:9, 4:10, 5:9] = 1
    labels[6:10, 5:9, 10:15] = 2
    rng = np.random.default_rng(0)
    image = np.zeros(labels.shape, np.float32)
    image[2:12, 3:15, 4:16] = rng.uniform(1, 2, (10, 12, 12))
    for name, array in (("image_0000", image), ("labelsTr/case_1", labels)):
        made = sitk.GetImageFromArray(array)
        made.SetSpacing(SPACING)
        made.SetOrigin((3.0, -4.0, 5.0))
        file = HERE / f"{name}.nii.gz"
        file.parent.mkdir(exist_ok=True)
        sitk.WriteImage(made, str(file))
    found = ImageCropper.crop_from_list_of_files([str(HERE / "image_0000.nii.gz")])
    properties = found[2]
    (HERE / "image_0000.nii.gz").unlink()
    properties["list_of_data_files"] = ["imagesTr/case_1_0000.nii.gz"]
    box = tuple(slice(low, high) for low, high in properties["crop_bbox"])
    hot = np.stack([labels[box] == index for index in range(3)]).astype(np.float32)
    odds = np.exp(
        5 * zoom(hot, (1, 0.8, 0.75, 0.75), order=1, mode="nearest")
        + rng.normal(0, 1, (3, 8, 9, 9))
    )
    properties["size_after_resampling"] = odds.shape[1:]
    properties["spacing_after_resampling"] = np.array([2.5, 2.0, 4 / 3])
    save_segmentation_nifti_from_softmax(
        (odds / odds.sum(0)).astype(np.float32),
        str(folder / "case_1.nii.gz"),
        properties,
        resampled_npz_fname=str(folder / "case_1.npz"),
        verbose=False,
    )
    sides = OrderedDict(train=np.array(["case_2", "case_3"]), val=np.array(["case_1"]))
    save_pickle([sides], str(HERE / "splits_final.pkl"))


if __name__ == "__main__":
    main()
