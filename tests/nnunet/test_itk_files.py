"""MetaImage and NRRD of every kind, as SimpleITK, which nnU-Net brings, writes and reads them."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rarelens.studies.data.segmentation.collection import load_images

TYPES = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
TYPES += ["float32", "float64"]


@pytest.mark.parametrize("ending", [".mha", ".nrrd"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_voxels_and_grid_are_those_of_itk(
    kind: str, compressed: bool, ending: str, tmp_path: Path
) -> None:
    import SimpleITK as sitk

    rng = np.random.default_rng([*kind.encode(), compressed])
    voxels = rng.integers(0, 100, (4, 3, 5)).astype(kind)
    image = sitk.GetImageFromArray(voxels)
    turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    image.SetDirection((turned * np.sign(np.linalg.det(turned))).ravel().tolist())
    image.SetSpacing((0.5, 1.25, 3.0))
    image.SetOrigin(rng.normal(0, 50, 3).tolist())
    file, nifti = tmp_path / f"a{ending}", tmp_path / "a.nii"
    sitk.WriteImage(image, str(file), useCompression=compressed)
    sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat64), str(nifti))
    own, affine = load_images((file,))
    np.testing.assert_array_equal(own[0], voxels.transpose(2, 1, 0).astype(np.float32))
    np.testing.assert_allclose(affine, nib.load(nifti).affine, atol=1e-4)
