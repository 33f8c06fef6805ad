from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import DataError, OptionError, StorageError
from lmcore.models.encode import encode_texts
from lmcore.models.hidden import mean_pooled_states
from lmcore.models.load import LoadedModel
from lmcore.projection import job
from lmcore.projection.methods import OUTLIERS, PROJECTION
from lmcore.projection.representations import MapConfig, load_map, map_representations, save_map
from lmcore.settings import Workspace
from lmcore.tasks import load_task
from lmcore.types import Silent
from tests.analysis.readers import reader

CONFIG = MapConfig(version="tiny", data="topics@1")


def test_points_are_the_projection_of_the_layers_mean_token_vectors(
    tiny_loaded: LoadedModel, topics: TextDataset
) -> None:
    result = map_representations(tiny_loaded, topics, replace(CONFIG, layer=1))
    encodings = load_task(topics.task).encode(tiny_loaded.tokenizer, topics.frame, tiny_loaded.max_length)
    x = mean_pooled_states(tiny_loaded, encodings)[1].astype(np.float64)
    shares = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    assert result.explained_variance == pytest.approx(tuple(shares[:2] / shares.sum()), rel=1e-3)
    assert result.points["id"].tolist() == topics.frame["id"].tolist()
    assert set(result.points["correct"]) <= {"right", "wrong"}
    assert result.points["is_outlier"].sum() == np.ceil(0.02 * len(topics))


@pytest.mark.parametrize("task", ["text-generation", "completion", "translation", "named-entity-recognition"])
def test_models_without_classes_of_texts_are_mapped_too(task: str) -> None:
    loaded = reader(task)
    frame = pd.DataFrame({"id": range(12), "text": [f"Anna told us {'very ' * n}on day {n}" for n in range(12)]})
    result = map_representations(loaded, TextDataset("tales", task, frame.assign(source=frame["text"])), CONFIG)
    encodings = encode_texts(loaded.tokenizer, frame["text"].tolist(), loaded.max_length)
    x = mean_pooled_states(loaded, encodings)[-1].astype(np.float64)
    shares = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    assert result.explained_variance == pytest.approx(tuple(shares[:2] / shares.sum()), rel=1e-3)
    assert not result.points["predicted"].any()


def test_the_last_layer_is_the_default(tiny_loaded: LoadedModel, topics: TextDataset) -> None:
    assert map_representations(tiny_loaded, topics, CONFIG).layer == 2


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(
    tiny_loaded: LoadedModel, topics: TextDataset
) -> None:
    with pytest.raises(OptionError, match=r"layer is 3, .* 0 \(embeddings\) to 2"):
        map_representations(tiny_loaded, topics, replace(CONFIG, layer=3))


def test_a_sample_keeps_the_labels_shares_and_says_the_total(tiny_loaded: LoadedModel, topics: TextDataset) -> None:
    result = map_representations(tiny_loaded, topics, replace(CONFIG, rows=30))
    assert result.rows_total == 120
    assert result.points["label"].value_counts().tolist() == [10, 10, 10]
    again = map_representations(tiny_loaded, topics, replace(CONFIG, rows=30))
    assert again.points["id"].tolist() == result.points["id"].tolist()


def test_rows_without_a_text_are_left_out(tiny_loaded: LoadedModel, topics: TextDataset) -> None:
    blank = replace(topics, frame=topics.frame.assign(text="  "))
    with pytest.raises(DataError, match="no row with a text"):
        map_representations(tiny_loaded, blank, CONFIG)


def test_a_kept_map_comes_back_equal_and_equal_settings_share_it(
    tiny_loaded: LoadedModel, topics: TextDataset, workspace: Workspace
) -> None:
    result = map_representations(tiny_loaded, topics, CONFIG)
    save_map(workspace, CONFIG.id, result)
    kept = load_map(workspace, MapConfig(**CONFIG.to_dict()).id)
    assert kept is not None
    assert kept.points.equals(result.points)
    assert (kept.quality, kept.fingerprint, kept.layer) == (result.quality, result.fingerprint, result.layer)
    assert load_map(workspace, replace(CONFIG, seed=1).id) is None
    assert load_map(workspace, "../escape") is None


def test_a_second_saver_that_comes_late_is_harmless(
    tiny_loaded: LoadedModel, topics: TextDataset, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = map_representations(tiny_loaded, topics, CONFIG)
    save_map(workspace, CONFIG.id, result)
    monkeypatch.setattr("pathlib.Path.exists", lambda self: False)
    save_map(workspace, CONFIG.id, result)
    monkeypatch.undo()
    assert [path.name for path in (workspace.results / "maps").iterdir()] == [CONFIG.id]


def test_a_damaged_map_is_said_in_a_sentence(
    tiny_loaded: LoadedModel, topics: TextDataset, workspace: Workspace
) -> None:
    save_map(workspace, CONFIG.id, map_representations(tiny_loaded, topics, CONFIG))
    (workspace.results / "maps" / CONFIG.id / "points.parquet").write_bytes(b"rubbish")
    with pytest.raises(StorageError, match="is damaged"):
        load_map(workspace, CONFIG.id)


def test_the_job_keeps_the_map_and_does_not_draw_it_twice(
    tiny_folder: object, topics: TextDataset, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMSCOPE_DEVICE", "cpu")
    stored = DatasetStore(workspace).save(topics)
    config = MapConfig(version=f"folder:{tiny_folder}", data=f"{stored.ref}:test")
    found = job.run(config.to_dict(), workspace=workspace, report=Silent(), resume=False)
    assert found == {"map": config.id}
    kept = load_map(workspace, config.id)
    assert kept is not None
    assert len(kept.points) == len(topics.part("test"))
    monkeypatch.setattr(job, "load_model", lambda *a, **k: pytest.fail("the kept map was drawn again"))
    assert job.run(config.to_dict(), workspace=workspace, report=Silent(), resume=False) == found


def test_a_resolved_map_has_one_id_however_its_settings_were_given() -> None:
    open_ended = MapConfig(version="m", data="d@1", method="umap")
    spelt_out = MapConfig(
        version="m",
        data="d@1",
        layer=4,
        method="umap",
        options=PROJECTION["umap"].check({}),
        outlier_options=OUTLIERS["knn_distance"].check({}),
    )
    assert open_ended.resolved(4).id == spelt_out.resolved(4).id == spelt_out.id
    assert open_ended.resolved(4).id != open_ended.resolved(5).id
    with pytest.raises(OptionError):
        MapConfig(version="m", data="d@1", options={"seed": "x"}).resolved(4)
