import pickle

import pytest

from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError
from lmcore.types import DatasetRef


def with_split(data):
    return data.derive(data.frame.assign(split=["train", "dev", "train"]), name="split", seed=3)


@pytest.fixture
def data(make_data):
    return make_data(("a", "x"), ("b", "y"), ("c", "x"))


def test_fingerprint_follows_every_cell_the_columns_and_the_task(data):
    frame = data.frame
    same = TextDataset("other name", data.task, frame.copy(), source="elsewhere")
    assert same.fingerprint == data.fingerprint
    for changed in (
        frame.assign(text=["a", "b", "d"]),
        frame.assign(id=[0, 1, 3]),
        frame.rename(columns={"label": "class"}),
        frame.iloc[::-1],
        frame.iloc[:2],
    ):
        assert TextDataset("small", data.task, changed).fingerprint != data.fingerprint
    assert TextDataset("small", "another task", frame).fingerprint != data.fingerprint


def test_a_derived_data_set_knows_its_parent_and_is_not_stored(data):
    stored = TextDataset(**{**data.__dict__, "ref": DatasetRef("small", 2)})
    split = with_split(stored)
    assert split.ref is None
    assert split.parent == DatasetRef("small", 2)
    assert split.operation == {"name": "split", "seed": 3}
    assert split.fingerprint != stored.fingerprint


def test_a_part_has_its_rows_and_its_own_reference_and_fingerprint(data):
    split = with_split(data)
    whole = TextDataset(**{**split.__dict__, "ref": DatasetRef("small", 1)})
    before = whole.fingerprint
    part = whole.part("train")
    assert part.frame["id"].tolist() == [0, 2]
    assert part.frame.index.tolist() == [0, 1]
    assert str(part.ref) == "small@1:train"
    assert part.fingerprint != before
    assert len(part) == 2


def test_a_part_of_an_unsplit_data_set_or_of_another_name_is_refused(data):
    with pytest.raises(DataError, match="is not split yet"):
        data.part("test")
    with pytest.raises(DataError, match="train, dev, test"):
        with_split(data).part("validation")


def test_a_copy_computes_its_own_fingerprint(data):
    before = data.fingerprint
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301
    assert "fingerprint" not in copy.__dict__
    assert copy.fingerprint == before
