import shutil
from dataclasses import replace
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.typing import VegaLiteState

from lmcore.jobs import JobBoard, JobState
from lmcore.projection.job import TARGET
from lmcore.projection.representations import load_map

PAGE = "4_Visualise.py"
SECONDS = 120


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def said(app: AppTest) -> str:
    return "\n".join(e.value for e in app.main if isinstance(getattr(e, "value", None), str))


def words(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def link(app: AppTest, label: str) -> dict[str, str]:
    proto = next(link.proto for link in app.main.get("page_link") if link.proto.label.startswith(label))
    return {"page": proto.page} | {name: value[0] for name, value in parse_qs(proto.query_string).items()}


def rows(app: AppTest, name: str) -> AppTest:
    return app.segmented_control(key="visualise_split").set_value(name).run()


def test_an_empty_workspace_says_what_to_do_first(open_app):
    app = open_app(PAGE)
    assert not app.exception
    assert not app.error
    assert "no trained version" in said(app)
    assert [link.proto.page for link in app.main.get("page_link")] == ["Train"]


def test_a_small_map_is_drawn_at_once_and_kept(open_app, filled, home):
    before = len(list((home.workspace.results / "maps").iterdir()))
    app = open_app(PAGE)
    assert not app.exception
    assert not app.error
    assert words(app)[0].startswith("PCA of layer 2: 12 texts by label.")
    assert "The map keeps neighbourhoods" in said(app)
    assert len(list((home.workspace.results / "maps").iterdir())) == before + 1
    assert len(JobBoard(home.workspace).list()) == 0
    assert any(alt.startswith("The class with the lowest F1") for alt in words(app))


def test_a_kept_map_is_shown_without_a_model(open_app, filled, home):
    shutil.rmtree(home.workspace.results / "evaluations")
    app = rows(open_app(PAGE), "all")
    assert words(app)[0].startswith("PCA of layer 2: 120 texts by label.")
    assert len(list((home.workspace.results / "maps").iterdir())) == 2


@pytest.mark.parametrize("color", ["predicted", "correct", "is_outlier"])
def test_the_map_is_coloured_by_another_column(open_app, filled, color):
    app = open_app(PAGE)
    app.segmented_control(key="visualise_color").set_value(color).run()
    assert not app.exception
    assert {"predicted": "prediction", "correct": "correctness", "is_outlier": "outlier"}[color] in words(app)[0]


def test_a_selection_shows_its_texts_and_leads_to_one(open_app, filled, home):
    points = load_map(home.workspace, filled.map.id).points
    box = points.sort_values("x").head(7)
    inside = points[
        points["x"].between(box["x"].min(), box["x"].max()) & points["y"].between(box["y"].min(), box["y"].max())
    ].sort_values("outlier", ascending=False)
    app = rows(open_app(PAGE), "all")
    drawn = [box["x"].min(), box["x"].max()], [box["y"].max(), box["y"].min()]
    picked = {"selection": {"picked": {"x": drawn[0], "y": drawn[1]}}}
    app.session_state[f"map_{filled.map.id}_label"] = VegaLiteState(picked)
    app.run()
    assert not app.exception
    assert f"Selected texts: {len(inside)}" in [head.value for head in app.subheader]
    table = app.dataframe[0].value
    assert list(table["row"]) == [i + 1 for i in inside["id"]]
    assert list(table["text"]) == list(inside["text"])
    first = int(inside["id"].iloc[0])
    assert link(app, f"Open row {first + 1} in Analyse") == {
        "page": "Analyse",
        "version": filled.version,
        "dataset": filled.split,
        "row": str(first),
    }


def test_without_a_selection_the_outliers_are_listed(open_app, filled, home):
    points = load_map(home.workspace, filled.map.id).points
    app = rows(open_app(PAGE), "all")
    assert len(app.dataframe[0].value) == points["is_outlier"].sum() > 0
    assert "Drag over the map" in said(app)


def test_a_slow_map_is_drawn_by_a_job(open_app, filled, home):
    app = open_app(PAGE)
    app.selectbox(key="visualise_method").set_value("tsne").run()
    assert not app.exception
    assert "Draw the map" in [button.label for button in app.button]
    app = press(app, "Draw the map")
    board = JobBoard(home.workspace)
    (job,) = board.list(kind="map")
    assert job.target == TARGET
    assert job.title == "t-SNE map of topics@2:test"
    assert board.wait(job.id, SECONDS).state is JobState.DONE, board.get(job.id).error
    app.run()
    assert words(app)[0].startswith("t-SNE of layer 2: 12 texts")
    assert len(app.dataframe) == 1


def test_a_map_whose_job_failed_says_why(open_app, filled, home):
    wanted = replace(filled.map, data=filled.raw, method="tsne", options={}).resolved(filled.map.layer)
    board = JobBoard(home.workspace)
    job = board.submit("lmcore.jobs.selftest:missing", wanted.to_dict(), title="t-SNE map", kind="map")
    job = board.wait(job.id, SECONDS)
    assert job.state is JobState.FAILED
    app = open_app(PAGE, dataset=filled.raw)
    app.selectbox(key="visualise_method").set_value("tsne").run()
    assert [box.value for box in app.error] == [job.error]
    assert "Resume" in [button.label for button in app.button]
    assert not app.exception


def test_a_base_layer_and_fewer_rows(open_app, filled):
    app = rows(open_app(PAGE), "all")
    app.selectbox(key="pick_layer").set_value("0").run()
    app.number_input(key="visualise_rows_limit").set_value(40).run()
    assert words(app)[0].startswith("PCA of layer 0: 40 texts")
    assert "A sample of 40 out of 120 rows is shown." in said(app)
    assert app.query_params["layer"] == "0"


def test_a_link_opens_its_map(open_app, filled):
    app = open_app(PAGE, version=filled.version, dataset=filled.raw, layer="1")
    assert not app.warning
    assert app.selectbox(key="pick_dataset").value == filled.raw
    assert app.selectbox(key="pick_layer").value == "1"
    assert words(app)[0].startswith("PCA of layer 1: 120 texts")


def test_a_link_carries_how_the_map_is_drawn(open_app, filled):
    drawn = {"visualise_split": "dev", "visualise_color": "Correctness", "visualise_outliers": "Local outlier factor"}
    app = open_app(PAGE, version=filled.version, dataset=filled.split, **drawn)
    assert not app.exception
    assert "texts by correctness" in words(app)[0]
    assert app.selectbox(key="visualise_outliers").value == "local_outlier_factor"


def test_links_to_what_is_not_there_say_so(open_app, filled):
    app = open_app(PAGE, version="models:/gone/3", dataset="gone@1", layer="99")
    assert not app.exception
    assert sorted(box.value.split("'")[1] for box in app.warning) == ["99", "gone@1", "models:/gone/3"]
    assert words(app)[0].startswith("PCA of layer 2")


def test_a_damaged_map_is_told_in_one_sentence(open_app, filled, home):
    (home.workspace.results / "maps" / filled.map.id / "points.parquet").write_bytes(b"no")
    app = rows(open_app(PAGE), "all")
    assert not app.exception
    assert len(app.error) == 1
    assert filled.map.id in app.error[0].value
    assert any(alt.startswith("The class with the lowest F1") for alt in words(app))


def test_weights_that_are_gone_are_told(open_app, filled, home):
    shutil.rmtree(home.workspace.models)
    app = open_app(PAGE)
    assert not app.exception
    assert "no trained version" in said(app)


def test_too_few_rows_are_told_in_one_sentence(open_app, filled, home):
    from lmcore.data.store import DatasetStore

    store = DatasetStore(home.workspace)
    whole = store.load(filled.raw)
    one = store.save(replace(whole, name="one", frame=whole.frame.head(1), ref=None))
    app = open_app(PAGE, dataset=str(one.ref))
    assert not app.exception
    assert len(app.error) == 1
