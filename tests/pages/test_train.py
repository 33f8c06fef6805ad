import json
import shutil
import time
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from lmcore.data.load import load_dataset
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.jobs import JobBoard, JobState
from lmcore.jobs.selftest import TARGET as COUNTING
from lmcore.models.registry import ModelRegistry
from lmcore.training.evaluation import load_evaluation

PAGE = "2_Train.py"
SECONDS = 120


@pytest.fixture
def counting(filled, home):
    """A long run that the page takes for a training."""
    board = JobBoard(home.workspace)
    job = board.submit(COUNTING, {"to": 1000, "pause": 0.05}, title="Train slowly", kind="train")
    deadline = time.monotonic() + SECONDS
    while not board.metrics(job.id):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return job


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def said(app: AppTest) -> str:
    return "\n".join(e.value for e in app.main if isinstance(getattr(e, "value", None), str))


def words(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def link(app: AppTest, label: str) -> dict[str, str]:
    proto = next(link.proto for link in app.main.get("page_link") if link.proto.label.startswith(label))
    return {"page": proto.page} | {name: value[0] for name, value in parse_qs(proto.query_string).items()}


def choose_tiny(app: AppTest, ref: str, tiny_folder: Path) -> AppTest:
    return app.selectbox(key=f"train_model_{ref}").set_value(f"folder:{tiny_folder}").run()


def test_an_empty_workspace_says_what_to_do_first(open_app):
    app = open_app(PAGE)
    assert not app.exception
    assert not app.error
    assert "No data set is split" in said(app)
    assert [link.proto.page for link in app.main.get("page_link")] == ["Data"]
    assert "No training has been started on this page yet." in said(app)
    assert "No version is registered yet." in said(app)
    assert "Start training" not in labels(app)


def test_a_model_is_trained_watched_and_read(open_app, filled, home, tiny_folder):
    app = choose_tiny(open_app(PAGE), filled.split, tiny_folder)
    assert ":material/timer: About" in said(app)
    assert app.text_input(key=f"train_name_{filled.split}").value == "topics"
    app.text_input(key=f"train_name_{filled.split}").set_value("second").run()
    assert "Linear head" in said(app) or app.selectbox(key="train_method").value == "head"
    app.number_input(key=f"train_text-classification_head_folder:{tiny_folder}_layer").set_value(1).run()
    app = press(app, "Start training")
    board = JobBoard(home.workspace)
    (job,) = board.list(kind="train")
    assert job.config["train"]["layer"] == 1
    assert app.query_params["job"] == job.id
    assert app.selectbox(key="pick_job").value == job.id
    assert board.wait(job.id, SECONDS).state is JobState.DONE, board.get(job.id).error
    app.run()
    assert not app.exception
    assert not app.error
    assert link(app, "See how models:/second/1 did") == {"page": "Train", "version": "models:/second/1"}
    assert any(alt.startswith("Accuracy on dev by layer") for alt in words(app))
    assert ModelRegistry(home.workspace).get("models:/second/1").facts["data"] == filled.split
    app = open_app(PAGE, version="models:/second/1")
    assert app.selectbox(key="pick_version").value == "models:/second/1"
    assert "rows it is right in" in said(app)


def test_the_method_that_trains_all_weights_has_its_own_settings(open_app, filled, tiny_folder):
    app = choose_tiny(open_app(PAGE), filled.split, tiny_folder)
    app.selectbox(key="train_method").set_value("full").run()
    key = f"train_text-classification_full_folder:{tiny_folder}"
    assert app.number_input(key=f"{key}_learning_rate").value == 5e-5
    assert not app.exception
    app.selectbox(key=f"train_model_{filled.split}").set_value("config:bert-small").run()
    assert app.selectbox(key="train_method").options == ["From scratch"]
    assert app.number_input(key="train_text-classification_scratch_config:bert-small_learning_rate").value == 5e-4
    assert app.number_input(key="train_text-classification_scratch_config:bert-small_epochs").value == 10
    assert not app.exception


def test_a_task_that_needs_more_proposes_its_own_settings(open_app, home, tiny_folder):
    data = load_dataset("sample:entities-en", task="named-entity-recognition")
    ref = str(DatasetStore(home.workspace).save(split_dataset(data)).ref)
    app = choose_tiny(open_app(PAGE), ref, tiny_folder)
    assert app.selectbox(key="train_method").options == ["All weights", "Low-rank adapters (LoRA)"]
    key = f"train_named-entity-recognition_full_folder:{tiny_folder}"
    assert app.number_input(key=f"{key}_learning_rate").value == 2e-4
    assert app.number_input(key=f"{key}_epochs").value == 10
    assert not app.exception
    assert not app.error


def test_an_unusable_name_is_told_in_one_sentence(open_app, filled, home):
    app = open_app(PAGE)
    app.text_input(key=f"train_name_{filled.split}").set_value("../elsewhere").run()
    assert not app.exception
    assert "'../elsewhere' is not a usable name" in app.error[0].value
    assert "Start training" not in labels(app)
    assert len(words(app)) == 3, "the evaluation is shown all the same"


def test_too_little_memory_is_told_before_the_start(open_app, filled, monkeypatch):
    from lmcore.training.estimate import Estimate

    scarce = Estimate(seconds=600.0, nbytes=8 << 30, available=1 << 30, truncated_share=0.5, unknown_share=0.67)
    monkeypatch.setattr("lmcore.ui.cache.estimate", lambda config, ref: scarce)
    app = open_app(PAGE)
    assert next(button for button in app.button if button.label == "Start training").disabled
    assert "does not fit into memory" in app.error[0].value
    assert "does not know 67% of the tokens" in app.warning[0].value
    assert "About 10 minutes and 8,192 MiB" in said(app)


def test_a_run_is_cancelled_and_resumed(open_app, home, counting):
    board = JobBoard(home.workspace)
    app = open_app(PAGE, job=counting.id)
    assert any(bar.proto.value > 0 or bar.proto.text for bar in app.main.get("progress"))
    app = press(app, "Cancel")
    assert board.wait(counting.id, SECONDS).state is JobState.CANCELLED
    app.run()
    assert "cancelled" in app.info[0].value
    app = press(app, "Resume")
    again = board.get(counting.id)
    assert again.attempt == 2
    assert not again.state.ended
    assert "Cancel" in labels(app)
    assert not app.exception


def test_a_failed_run_says_why(open_app, filled, home):
    board = JobBoard(home.workspace)
    job = board.submit(COUNTING, {"to": -1}, title="Train wrongly", kind="train")
    assert board.wait(job.id, SECONDS).state is JobState.FAILED
    app = open_app(PAGE)
    assert not app.exception
    assert [box.value for box in app.error] == [board.get(job.id).error]
    assert "Resume" in labels(app)
    app = press(app, "Delete this job")
    assert not app.exception
    assert not app.error
    assert board.list(kind="train") == []


def test_a_link_opens_its_run(open_app, home, counting):
    board = JobBoard(home.workspace)
    board.cancel(counting.id)
    newer = board.submit(COUNTING, {"to": 1000, "pause": 0.05}, title="Newer", kind="train")
    assert open_app(PAGE).selectbox(key="pick_job").value == newer.id
    app = open_app(PAGE, job=counting.id)
    assert app.selectbox(key="pick_job").value == counting.id
    assert "**Train slowly**" in said(app)


def test_the_evaluation_names_its_errors_and_leads_to_them(open_app, filled, home):
    result = load_evaluation(home.workspace, filled.evaluation)
    wrong = result.errors()
    app = open_app(PAGE)
    assert f"right in {result.metrics['accuracy']:.1%}" in said(app)
    assert len(words(app)) == 3
    assert list(app.dataframe[0].value["row"]) == [i + 1 for i in wrong["id"]]
    assert list(app.dataframe[0].value["sureness"]) == sorted(wrong["score"], reverse=True)
    first = int(wrong["id"].iloc[0])
    assert link(app, f"Analyse row {first + 1}") == {
        "page": "Analyse",
        "version": filled.version,
        "dataset": filled.split,
        "row": str(first),
    }
    last = int(wrong["id"].iloc[-1])
    picker = next(box for box in app.selectbox if box.label == "Open an error in Analyse")
    app = picker.set_value(last).run()
    assert link(app, f"Analyse row {last + 1}")["row"] == str(last)


def test_links_to_what_is_not_there_say_so(open_app, filled):
    app = open_app(PAGE, version="models:/gone/3", dataset="gone@1")
    assert not app.exception
    assert sorted(box.value.split("'")[1] for box in app.warning) == ["gone@1", "models:/gone/3"]
    assert app.selectbox(key="pick_version").value == filled.version
    assert "Start training" in labels(app)


def test_a_link_to_a_run_that_is_not_there_says_so(open_app, counting):
    app = open_app(PAGE, job="20200101-000000-abcdef")
    assert not app.exception
    assert "'20200101-000000-abcdef'" in app.warning[0].value
    assert app.selectbox(key="pick_job").value == counting.id


def test_a_link_to_a_version_that_is_not_split_takes_the_split_one(open_app, filled):
    app = open_app(PAGE, dataset=filled.raw)
    assert app.selectbox(key="pick_dataset").value == filled.split


def test_a_damaged_evaluation_is_told_in_one_sentence(open_app, filled, home):
    (home.workspace.results / "evaluations" / filled.evaluation / "predictions.parquet").write_bytes(b"no")
    app = open_app(PAGE)
    assert not app.exception
    assert len(app.error) == 1
    assert filled.evaluation in app.error[0].value
    assert "Start training" in labels(app)


def test_damaged_rows_are_told_in_one_sentence(open_app, filled, home):
    (home.workspace.datasets / "topics" / "2" / "data.parquet").write_bytes(b"damaged")
    app = open_app(PAGE)
    assert not app.exception
    assert "topics@2 is damaged" in app.error[0].value
    assert len(words(app)) == 3, "the evaluation is shown all the same"


def test_a_version_without_an_evaluation_says_how_to_get_one(open_app, filled, home):
    shutil.rmtree(home.workspace.results / "evaluations")
    app = open_app(PAGE)
    assert not app.exception
    assert f"{filled.version} was not evaluated yet" in app.info[0].value


def test_a_model_without_errors_is_congratulated(open_app, filled, home):
    folder = home.workspace.results / "evaluations" / filled.evaluation
    right = load_evaluation(home.workspace, filled.evaluation).predictions.assign(correct=True)
    right.to_parquet(folder / "predictions.parquet", index=False)
    assert json.loads((folder / "evaluation.json").read_text())["id"] == filled.evaluation
    app = open_app(PAGE)
    assert not app.exception
    assert not app.dataframe
    assert app.success[0].value == "The model made no error on these rows."


def test_chinese_data_are_offered_a_model_from_a_configuration(open_app, home):
    from lmcore.data import load_dataset, split_dataset

    store = DatasetStore(home.workspace)
    kept = store.save(split_dataset(load_dataset("sample:feedback-zh", task="text-classification", name="zh")))
    app = open_app(PAGE)
    assert app.selectbox(key=f"train_model_{kept.ref}").value == "config:bert-small"
    assert not app.exception
    assert not app.warning


def test_a_cluster_is_offered_only_where_one_is_set_up(open_app, filled, home, tiny_folder, monkeypatch):
    def place(app):
        return [choice for choice in app.segmented_control if choice.key == "train_place"]

    def by_gradient():
        app = choose_tiny(open_app(PAGE), filled.split, tiny_folder)
        return app.selectbox(key="train_method").set_value("full").run()

    assert place(by_gradient()) == []
    monkeypatch.setenv("LMSCOPE_RAY_ADDRESS", "http://127.0.0.1:1")
    monkeypatch.setenv("LMSCOPE_RAY_WORKERS", "4")
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    app = by_gradient()
    (where,) = place(app)
    where.set_value("cluster").run()
    assert "A Ray cluster is used with a token alone" in app.error[0].value
    assert "Start training" not in labels(app)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret-of-the-cluster")
    app = press(app.run(), "Start training")
    assert not app.exception
    (job,) = JobBoard(home.workspace).list(kind="train")
    assert (job.config["workers"], job.config["cluster"], job.needs_bytes) == (4, True, 0)
    ended = JobBoard(home.workspace).wait(job.id, SECONDS)
    assert (
        ended.error
        == "The Ray cluster at http://127.0.0.1:1 does not answer: check LMSCOPE_RAY_ADDRESS and that it runs."
    )
    assert "secret-of-the-cluster" not in ended.log_file.read_text() + json.dumps(dict(job.config))


@pytest.fixture
def decoder(home, monkeypatch, tmp_path):
    """A small decoder among the model folders, and a split data set for it."""
    from tests.tasks.speakers import speaker

    folder = tmp_path / "models" / "speaker"
    loaded = speaker("text-generation")
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    monkeypatch.setenv("LMSCOPE_MODEL_DIRS", str(folder.parent))
    data = load_dataset("sample:kitchen-en", task="text-generation")
    return folder, str(DatasetStore(home.workspace).save(split_dataset(data)).ref)


def test_rewards_are_offered_for_decoders_of_tasks_that_write(open_app, filled, decoder, monkeypatch):
    folder, ref = decoder
    app = open_app(PAGE, dataset=ref)
    app = app.selectbox(key="pick_dataset").set_value(ref).run()
    assert app.selectbox(key="train_method").options == ["From scratch"]
    app = choose_tiny(app, ref, folder)
    assert "Reinforcement learning (GRPO)" in app.selectbox(key="train_method").options
    monkeypatch.setenv("LMSCOPE_RAY_ADDRESS", "http://127.0.0.1:1")
    app = app.selectbox(key="train_method").set_value("grpo").run()
    assert not app.exception
    assert not app.error
    assert not [choice for choice in app.segmented_control if choice.key == "train_place"], "it runs in one process"
    key = f"train_text-generation_grpo_folder:{folder}"
    assert app.number_input(key=f"{key}_learning_rate").value == 1e-5
    assert app.selectbox(key=f"{key}_classifier").options == ["", filled.version]
    assert "Start training" in labels(app)
    app = app.selectbox(key=f"{key}_reward").set_value("format").run()
    assert "needs a pattern" in app.error[0].value
    assert "Start training" not in labels(app)
    app = app.text_input(key=f"{key}_pattern").set_value(r"[a-z ]+\.").run()
    assert not app.error
    monkeypatch.setattr("lmcore.training.defaults.is_installed", lambda name: name != "grpo")
    app = open_app(PAGE, dataset=ref)
    app = choose_tiny(app.selectbox(key="pick_dataset").set_value(ref).run(), ref, folder)
    assert app.selectbox(key="train_method").options == ["All weights", "Low-rank adapters (LoRA)"]


def test_how_texts_are_written_can_be_set_where_texts_are_written(open_app, home):
    """The settings of decoding are there for a version that writes, and go into the job."""
    data = load_dataset("sample:translation-en-zh", task="translation")
    ref = str(DatasetStore(home.workspace).save(split_dataset(data)).ref)
    folder = home.workspace.models / "writer"
    folder.mkdir(parents=True)
    version = ModelRegistry(home.workspace).register("writer", folder, task="translation", facts={"data": ref})
    app = open_app(PAGE, version=str(version.ref))
    assert not [field for field in app.number_input if field.key == "evaluate_decoding_beams"]
    app.toggle(key="evaluate_decoding").set_value(True).run()
    assert app.number_input(key="evaluate_decoding_beams").value == 1
    app.number_input(key="evaluate_decoding_beams").set_value(4).run()
    app.button(key="evaluate").click().run()
    (job,) = JobBoard(home.workspace).list(kind="evaluate")
    assert job.config["decoding"]["beams"] == 4
    assert not app.exception
