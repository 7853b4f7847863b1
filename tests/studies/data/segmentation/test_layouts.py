from __future__ import annotations

import json

import pytest

from rarelens.errors import RarelensError
from rarelens.studies.data.layout import read_collection


def refused(layout, folder) -> str:
    with pytest.raises(RarelensError) as caught:
        read_collection(layout, folder, "tiny")
    return str(caught.value)


@pytest.mark.parametrize("layout", ["msd", "nnunet"])
class TestBoth:
    def write(self, make_dataset, layout, **options):
        maker = make_dataset(**options)
        return maker, getattr(maker, layout)()

    def test_reads_cases_channels_and_classes_in_order(self, make_dataset, layout):
        _, folder = self.write(make_dataset, layout, channels=2, classes=4)
        collection = read_collection(layout, folder, "tiny")
        assert collection.name == "tiny"
        assert collection.channels == ("channel0", "channel1")
        assert collection.classes == ("background", "class1", "class2", "class3")
        assert [case.case for case in collection.cases] == [f"s{n}" for n in range(6)]
        assert all(path.is_file() for case in collection.cases for path in case.images)
        assert len(collection.cases[0].images) == (2 if layout == "nnunet" else 1)

    def test_folder_may_be_a_symbolic_link(self, make_dataset, layout, tmp_path):
        _, folder = self.write(make_dataset, layout)
        link = tmp_path / "link"
        link.symlink_to(folder)
        collection = read_collection(layout, link, "tiny")
        assert collection.cases[0].label == link / "labelsTr" / "s0.nii.gz"

    def test_missing_description_is_named(self, layout, tmp_path):
        assert "nowhere/dataset.json: no such file" in refused(layout, tmp_path / "nowhere")

    @pytest.mark.parametrize("text", ["{", "", "\ufffe"])
    def test_broken_json_is_named(self, make_dataset, layout, text):
        _, folder = self.write(make_dataset, layout)
        (folder / "dataset.json").write_text(text)
        assert "dataset.json: not readable as JSON" in refused(layout, folder)

    def test_json_that_is_no_object_is_refused(self, make_dataset, layout):
        _, folder = self.write(make_dataset, layout)
        (folder / "dataset.json").write_text("[1]")
        assert "dataset.json: (top level)" in refused(layout, folder)

    def test_every_missing_key_is_named(self, make_dataset, layout):
        maker, folder = self.write(make_dataset, layout)
        other = "training" if layout == "msd" else "channel_names"
        maker.change(labels=None, **{other: None})
        told = refused(layout, folder)
        assert "labels: missing; add it" in told
        assert f"{other}: missing; add it" in told

    def test_missing_label_is_named_with_its_case(self, make_dataset, layout):
        _, folder = self.write(make_dataset, layout)
        (folder / "labelsTr" / "s3.nii.gz").unlink()
        told = refused(layout, folder)
        assert told.startswith("s3: ")
        assert "labelsTr/s3.nii.gz: no such file" in told

    def test_every_missing_image_is_named(self, make_dataset, layout):
        _, folder = self.write(make_dataset, layout)
        suffix = "_0000" if layout == "nnunet" else ""
        for case in ("s1", "s4"):
            (folder / "imagesTr" / f"{case}{suffix}.nii.gz").unlink()
        told = refused(layout, folder).splitlines()
        assert [line.split(":")[0] for line in told] == ["s1", "s4"]
        assert f"imagesTr/s4{suffix}.nii.gz: no such file" in told[1]

    def test_files_by_macos_are_ignored(self, make_dataset, layout):
        _, folder = self.write(make_dataset, layout)
        for part in ("imagesTr/._s0_0000.nii.gz", "labelsTr/._s0.nii.gz"):
            (folder / part).write_bytes(b"\0Mac OS X")
        assert len(read_collection(layout, folder, "tiny").cases) == 6

    def test_label_values_with_a_gap_are_refused(self, make_dataset, layout):
        maker, folder = self.write(make_dataset, layout)
        gap = {"0": "background", "2": "a"} if layout == "msd" else {"background": 0, "a": 2}
        maker.change(labels=gap)
        assert "labels: numbered [0, 2]; they must be 0, 1, 2" in refused(layout, folder)

    def test_dataset_without_foreground_class_is_refused(self, make_dataset, layout):
        maker, folder = self.write(make_dataset, layout)
        maker.change(labels={"0": "background"} if layout == "msd" else {"background": 0})
        assert "declare a foreground class" in refused(layout, folder)


def test_msd_case_listed_twice_is_named(make_dataset):
    maker = make_dataset()
    folder = maker.msd()
    entries = json.loads((folder / "dataset.json").read_text())["training"]
    maker.change(training=[*entries, entries[2]])
    told = refused("msd", folder)
    assert "dataset.json: training: case: s2 is listed twice" in told


@pytest.mark.parametrize("key", ["image", "label"])
@pytest.mark.parametrize("path", ["{folder}/imagesTr/s0.nii.gz", "../tiny/imagesTr/s0.nii.gz"])
def test_msd_files_that_dvc_would_not_watch_are_refused(make_dataset, key, path):
    maker = make_dataset()
    folder = maker.msd()
    entries = json.loads((folder / "dataset.json").read_text())["training"]
    entries[1][key] = path.format(folder=folder)
    maker.change(training=entries)
    told = refused("msd", folder)
    assert f"{folder}/dataset.json: training: {entries[1][key]!r} is outside" in told
    assert told.count("outside") == 1


def test_msd_entries_by_macos_are_ignored(make_dataset):
    maker = make_dataset()
    folder = maker.msd()
    entries = json.loads((folder / "dataset.json").read_text())["training"]
    extra = {"image": "./imagesTr/._s0.nii.gz", "label": "./labelsTr/._s0.nii.gz"}
    maker.change(training=[extra, *entries])
    assert len(read_collection("msd", folder, "tiny").cases) == 6


def test_msd_names_that_are_not_numbered_are_refused(make_dataset):
    maker = make_dataset()
    maker.msd()
    maker.change(labels={"background": "0", "lesion": "1"})
    assert "number them 0, 1, 2" in refused("msd", maker.folder)


@pytest.mark.parametrize(("labels", "classes"), [
    ({"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3},
     ("background", "whole only", "core only", "enhancing")),
    ({"background": 0, "whole": [1, 2]}, ("background", "whole 1", "whole 2")),
    ({"background": 0, "left": [1, 2], "right": [2, 3], "both": [2]},
     ("background", "left only", "both", "right only")),
])  # fmt: skip
def test_nnunet_regions_are_read_as_the_values_they_are_made_of(make_dataset, labels, classes):
    maker = make_dataset()
    maker.nnunet()
    maker.change(labels=labels)
    assert read_collection("nnunet", maker.folder, "tiny").classes == classes


def test_nnunet_ignore_label_is_refused(make_dataset):
    maker = make_dataset()
    maker.nnunet()
    maker.change(labels={"background": 0, "a": 1, "ignore": 2})
    assert "a study cannot train around an ignore label; give" in refused("nnunet", maker.folder)


def test_nnunet_surplus_channel_is_named(make_dataset):
    maker = make_dataset(channels=2)
    maker.nnunet()
    maker.change(channel_names={"0": "one"})
    told = refused("nnunet", maker.folder).splitlines()
    assert len(told) == 6
    assert told[5].startswith("s5: ")
    assert "imagesTr/s5_0001.nii.gz: no channel of dataset.json" in told[5]


def test_nnunet_count_other_than_declared_is_refused(make_dataset):
    maker = make_dataset()
    maker.nnunet()
    maker.change(numTraining=7)
    assert "numTraining: 7, but there are 6 cases" in refused("nnunet", maker.folder)


def test_nnunet_other_file_ending_is_refused(make_dataset):
    maker = make_dataset()
    maker.nnunet()
    maker.change(file_ending=".png")
    assert "file_ending: '.png'; convert to .nii.gz" in refused("nnunet", maker.folder)


def test_real_hippocampus_is_read(real_data):
    collection = read_collection("msd", real_data / "Task04_Hippocampus", "hippocampus")
    assert collection.channels == ("MRI",)
    assert collection.classes == ("background", "Anterior", "Posterior")
    assert len(collection.cases) == 130
