from types import SimpleNamespace

import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.data.text import is_chinese
from lmcore.errors import UnknownError
from lmcore.tasks import TASKS, load_task
from lmcore.ui import cache, example


@pytest.fixture
def offered(monkeypatch, tmp_path):
    """What is offered for a version with these facts, where these data are stored."""
    stored = {}

    def load(name):
        if name not in stored:
            raise UnknownError("data set", name, stored)
        return stored[name]

    def offer(task="text-classification", data=None, **facts):
        if data is not None:
            stored["own@1"] = data
        version = SimpleNamespace(ref="models:/own/1", task=task, facts={"data": "own@1", **facts})
        monkeypatch.setattr(cache, "registry", lambda: SimpleNamespace(get=lambda ref: version))
        monkeypatch.setattr(cache, "workspace_root", lambda: str(tmp_path))
        monkeypatch.setattr(cache, "dataset", load)
        example._example_of.clear()
        return example.example_texts("models:/own/1")

    return offer


def rows(texts, **columns):
    frame = pd.DataFrame({"id": range(len(texts)), "text": texts, "label": ["a", "b"] * (len(texts) // 2), **columns})
    return split_dataset(TextDataset("own", "text-classification", frame), ratios=(1, 1, 2))


def test_it_is_a_rather_short_row_of_the_versions_own_test_rows(offered):
    data = rows([f"{'rain ' * n}fell" for n in range(1, 41)])
    lengths = sorted(data.part("test").frame["text"].str.len())[:20]
    found = offered(data=data)
    assert found["text"] in set(data.part("test").frame["text"])
    assert min(lengths) < len(found["text"])


def test_a_version_that_reads_pairs_gets_both_texts_and_blank_rows_are_passed_over(offered):
    texts = [f"question {n}" for n in range(40)]
    found = offered(data=rows(texts, text_pair=["", "who asks?"] * 20))
    assert list(found) == ["text", "text_pair"]
    assert found["text_pair"] == "who asks?"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("chinese", [True, False])
def test_without_its_data_it_is_a_sample_in_the_language_that_it_learnt(offered, task, chinese):
    found = offered(task, chinese=chinese)
    assert set(load_task(task).required()) <= set(found)
    assert is_chinese(next(iter(found.values()))) is chinese


def test_a_version_of_before_is_known_by_its_labels(offered):
    assert is_chinese(offered(labels=["物流", "质量"])["text"])
    assert not is_chinese(offered(labels=["delivery", "quality"])["text"])
    assert not is_chinese(offered()["text"])
