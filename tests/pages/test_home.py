import json
from urllib.parse import parse_qs

from streamlit.testing.v1 import AppTest

from lmcore import demo
from lmcore.jobs import JobBoard, JobState
from lmcore.jobs.selftest import TARGET as COUNTING
from lmcore.jobs.store import JobStore
from lmcore.training.evaluation import load_evaluation

PAGE = "Home.py"
STAGES = ["Data", "Train", "Analyse", "Visualise", "Operate"]
SECONDS = 30


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def said(app: AppTest) -> str:
    return "\n".join(
        element.value for element in app.main if hasattr(element, "value") and isinstance(element.value, str)
    )


def links(app: AppTest) -> dict[str, dict[str, str]]:
    """What the cards' links take along, by page."""
    cards = [link.proto for link in app.main.get("page_link") if link.proto.label.startswith("Open ")]
    return {card.page: {name: value[0] for name, value in parse_qs(card.query_string).items()} for card in cards}


def test_an_empty_workspace_offers_the_demo_and_one_card_for_each_stage(open_app, home):
    app = open_app(PAGE)
    assert not app.exception
    assert not app.error
    assert links(app) == {stage: {} for stage in STAGES}
    assert "**This workspace is empty.**" in said(app)
    assert said(app).count("nothing yet") == 5
    assert "Open the demo" in labels(app)
    assert "Delete everything" not in labels(app)
    assert not home.workspace.datasets.exists()


def test_the_cards_say_what_there_is_and_lead_to_it(open_app, filled, home):
    measured = load_evaluation(home.workspace, filled.evaluation)
    surest = measured.errors(1).iloc[0]
    app = open_app(PAGE)
    assert not app.exception
    for sentence in (
        f"the newest, {filled.split}, has 120 rows and is split.",
        f"{filled.version} on the test split: Macro F1 is {measured.metrics['f1_macro']:.3f} (95 % interval",
        f"{filled.version} is wrong on {len(measured.errors())} of 12 test rows; the surest error takes",
        f"1 map; the newest is PCA of layer 2 over {filled.split}, neighbourhoods kept to 0.",
        f"{filled.version} is the champion; no server is running.",
    ):
        assert sentence in said(app)
    assert links(app) == {
        "Data": {"dataset": filled.split},
        "Train": {"version": filled.version},
        "Analyse": {"version": filled.version, "dataset": filled.split, "row": str(surest["id"])},
        "Visualise": {
            "version": filled.version,
            "dataset": filled.split,
            "layer": "2",
            "visualise_method": "PCA",
            "visualise_split": "all",
        },
        "Operate": {"version": filled.version},
    }
    assert "Open the demo" not in labels(app)


def test_the_demo_is_a_job_that_is_watched_and_can_be_cancelled(open_app, home, monkeypatch):
    monkeypatch.setattr(demo, "TARGET", COUNTING)
    app = press(open_app(PAGE), "Open the demo")
    (job,) = JobBoard(home.workspace).list(kind="demo")
    assert job.needs_bytes > 0
    assert "**Demo**" in said(app)
    assert any("Demo" in bar.proto.text for bar in app.sidebar.get("progress"))
    app = press(app, "Cancel")
    assert JobBoard(home.workspace).wait(job.id, SECONDS).state is JobState.CANCELLED
    app.run()
    assert not app.exception
    assert "Open the demo" in labels(app), "a cancelled demo is offered again"


def test_what_the_demo_found_is_told(open_app, filled, home):
    board, store = JobBoard(home.workspace), JobStore(home.workspace)
    job = board.submit(COUNTING, {"to": 1, "pause": 0}, title="Demo", kind="demo")
    assert board.wait(job.id, SECONDS).state is JobState.DONE
    with store.writing() as db:
        store.update(db, job.id, result=json.dumps({"sentences": ["Data: 9 rows had defects."]}))
    app = open_app(PAGE)
    assert not app.exception
    assert "- Data: 9 rows had defects." in said(app)
    assert "**Demo**" not in said(app)


def test_reset_asks_twice_stops_the_jobs_and_empties_the_workspace(open_app, filled, home):
    board = JobBoard(home.workspace)
    job = board.submit(COUNTING, {"to": 1000, "pause": 0.05}, title="Count", kind="check")
    keep = home.workspace.root / "notes.txt"
    keep.write_text("mine")
    app = open_app(PAGE)
    delete = next(button for button in app.button if button.label == "Delete everything")
    assert delete.disabled
    app.checkbox(key="home_reset_sure").check().run()
    worker = board.get(job.id).worker
    app = press(app, "Delete everything")
    assert not app.exception
    assert not app.error
    assert "**This workspace is empty.**" in said(app)
    assert not worker.alive()
    assert keep.read_text() == "mine"
    left = {path.name for path in home.workspace.root.iterdir()} - {"audit", "jobs", "notes.txt"}
    assert not left
    assert "Open the demo" in labels(app)


def test_a_damaged_database_is_told_in_a_sentence_and_the_page_stands(open_app, filled, home):
    home.workspace.tracking.write_bytes(b"no database")
    app = open_app(PAGE)
    assert not app.exception
    assert len(app.main.get("alert")) + len(app.error) >= 1
    assert "\n" not in app.error[0].value.strip()
    assert app.title[0].value == "LMScope"


def test_a_setting_that_is_no_number_is_told_in_a_sentence(open_app, monkeypatch):
    monkeypatch.setenv("LMSCOPE_POOL_MB", "plenty")
    app = open_app(PAGE)
    assert not app.exception
    assert app.error[0].value == "LMSCOPE_POOL_MB is 'plenty': give a whole number from 64 to 1048576."
