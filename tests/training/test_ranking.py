import json

import numpy as np
import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import InputError, OptionError, StorageError, UnknownError
from lmcore.models import load_model
from lmcore.models.predict import predict_rows
from lmcore.training.ranking import (
    Ranking,
    ensure_ranking,
    load_ranking,
    rank_rows,
    ranking_id,
    run_ranking,
    save_ranking,
)
from lmcore.types import Silent


@pytest.fixture
def unlabelled(topic_frame):
    return TextDataset("texts", "text-classification", topic_frame.assign(label="").head(30))


def test_rows_come_in_the_order_of_the_models_doubt(tiny_loaded, unlabelled):
    found = rank_rows(tiny_loaded, unlabelled)
    said = predict_rows(tiny_loaded, unlabelled.frame)
    assert found.measures == ("least_confident", "margin", "entropy")
    assert found.order("least_confident") == [p.id for p in sorted(said, key=lambda p: p.score)]
    leads = {p.id: np.diff(np.sort(list(p.probabilities.values()))[-2:])[0] for p in said}
    assert found.order("margin") == sorted(leads, key=lambda row: leads[row])
    assert found.said(3) == {str(tiny_loaded.ref): {"label": said[3].label}}
    assert found.said(999) == {}
    with pytest.raises(OptionError, match="has no measure 'disagreement': take least_confident, margin, entropy"):
        found.order("disagreement")


def test_equal_rows_keep_the_order_of_the_data_set():
    rows = pd.DataFrame({"id": [5, 3, 9], "cells": "{}", "margin": [0.5, 0.5, 0.7]})
    assert Ranking("", "a", "", "d@1", rows).order("margin") == [9, 5, 3]


def test_two_versions_are_ordered_by_how_far_they_are_apart(tiny_loaded, tiny_folder, unlabelled, tmp_path, settings):
    import torch

    other = load_model(f"folder:{tiny_folder}", task="text-classification", settings=settings)
    with torch.no_grad():
        other.model.classifier.bias += torch.tensor([3.0, 0.0, 0.0])
    from dataclasses import replace

    other = replace(other, ref=replace(other.ref, name="elsewhere"))
    found = rank_rows(tiny_loaded, unlabelled, other=other)
    values = found.values("disagreement")
    assert all(0 <= value <= 1 for value in values.values())
    assert max(values.values()) > 0
    best = found.order("disagreement")[0]
    assert values[best] == max(values.values())
    assert set(found.said(best)) == {str(tiny_loaded.ref), "folder:elsewhere"}
    with pytest.raises(InputError, match="is named twice"):
        rank_rows(tiny_loaded, unlabelled, other=tiny_loaded)


def test_a_version_of_another_task_is_refused(tiny_loaded, unlabelled):
    from dataclasses import replace

    wrong = replace(unlabelled, task="named-entity-recognition", frame=unlabelled.frame.assign(tags=""))
    with pytest.raises(InputError, match="does text-classification and 'texts' is for named-entity-recognition"):
        rank_rows(tiny_loaded, wrong)


def test_a_ranking_is_kept_and_found_again(tiny_loaded, unlabelled, workspace):
    stored = DatasetStore(workspace).save(unlabelled)
    made = rank_rows(tiny_loaded, stored)
    save_ranking(workspace, made)
    save_ranking(workspace, made)
    assert made.id == ranking_id(str(tiny_loaded.ref), "texts@1")
    again = load_ranking(workspace, made.id)
    pd.testing.assert_frame_equal(again.to_frame(), made.to_frame(), check_dtype=False)
    with pytest.raises(UnknownError, match="There is no ranking 'gone'"):
        load_ranking(workspace, "gone")
    (workspace.results / "rankings" / made.id / "rows.parquet").write_bytes(b"half")
    with pytest.raises(StorageError, match=f"The ranking {made.id} is damaged"):
        load_ranking(workspace, made.id)


def test_a_job_ranks_a_stored_data_set_once(trained, shared_settings, unlabelled, monkeypatch):
    version, settings = str(trained.version.ref), shared_settings
    DatasetStore(settings.workspace).save(unlabelled)
    config = {"version": version, "other": "", "data": "texts@1"}
    found = run_ranking(config, workspace=settings.workspace, report=Silent(), resume=False)
    assert found == {"ranking": ranking_id(version, "texts@1")}
    monkeypatch.setattr("lmcore.training.ranking.rank_rows", lambda *a, **k: pytest.fail("it is kept already"))
    data = DatasetStore(settings.workspace).load("texts@1")
    rows = ensure_ranking(version, data, settings=settings).rows
    assert set(json.loads(rows["cells"].iloc[0])) == {"label"}
