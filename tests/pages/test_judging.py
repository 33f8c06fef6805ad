"""The Train page's views of an evaluation."""

import shutil
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from lmcore.data.store import DatasetStore
from lmcore.jobs import Job, JobBoard, JobState
from lmcore.models.registry import ModelRegistry
from lmcore.training.config import TrainConfig
from lmcore.training.continual.forgetting import forgetting_of
from lmcore.training.continual.kept_forgetting import save_forgetting
from lmcore.training.curve import learning_curve
from lmcore.training.evaluation import load_evaluation, save_evaluation
from lmcore.training.judging import CALIBRATION, CURVE, FORGETTING
from lmcore.training.kept import kept_evaluations
from lmcore.training.temperature import calibrate
from tests.pages.test_train import PAGE, SECONDS, labels, link, press, said, words


def show(app: AppTest, view: str) -> AppTest:
    app = next(group for group in app.segmented_control if group.key == "judging_view").set_value(view).run()
    assert not app.exception
    assert not app.error
    return app


def stop(board: JobBoard, kind: str) -> Job:
    """Return the one job of a kind, cancelled: what it does is tested elsewhere."""
    (job,) = board.list(kind=kind)
    board.cancel(job.id)
    return board.wait(job.id, SECONDS)


@pytest.fixture
def second(filled, home):
    """Another version that makes no error, with its evaluation."""
    registry = ModelRegistry(home.workspace)
    first = registry.get(filled.version)
    made = registry.register("topics", first.folder, task=first.task, facts=first.facts)
    result = load_evaluation(home.workspace, filled.evaluation)
    mended = result.predictions.assign(label=result.predictions["gold"], correct=True)
    save_evaluation(home.workspace, replace(result, id="second", version=str(made.ref), predictions=mended))
    return made


def test_every_view_of_an_evaluation(open_app, filled, home):
    app = open_app(PAGE, judging_view="Slices")
    assert not app.exception
    control = next(group for group in app.segmented_control if group.key == "judging_view")
    assert control.value == "slices", "a link of before named what was shown"
    assert control.options == [
        "Overview",
        "Slices",
        "Calibration",
        "Compare",
        "Before and after",
        "Learning curve",
        "Compression",
        "Forgetting",
        "Model card",
    ]
    assert len(words(app)) == 1
    picker = next(box for box in app.selectbox if box.label == "Rows of a slice")
    app = picker.set_value(picker.options.index("label = travel")).run()
    listed = next(table.value for table in app.dataframe if "gold" in table.value)
    result = load_evaluation(home.workspace, filled.evaluation)
    assert set(listed["gold"]) == {"travel"}
    assert len(listed) == (result.predictions["gold"] == "travel").sum()
    row = int(listed["row"].iloc[0])
    assert link(app, f"Analyse row {row}")["row"] == str(row - 1)
    app = show(app, "calibration")
    assert "The expected calibration error is " in said(app)
    assert words(app)[0].startswith(f"{filled.version}: expected calibration error ")
    assert app.dataframe[0].value["measure"].tolist() == [
        "Calibration error", "Brier score", "Log-likelihood loss", "AUROC",
    ]  # fmt: skip
    app = show(app, "compare")
    assert "There is no other version of this task yet" in app.info[0].value
    app = show(app, "curve")
    assert "Draw the curve" in labels(app)
    assert not words(app)
    app = show(app, "forgetting")
    assert f"{filled.version} was not trained on from another version" in app.info[0].value
    app = show(app, "card")
    assert "# topics, version 1" in said(app)
    assert "## Limits" in said(app)
    assert "Download the card" in [button.proto.label for button in app.get("download_button")]


def test_two_versions_are_compared_on_the_same_rows(open_app, second, filled, home):
    app = open_app(PAGE, judging_view="Compare", version=filled.version)
    assert not app.exception
    assert app.multiselect[0].value == [str(second.ref)]
    assert "Paired bootstrap" in said(app)
    assert any("Macro F1" in alt for alt in words(app))
    listed = app.dataframe[0].value
    assert listed[str(second.ref)].tolist() == listed["gold"].tolist()
    assert f"Rows that one gets right and another wrong: {len(listed)}" in [head.value for head in app.subheader]
    app = app.multiselect[0].set_value([]).run()
    assert "Choose a version that was evaluated on the same rows." in said(app)
    shutil.rmtree(home.workspace.results / "evaluations" / "second")
    app = app.multiselect[0].set_value([str(second.ref)]).run()
    assert f"{second.ref} was not evaluated on {filled.split}:test yet." in [box.value for box in app.info]
    app = next(b for b in app.button if b.key == f"judging_evaluate_{second.ref}").click().run()
    assert not app.exception
    job = stop(JobBoard(home.workspace, grace_seconds=0.1), "evaluate")
    assert job.config == {"version": str(second.ref), "data": filled.split, "split": "test"}


def test_a_temperature_is_fitted_and_seen_beside_what_was_before(open_app, filled, home):
    app = press(open_app(PAGE, judging_view="Calibration"), "Calibrate")
    assert not app.exception
    board = JobBoard(home.workspace, grace_seconds=0.1)
    job = stop(board, "calibrate")
    assert (job.target, job.config) == (CALIBRATION, {"version": filled.version, "data": filled.split})
    made = calibrate(filled.version, DatasetStore(home.workspace).load(filled.split), settings=home)
    app = open_app(PAGE, judging_view="Calibration", version=str(made.version.ref))
    assert not app.exception
    assert f"{filled.version} is the same model without it" in said(app)
    assert words(app)[0].count("expected calibration error") == 2
    assert f"{made.version.facts['temperature']:.2f} was fitted on {filled.split}:dev" in said(app)


def test_a_learning_curve_is_asked_for_and_shown(open_app, filled, home):
    app = press(open_app(PAGE, judging_view="Learning curve"), "Draw the curve")
    assert not app.exception
    job = stop(JobBoard(home.workspace, grace_seconds=0.1), "curve")
    assert (job.target, job.config["data"], job.config["shares"]) == (CURVE, filled.split, [0.1, 0.25, 0.5, 1.0])
    app.run()
    assert {"Resume", "Draw the curve"} <= set(labels(app)) or job.state is JobState.DONE
    config = TrainConfig.from_dict(job.config["train"])
    curve = learning_curve(config, DatasetStore(home.workspace).load(filled.split), settings=home)
    app.run()
    assert not app.exception
    assert words(app)[-1] == curve.verdict
    assert "training rows changed Macro F1 by" in said(app)


def test_forgetting_is_measured_and_shown(open_app, filled, home):
    registry = ModelRegistry(home.workspace)
    first = registry.get(filled.version)
    config = {**first.facts["config"], "method": "continual", "model": filled.version}
    made = registry.register(
        "topics", first.folder, task=first.task, facts={**first.facts, "base": filled.version, "config": config}
    )
    result = load_evaluation(home.workspace, filled.evaluation)
    save_evaluation(home.workspace, replace(result, id="further", version=str(made.ref)))
    app = open_app(PAGE, judging_view="Forgetting", version=str(made.ref))
    assert not app.exception
    assert f"What {made.ref} forgot of what {filled.version} knew was not measured yet." in said_info(app)
    app = press(app, "Measure forgetting")
    job = stop(JobBoard(home.workspace, grace_seconds=0.1), "forgetting")
    assert (job.target, job.config) == (FORGETTING, {"version": str(made.ref)})
    found = forgetting_of(made.ref, settings=home)
    save_forgetting(home.workspace, found)
    app = open_app(PAGE, judging_view="Forgetting", version=str(made.ref))
    assert not app.exception
    assert "did not clearly change on the earlier data" in said(app)
    assert len(words(app)) == 2
    assert "Download the report" in [button.proto.label for button in app.get("download_button")]
    app = show(app, "curve")
    assert "a learning curve is of one data set alone" in said_info(app)


def said_info(app: AppTest) -> str:
    return " ".join(box.value for box in app.info)


def test_a_version_that_was_not_trained_here_has_a_card_and_no_curve(open_app, filled, home):
    registry = ModelRegistry(home.workspace)
    first = registry.get(filled.version)
    made = registry.register("brought", first.folder, task=first.task)
    result = load_evaluation(home.workspace, filled.evaluation)
    save_evaluation(home.workspace, replace(result, id="brought", version=str(made.ref)))
    app = open_app(PAGE, judging_view="Learning curve", version=str(made.ref))
    assert not app.exception
    assert f"{made.ref} was not trained here" in app.info[0].value
    assert "The data set is not in the workspace any more." in said(show(app, "card"))


def test_a_version_is_evaluated_from_the_page(open_app, filled, home):
    shutil.rmtree(home.workspace.results / "evaluations")
    app = open_app(PAGE)
    assert f"{filled.version} was not evaluated yet" in app.info[0].value
    assert app.selectbox(key="evaluate_data").value == filled.split
    app = app.selectbox(key="evaluate_split").set_value("dev").run()
    app = press(app, "Evaluate")
    board = JobBoard(home.workspace)
    (job,) = board.list(kind="evaluate")
    assert job.config == {"version": filled.version, "data": filled.split, "split": "dev"}
    assert board.wait(job.id, SECONDS).state is JobState.DONE, board.get(job.id).error
    (kept,) = kept_evaluations(home.workspace)
    assert kept.data == f"{filled.split}:dev"
    app.run()
    assert not app.exception
    assert "dev rows it is right in" in said(app)


def test_one_of_several_evaluations_is_chosen_and_the_one_on_test_comes_first(open_app, filled, home):
    result = load_evaluation(home.workspace, filled.evaluation)
    on_dev = {**result.parameters, "split": "dev", "rows": 12}
    save_evaluation(home.workspace, replace(result, id="dev", data=f"{filled.split}:dev", parameters=on_dev))
    app = open_app(PAGE)
    box = next(box for box in app.selectbox if box.label == "Evaluated on")
    assert box.value == filled.evaluation
    app = box.set_value("dev").run()
    assert not app.exception
    assert "dev rows it is right in" in said(app)


def test_before_and_after_beside_a_rival_where_the_base_has_no_head(open_app, filled, home):
    app = open_app(PAGE, judging_view="Before and after", version=filled.version)
    assert not app.exception
    assert not app.error
    assert "has no trained head for text classification" in app.info[0].value
    before = next(box for box in app.selectbox if box.label == "Before")
    assert before.value == "majority class"
    result = load_evaluation(home.workspace, filled.evaluation)
    assert f"Of {len(result.predictions)} rows" in said(app)
    assert len(words(app)) == 3
    assert "A simple rival answers only for the rows above" in said(app)
    listed = next(table.value for table in app.dataframe if "change" in table.value)
    assert set(listed["change"]) == {"fixed"}
    group = next(g for g in app.segmented_control if g.label == "Rows" and str(g.key).startswith("beside_change"))
    app = group.set_value("all").run()
    listed = next(table.value for table in app.dataframe if "change" in table.value)
    assert len(listed) == len(result.predictions)


def test_before_and_after_beside_another_version_and_a_text_of_ones_own(open_app, second, filled, home):
    app = open_app(PAGE, judging_view="Before and after", version=str(second.ref))
    assert not app.exception
    assert not app.error
    box = next(box for box in app.selectbox if box.label == "Before")
    assert box.value == filled.version, "the version before it"
    listed = next(table.value for table in app.dataframe if "change" in table.value)
    first = load_evaluation(home.workspace, filled.evaluation).predictions
    assert len(listed) == (~first["correct"]).sum()
    app = next(b for b in app.button if b.label == "Ask both").click().run()
    assert "Write text first." in said(app)
    app.text_area(key="beside_text_text").set_value("rain and *snow*")
    app = next(b for b in app.button if b.label == "Ask both").click().run()
    assert not app.exception
    assert not app.error
    assert f"Before\\: {filled.version}".replace("\\", "") in said(app).replace("\\", "")
    assert len(words(app)) == 4
    shutil.rmtree(home.workspace.results / "evaluations" / filled.evaluation)
    app.run()
    assert f"{filled.version} was not evaluated on {filled.split}:test yet." in [box.value for box in app.info]
    app = next(b for b in app.button if b.key == "beside_evaluate").click().run()
    assert not app.exception
    job = stop(JobBoard(home.workspace, grace_seconds=0.1), "evaluate")
    assert job.config == {"version": filled.version, "data": filled.split, "split": "test"}


def test_before_and_after_of_a_version_alone_says_so(open_app, filled, home):
    registry = ModelRegistry(home.workspace)
    first = registry.get(filled.version)
    made = registry.register("alone", first.folder, task=first.task, facts={"base": "config:bert-small"})
    result = load_evaluation(home.workspace, filled.evaluation)
    save_evaluation(home.workspace, replace(result, id="alone", version=str(made.ref), tables={}))
    app = open_app(PAGE, judging_view="Before and after", version=str(made.ref))
    assert not app.exception
    assert "with random weights: there is nothing before it" in app.info[0].value
    assert "There is nothing to compare with yet" in said(app)
