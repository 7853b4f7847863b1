"""The cohort on disk: reproducible, readable, and never written over what is not ours."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from folders import digests
from rarelens.errors import RarelensError
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.segmentation.simulation.cohort import draw_subject, simulate
from rarelens.studies.data.simulation.anatomy import Template, load_template
from rarelens.studies.settings.segmentation.datasets import Simulate

COARSE = Simulate(
    seed=3,
    subjects=3,
    spacing=5.0,
    rotation=8.0,
    scaling=0.08,
    warp=3.0,
    warp_smoothness=15.0,
    bias_field=0.2,
    noise=0.03,
    contrast_change=0.3,
    lesions=(1, 4),
    lesion_radius=(7.0, 16.0),
    lesion_contrast=(0.15, 0.6),
    lesion_dark_share=0.8,
)


def changed(**values: object) -> Simulate:
    return COARSE.model_copy(update=values)


@pytest.fixture(scope="module")
def template() -> Template:
    return load_template(COARSE.spacing)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = tmp_path_factory.mktemp("raw") / "virtual"
    simulate(raw, "virtual", COARSE)
    return raw / "simulated"


def test_same_seed_gives_same_bytes(cohort: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "again", "virtual", COARSE)
    assert digests(tmp_path / "again/simulated") == digests(cohort)


def test_subject_is_the_same_in_a_smaller_cohort(cohort: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "small", "virtual", changed(subjects=2))
    small, large = digests(tmp_path / "small/simulated"), digests(cohort)
    images = [name for name in small if name.endswith(".nii.gz")]
    assert len(images) == 4
    assert all(small[name] == large[name] for name in images)


def test_subjects_and_seeds_differ(template: Template) -> None:
    first, second = (draw_subject(template, COARSE, number) for number in (0, 1))
    other_seed = draw_subject(template, changed(seed=4), 0)
    assert (first.tissue != second.tissue).mean() > 0.02
    assert (first.lesion != second.lesion).any()
    assert (first.image != other_seed.image).any()


def test_description_lists_the_files_and_says_simulated(cohort: Path) -> None:
    description = json.loads((cohort / "dataset.json").read_text())
    assert "SIMULATED" in description["description"]
    assert description["generator"] == "rarelens simulate"
    assert description["modality"] == {"0": "T1"}
    assert description["labels"] == {"0": "background", "1": "lesion"}
    assert description["numTraining"] == len(description["training"]) == 3
    listed = [cohort / pair[key] for pair in description["training"] for key in ("image", "label")]
    assert sorted(listed) == sorted(cohort.rglob("*.nii.gz"))


def test_image_and_label_share_a_grid_of_the_set_spacing(cohort: Path) -> None:
    for pair in json.loads((cohort / "dataset.json").read_text())["training"]:
        image, label = nib.load(cohort / pair["image"]), nib.load(cohort / pair["label"])
        assert image.shape == label.shape
        np.testing.assert_array_equal(image.affine, label.affine)
        np.testing.assert_allclose(image.affine[:3, :3], np.eye(3) * 5.0)
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
        assert set(np.unique(np.asarray(label.dataobj))) == {0, 1}
        assert image.header.get_xyzt_units()[0] == "mm"


def test_unwarped_subject_is_the_template_in_its_place(template: Template) -> None:
    still = changed(
        rotation=0.0,
        scaling=0.0,
        warp=0.0,
        bias_field=0.0,
        noise=0.0,
        contrast_change=0.0,
        lesion_contrast=(1e-9, 1e-9),
    )
    subject = draw_subject(template, still, 0)
    from nilearn.image import resample_img

    blurred = nib.Nifti1Image(template.image, nib.affines.from_matvec(np.eye(3), template.origin))
    peer = resample_img(blurred, template.affine, template.shape, interpolation="linear")
    np.testing.assert_allclose(
        subject.image[subject.tissue], peer.get_fdata()[subject.tissue], atol=1e-4
    )


def test_lesions_lie_in_tissue_and_are_rare(template: Template) -> None:
    shares = []
    for number in range(12):
        subject = draw_subject(template, COARSE, number)
        assert subject.lesion.any()
        assert not (subject.lesion & ~subject.tissue).any()
        assert (subject.image[subject.tissue] > 0).all()
        shares.append(subject.lesion.mean())
    assert 0.001 < np.mean(shares) < 0.01


@pytest.mark.parametrize(("dark_share", "expected"), [(0.0, 1), (1.0, -1)])
def test_sign_of_contrast_follows_the_dark_share(
    template: Template, dark_share: float, expected: int
) -> None:
    quiet = changed(noise=0.0, lesion_dark_share=dark_share)
    diseased = draw_subject(template, quiet, 0)
    healthy = draw_subject(template, changed(noise=0.0, lesion_contrast=(1e-9, 1e-9)), 0)
    np.testing.assert_array_equal(diseased.lesion, healthy.lesion)
    difference = diseased.image - healthy.image
    assert (np.sign(difference[diseased.lesion]) == expected).all()
    assert np.abs(difference[~diseased.tissue]).max() < 1e-6


def test_other_lesions_leave_the_anatomy(template: Template) -> None:
    one = draw_subject(template, COARSE, 0)
    other = draw_subject(template, changed(lesions=(5, 5)), 0)
    np.testing.assert_array_equal(one.tissue, other.tissue)
    assert (one.image == other.image).mean() > 0.9


@pytest.mark.parametrize("at", [".", "simulated"])
def test_link_is_refused_and_its_target_untouched(cohort: Path, tmp_path: Path, at: str) -> None:
    before = digests(cohort)
    link = tmp_path / "virtual" / at
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(cohort, target_is_directory=True)
    with pytest.raises(RarelensError, match="symbolic link"):
        simulate(tmp_path / "virtual", "virtual", changed(seed=9))
    assert link.is_symlink()
    assert digests(cohort) == before


@pytest.mark.parametrize("name", ["precious.txt", "dataset.json", "imagesTr/mine.nii.gz"])
@pytest.mark.parametrize("ours_too", [True, False])
def test_data_of_the_users_are_refused_and_nothing_is_touched(
    tmp_path: Path, name: str, ours_too: bool
) -> None:
    raw = tmp_path / "virtual"
    for file in [raw / name, *([raw / "simulated/old.txt"] if ours_too else [])]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    before = digests(tmp_path)
    with pytest.raises(RarelensError, match=r"virtual: data of your own \(") as caught:
        simulate(raw, "virtual", COARSE)
    assert Path(name).parts[0] in str(caught.value)
    assert digests(tmp_path) == before


@pytest.mark.parametrize("at", [".", "simulated"])
def test_file_is_refused_and_untouched(tmp_path: Path, at: str) -> None:
    file = tmp_path / "virtual" / at
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    with pytest.raises(RarelensError, match=f"{file}: a file stands"):
        simulate(tmp_path / "virtual", "virtual", COARSE)
    assert file.read_text() == "mine"


def test_many_names_of_the_users_are_told_in_brief(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("mine")
    with pytest.raises(RarelensError, match=r"0\.txt, 1\.txt, 2\.txt, …\)"):
        simulate(tmp_path, "virtual", COARSE)


def test_only_the_simulated_folder_is_replaced_and_it_whole(tmp_path: Path) -> None:
    target = tmp_path / "simulated"
    # Of the desktop, and of an attempt that was killed.
    (tmp_path / ".DS_Store").write_text("hidden")
    (tmp_path / ".simulated.partial").mkdir()
    (tmp_path / ".simulated.partial/half.nii.gz").write_text("half")
    simulate(tmp_path, "virtual", changed(subjects=2))
    assert len(list((target / "imagesTr").iterdir())) == 2
    (target / "old.txt").write_text("old")
    simulate(tmp_path, "virtual", changed(subjects=1))
    assert [path.name for path in (target / "labelsTr").iterdir()] == ["virtual_000.nii.gz"]
    assert not (target / "old.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".DS_Store", "simulated"]


def test_readers_take_the_simulated_folder(cohort: Path) -> None:
    collection = read_collection("msd", cohort.parent, "virtual")
    assert len(collection.cases) == COARSE.subjects
    assert {case.images[0].parent for case in collection.cases} == {cohort / "imagesTr"}


def test_readers_refuse_simulated_data_beside_others(tmp_path: Path) -> None:
    simulate(tmp_path, "virtual", changed(subjects=1))
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(RarelensError, match=r"stand beside other files \(dataset\.json\)"):
        read_collection("msd", tmp_path, "virtual")
