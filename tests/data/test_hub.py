from types import SimpleNamespace

import pytest

from lmcore.data.hub import read_hub
from lmcore.data.load import load_dataset
from lmcore.errors import DataError, InputError
from lmcore.settings import MIB

datasets = pytest.importorskip("datasets")
TASK = "text-classification"


def part(texts, labels):
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    return datasets.Dataset.from_dict({"text": texts, "label": labels}, features=features)


@pytest.fixture
def hub(monkeypatch):
    """Stand in for the hub: what was asked for, what it answers, or the error that it raises."""
    state = SimpleNamespace(asked=[], parts={}, error=None, download_size=None, cut_off=False)

    def load_dataset_builder(path, name=None, **options):
        state.asked.append((path, name, options))
        if state.error:
            raise state.error
        info = SimpleNamespace(download_size=state.download_size, dataset_size=None)
        return SimpleNamespace(
            info=info, download_and_prepare=lambda: None, as_dataset=lambda: datasets.DatasetDict(state.parts)
        )

    monkeypatch.setattr(datasets, "load_dataset_builder", load_dataset_builder)
    monkeypatch.setattr("lmcore.data.hub.is_cut_off", lambda: state.cut_off)
    return state


def test_splits_become_a_column_and_class_numbers_names(hub):
    hub.parts = {
        "train": part(["a", "b"], [0, 1]),
        "validation": part(["c"], [1]),
        "test": part(["d"], [-1]),
    }
    data = load_dataset("hub:org/some-set", task=TASK)
    assert data.frame.columns.tolist() == ["id", "text", "label", "split"]
    assert data.frame.values.tolist() == [
        [0, "a", "neg", "train"],
        [1, "b", "pos", "train"],
        [2, "c", "pos", "dev"],
        [3, "d", "", "test"],
    ]
    assert (data.name, data.source) == ("some-set", "hub:org/some-set")


def test_one_split_is_no_split(hub):
    hub.parts = {"train": part(["a"], [0])}
    assert read_hub("org/set", MIB).columns.tolist() == ["text", "label"]


def test_a_configuration_is_passed_on_and_local_folders_and_code_are_not_read(hub):
    hub.parts = {"train": part(["a"], [0])}
    data = load_dataset("hub:nyu/glue:sst2", task=TASK)
    assert hub.asked == [("hf://datasets/nyu/glue", "sst2", {})]
    assert data.name == "glue-sst2"


@pytest.mark.parametrize("name", ["csv", "../secret", "/etc/passwd", "org/../x", "a/b/c", "", "org/name:", "org/na me"])
def test_other_forms_are_refused_before_anything_is_asked(hub, name):
    with pytest.raises(InputError, match="is not a hub data set: write hub:org/name"):
        load_dataset(f"hub:{name}", task=TASK)
    assert not hub.asked


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionError("no route"), "The hub cannot be reached for the data set org/set: check the network"),
        (
            datasets.exceptions.DatasetNotFoundError("doesn't exist.\nMore."),
            r"org/set cannot be read \(doesn't exist\)",
        ),
        (ValueError("Config name is missing."), r"cannot be read \(Config name is missing\): check its name"),
        (RuntimeError("Dataset scripts are no longer supported"), "scripts are no longer supported"),
    ],
)
def test_failures_are_one_sentence(hub, error, message):
    hub.error = error
    with pytest.raises(DataError, match=message) as caught:
        read_hub("org/set", MIB)
    assert "\n" not in str(caught.value)


def test_a_set_above_the_limit_is_not_downloaded(hub):
    hub.download_size = 3 * MIB
    with pytest.raises(DataError, match=r"org/set has 3\.0 MB and the limit is 1\.0 MB"):
        read_hub("org/set", MIB)


def test_no_rows(hub):
    hub.parts = {"train": part([], [])}
    with pytest.raises(DataError, match="has no rows"):
        read_hub("org/set", MIB)


def test_without_a_network_it_is_not_asked_again_and_again(hub):
    hub.cut_off = True
    with pytest.raises(DataError, match="The hub cannot be reached for the data set org/set: check the network"):
        read_hub("org/set", MIB)
    assert not hub.asked
