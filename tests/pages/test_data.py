import pytest
from streamlit.testing.v1 import AppTest

from lmcore.data.samples import sample_defects
from lmcore.data.store import DatasetStore

PAGE = "1_Data.py"
SAMPLE = "feedback-en"
CSV = (
    "text,label\n" + "\n".join(f"a message about {word} {n},{word}" for n in range(6) for word in ("tea", "rain"))
).encode()


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def view(app: AppTest, name: str) -> AppTest:
    return app.segmented_control(key="data_view").set_value(name.lower()).run()


def said(app: AppTest) -> str:
    return "\n".join(element.value for element in app.main.markdown) + "\n".join(c.value for c in app.main.caption)


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    app = app.segmented_control(key="data_source").set_value("Upload").run()
    return app.file_uploader[0].upload(name, content).run()


def test_an_empty_workspace_says_what_to_do_first(open_app, home):
    app = open_app(PAGE)
    assert not app.exception
    assert not app.error
    assert "No data set yet" in said(app)
    assert "Take this sample" in [button.label for button in app.button]
    assert not home.workspace.datasets.exists()


def test_a_sample_is_taken_described_cleaned_and_split(open_app, home):
    app = press(open_app(PAGE), "Take this sample")
    store = DatasetStore(home.workspace)
    raw = store.load(f"{SAMPLE}@1")
    planted = sample_defects(SAMPLE)
    assert app.selectbox(key="pick_dataset").value == f"{SAMPLE}@1"
    assert app.query_params["dataset"] == f"{SAMPLE}@1"
    assert f"{len(planted['duplicate'])} rows repeat an earlier one." in said(app)
    assert next(chart.proto.alt for chart in app.get("vega_lite_chart")).startswith("Rows of each label: ")
    assert list(app.dataframe[0].value["column"]) == ["text", "label", "channel"]

    app = view(app, "Defects")
    table = app.dataframe[0].value
    assert {"Duplicate", "Mojibake"} <= set(table["kind"])
    app.button_group(key="data_issue_kinds").set_value(["mojibake"]).run()
    assert set(app.dataframe[0].value["kind"]) == {"Mojibake"}
    assert set(app.dataframe[0].value["row"]) == {row + 1 for row in planted["mojibake"]}

    app = view(app, "Rows")
    assert list(app.dataframe[0].value["row"][:2]) == [1, 2]

    app = view(app, "Clean")
    preview = next(m.value for m in app.markdown if "rows go" in m.value)
    app = press(app, "Keep as a new version")
    clean = store.load(f"{SAMPLE}@2")
    assert f"{len(raw) - len(clean):,} rows go" in preview
    assert f"{len(clean):,} are left" in preview
    assert app.selectbox(key="pick_dataset").value == f"{SAMPLE}@2"
    assert next(b for b in app.button if b.label == "Keep as a new version").disabled
    assert any("change nothing" in box.value for box in app.info)

    app = press(view(app, "Split"), "Split and keep as a new version")
    split = store.load(f"{SAMPLE}@3")
    assert split.is_split
    assert app.get("vega_lite_chart")[0].proto.alt.startswith("Rows by split: train ")

    app = view(app, "Rows")
    assert len(app.dataframe[0].value) == len(split)
    app = view(app, "History")
    history = [button.label for button in app.button if button.label.startswith(SAMPLE)]
    assert history == [f"{SAMPLE}@1", f"{SAMPLE}@2", f"{SAMPLE}@3"]
    app = press(app, f"{SAMPLE}@1")
    assert app.selectbox(key="pick_dataset").value == f"{SAMPLE}@1"
    assert not app.exception
    assert not app.error


def test_rules_that_are_not_wanted_are_left_out(open_app, home):
    app = view(press(open_app(PAGE), "Take this sample"), "Clean")
    for box in app.checkbox:
        box.uncheck()
    app.run()
    assert "Choose at least one rule." in said(app)
    app.checkbox(key="clean_drop_empty").check().run()
    app = press(app, "Keep as a new version")
    assert dict(DatasetStore(home.workspace).info(f"{SAMPLE}@2").operation)["rules"] == ["drop_empty"]


def test_the_chinese_sample_is_described(open_app, home):
    app = open_app(PAGE)
    app.selectbox(key="data_sample").set_value("feedback-zh").run()
    app = press(app, "Take this sample")
    app.segmented_control(key="data_unit").set_value("characters").run()
    assert "characters" in app.get("vega_lite_chart")[1].proto.alt
    assert not app.exception


def test_a_file_is_brought_in(open_app, home):
    app = upload(open_app(PAGE), "drinks.csv", CSV)
    assert app.selectbox(key="data_column_text_text|label").value == "text"
    assert len(app.dataframe[0].value) == 5
    app = press(app, "Bring it in")
    stored = DatasetStore(home.workspace).load("drinks@1")
    assert (len(stored), set(stored.frame["label"])) == (12, {"tea", "rain"})
    assert app.selectbox(key="pick_dataset").value == "drinks@1"


@pytest.mark.parametrize(
    ("name", "content"),
    [("broken.xlsx", b"no workbook at all"), ("broken.parquet", b"PAR1 no"), ("empty.csv", b""), ("broken.json", b"{")],
)
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(open_app, home, name, content):
    app = upload(open_app(PAGE), name, content)
    assert not app.exception
    assert len(app.error) == 1
    assert name in app.error[0].value
    assert not home.workspace.datasets.exists()


def test_a_file_over_the_limit_is_refused(open_app, home, monkeypatch):
    monkeypatch.setenv("LMSCOPE_UPLOAD_MB", "1")
    app = upload(open_app(PAGE), "large.csv", CSV * 4000)
    assert not app.exception
    assert "the limit is 1.0 MB" in app.error[0].value


def test_the_wrong_columns_are_told(open_app, home):
    app = upload(open_app(PAGE), "drinks.csv", CSV)
    app.selectbox(key="data_column_label_text|label").set_value("text").run()
    app = press(app, "Bring it in")
    assert not app.exception
    assert len(app.error) == 1


def test_a_link_opens_its_version_and_view(open_app, filled):
    app = open_app(PAGE, dataset=filled.raw, data_view="Rows")
    assert app.selectbox(key="pick_dataset").value == filled.raw
    assert "split" not in app.dataframe[0].value.columns
    assert not app.warning


def test_a_link_to_what_is_not_there_says_so(open_app, filled):
    app = open_app(PAGE, dataset="gone@7", data_view="Nonsense")
    assert not app.exception
    assert "'gone@7'" in app.warning[0].value
    assert app.selectbox(key="pick_dataset").value == filled.split
    assert app.segmented_control(key="data_view").value == "profile"


def test_damaged_rows_are_told_in_one_sentence(open_app, filled, home):
    (home.workspace.datasets / "topics" / "2" / "data.parquet").write_bytes(b"damaged")
    app = open_app(PAGE, dataset=filled.split)
    assert not app.exception
    assert len(app.error) == 1
    assert "topics@2 is damaged" in app.error[0].value
    app.selectbox(key="pick_dataset").set_value(filled.raw).run()
    assert not app.error


def test_a_damaged_description_is_told_and_the_others_still_open(open_app, filled, home):
    (home.workspace.datasets / "topics" / "2" / "meta.json").write_text("{")
    app = open_app(PAGE)
    assert not app.exception
    assert "The stored data set topics@2 is damaged" in app.warning[0].value
    assert app.selectbox(key="pick_dataset").value == filled.raw
