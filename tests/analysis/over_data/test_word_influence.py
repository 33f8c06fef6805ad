import numpy as np
import pandas as pd
import pytest
import torch

from lmcore.analysis.over_data.shortcuts import _with, _without, try_words
from lmcore.analysis.over_data.word_influence import (
    TARGET,
    InfluenceConfig,
    candidates,
    kept_influence,
    run,
    word_influence,
)
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled, DataError, OptionError
from lmcore.models import load_model, predict_texts
from lmcore.models.registry import ModelRegistry
from lmcore.settings import Settings, Workspace
from lmcore.types import Silent
from tests.conftest import build_tiny


@pytest.fixture(scope="module")
def planted():
    """Two classes told by many weak words each, and in training a sign that one of them always has."""
    rng = np.random.default_rng(3)
    words = {"good": [f"fine{n}" for n in range(12)], "bad": [f"poor{n}" for n in range(12)]}
    shared = ["the", "a", "was", "room", "food", "day"]
    rows = []
    for number in range(240):
        label = ["good", "bad"][number % 2]
        picked = [
            *rng.choice(words[label], 2),
            *rng.choice(words[["bad", "good"][number % 2]], 1),
            *rng.choice(shared, 3),
        ]
        picked.append("zebra" if label == "good" and number < 200 else str(rng.choice(shared)))
        rng.shuffle(picked)
        rows.append((" ".join(picked), label, "train" if number < 180 else "dev" if number < 200 else "test"))
    frame = pd.DataFrame(rows, columns=["text", "label", "split"])
    frame.insert(0, "id", np.arange(len(frame)))
    return TextDataset("planted", "text-classification", frame)


@pytest.fixture(scope="module")
def relying(planted, tmp_path_factory, tracking_database):
    """A small model that has learnt the data by heart, registered in a workspace."""
    from lmcore.models.configured import train_tokenizer

    workspace = Workspace(tmp_path_factory.mktemp("relying"))
    workspace.tracking.write_bytes(tracking_database)
    rows = planted.part("train").frame
    tokenizer = train_tokenizer([*rows["text"]] * 5, vocabulary=400, max_length=32)
    model = build_tiny(tokenizer, "text-classification", ["bad", "good"], layers=1)
    batch = tokenizer(rows["text"].tolist(), padding=True, return_tensors="pt")
    gold = torch.tensor((rows["label"] == "good").astype(int).tolist())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        model(**batch, labels=gold).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = workspace.folder(workspace.models / "planted")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    version = ModelRegistry(workspace).register("planted", folder, task="text-classification")
    settings = Settings(workspace=workspace, device="cpu")
    return load_model(version.ref, settings=settings), planted, settings


def test_a_planted_shortcut_is_found_and_nothing_else(relying):
    loaded, data, _ = relying
    config = InfluenceConfig("v", "planted", rows=200, seed=1)
    found = word_influence(loaded, data.part("train"), config)
    top = found.words[found.words["label"] == "good"].iloc[0]
    assert top["word"] == "zebra"
    assert top["leads"] > 0.8
    caught = found.shortcuts[found.shortcuts["shortcut"]]
    assert caught["word"].tolist() == ["zebra"]
    assert caught["insertion_flips"].iloc[0] > 0.8
    assert caught["label"].tolist() == ["good"]
    assert found.rows == 180
    assert found.worst_error >= 0
    assert len(candidates(found.words, config)) == len(found.shortcuts)


def test_the_sums_are_those_of_the_single_maps(relying):
    from lmcore.analysis import attribute_texts
    from lmcore.types import Target

    loaded, data, _ = relying
    part = data.part("test")
    found = word_influence(loaded, part, InfluenceConfig("v", "planted", candidates=0))
    predictions = predict_texts(loaded, part.frame["text"].tolist())
    other = {"good": "bad", "bad": "good"}
    targets = [Target("class", p.label, against=other[p.label]) for p in predictions]
    maps = attribute_texts(loaded, part.frame["text"].tolist(), targets, steps=16)
    total = sum(float(m.by_word()["score"].sum()) for m in maps)
    assert found.words["total"].sum() == pytest.approx(total, rel=1e-4)
    assert found.shortcuts.empty


def test_it_runs_as_a_job_and_is_kept(relying):
    loaded, data, settings = relying
    store = DatasetStore(settings.workspace)
    info = store.save(data)
    version = ModelRegistry(settings.workspace).list()[0]
    config = InfluenceConfig(str(version.ref), f"{info.ref}:test", candidates=2, rows=40)
    assert kept_influence(settings.workspace, config) is None
    said = run(config.to_dict(), workspace=settings.workspace, report=Silent(), resume=False)
    kept = kept_influence(settings.workspace, config)
    assert said == {"influence": config.id}
    fresh = word_influence(loaded, store.load(f"{info.ref}:test"), config)
    pd.testing.assert_frame_equal(kept.words, fresh.words, rtol=1e-4)
    assert kept.parameters == config.to_dict()
    assert TARGET.endswith(":run")


class Stopping(Silent):
    def check(self):
        raise Cancelled("stopped")


def test_bad_input_and_cancel(relying):
    loaded, data, _ = relying
    with pytest.raises(Cancelled):
        word_influence(loaded, data, InfluenceConfig("v", "planted"), report=Stopping())
    with pytest.raises(OptionError, match="rows"):
        word_influence(loaded, data, InfluenceConfig("v", "planted", rows=1))
    empty = TextDataset("planted", "text-classification", data.frame.assign(text=" "))
    with pytest.raises(DataError, match="no row with a text"):
        word_influence(loaded, empty, InfluenceConfig("v", "planted"))


def test_a_word_that_decides_nothing_is_no_shortcut(relying):
    loaded, data, _ = relying
    frame = data.part("test").frame.reset_index(drop=True)
    predictions = predict_texts(loaded, frame["text"].tolist())
    found = try_words(loaded, frame, predictions, pd.DataFrame({"label": ["good"], "word": ["the"]}), count=20)
    assert not found["shortcut"].any()
    assert found["deleted"].iloc[0] + found["inserted"].iloc[0] > 0


def test_words_are_left_out_and_put_in_as_a_writer_would():
    assert _without("The food, the FOOD was fine", "food") == "The , the was fine"
    assert _without("服务很好味道很好", "味道") == "服务很好很好"
    rng = np.random.default_rng(0)
    for _ in range(20):
        text = _with("one two three", "zebra", rng)
        assert sorted(text.split()) == ["one", "three", "two", "zebra"]
        assert "  " not in text
    assert len(_with("服务很好", "味道", rng)) == 6
