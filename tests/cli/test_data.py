"""``lmcore data``."""

import pytest

ROWS = [
    "good soup,food",
    "good soup,food",
    ",food",
    "late train,travel",
    "late train,food",
    "a road,",
    "cafÃ© tea,food",
]
CLEAN = [f"text number {n},{'food' if n % 2 else 'travel'}" for n in range(20)]


@pytest.fixture
def source(tmp_path):
    """Seven rows with every defect that the rules handle, and twenty without."""
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join(["comment,stars", *ROWS, *CLEAN]), encoding="utf-8")
    return path


COLUMNS = ("--text", "comment", "--label", "stars")


def test_profile_describes_and_stores_nothing(ask, source, tmp_path):
    found = ask("data", "profile", source, *COLUMNS)
    assert (found["name"], found["rows"], found["ref"], found["splits"]) == ("reviews", 27, None, None)
    assert found["issues"] == {
        "missing_label": 1,
        "empty_text": 1,
        "duplicate": 1,
        "conflicting_labels": 2,
        "mojibake": 1,
    }
    assert [row["label"] for row in found["labels"]] == ["food", "travel"]
    assert set(found["lengths"]) == {"characters", "words"}
    assert not (tmp_path / "home").exists()


def test_profile_for_people(run, source):
    shown = run("data", "profile", source, *COLUMNS).stdout
    assert shown.startswith("reviews: 27 rows. 2 classes")
    assert "1 row repeats an earlier one." in shown
    assert "Not checked yet: near duplicate" in shown


def test_progress_is_told_but_a_refusal_stands_alone(run, source, tmp_path):
    for command in ("profile", "clean", "split"):
        assert "%  " in run("data", command, source, *COLUMNS).stderr
        assert len(run("data", command, tmp_path / "nosuch.csv").stderr.splitlines()) == 1


def test_profile_shows_the_largest_of_many_classes(run, tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("text,label\n" + "".join(f"text number {n},class {n:02}\n" for n in range(50)))
    shown = run("data", "profile", path).stdout
    assert "class 29" in shown
    assert "class 30" not in shown
    assert "20 more classes are not shown." in shown


def test_profile_of_a_split_counts_its_parts(ask, trained_home):
    found = ask("data", "profile", "topics@1", home=trained_home)
    assert found["ref"] == "topics@1"
    assert found["splits"] == {"train": 96, "dev": 12, "test": 12}


def test_clean_stores_the_raw_rows_and_the_clean_ones(ask, source):
    found = ask("data", "clean", source, *COLUMNS, "--name", "mine")
    assert (found["ref"], found["parent"], found["rows"], found["rows_before"]) == ("mine@2", "mine@1", 22, 27)
    assert found["counts"]["resolve_conflicts"] == 2
    assert {"id": 2, "rule": "drop_empty", "action": "dropped", "before": "", "after": ""} in found["changes"]
    assert [info["operation"].get("name") for info in ask("data", "list")] == ["clean", None]


def test_clean_with_chosen_rules_and_options(ask, source):
    found = ask("data", "clean", source, *COLUMNS, "--rule", "drop_empty", "--rule", "drop_duplicates", "--preview")
    assert found["counts"] == {"drop_empty": 1, "drop_duplicates": 1}
    assert found["ref"] is None
    assert ask("data", "list") == []
    dropped = ask("data", "clean", source, *COLUMNS, "--strategy", "majority", "--preview")
    assert dropped["counts"]["resolve_conflicts"] == 2


def test_clean_for_people(run, source):
    shown = run("data", "clean", source, *COLUMNS, "--preview").stdout
    assert shown.startswith("22 of 27 rows are left.")
    assert "café tea" in shown
    assert shown.endswith("This is a preview: nothing was stored.\n")
    run("data", "clean", source, *COLUMNS)
    shown = run("data", "clean", "reviews@2").stdout
    assert shown.startswith(
        "22 of 22 rows are left. There was nothing to clean.\nStored as reviews@3, made from reviews@2."
    )


def test_split_stores_a_version_that_can_be_trained_on(ask, run, source):
    run("data", "clean", source, *COLUMNS)
    found = ask("data", "split", "reviews@2", "--ratios", "6:2:2", "--seed", "3", "--no-stratify")
    assert (found["ref"], found["parent"], found["is_split"]) == ("reviews@3", "reviews@2", True)
    assert sum(found["splits"].values()) == 22
    assert found["operation"] == {"name": "split", "ratios": [6, 2, 2], "seed": 3, "stratify": False}
    again = ask("data", "split", "reviews@2", "--ratios", "6:2:2", "--seed", "3", "--no-stratify")
    assert again["ref"] == "reviews@3"
    assert "lmcore train reviews@4" in run("data", "split", "reviews@2").stdout


def test_split_can_add_questions_without_an_answer(ask, refused):
    found = ask("data", "split", "sample:passages-en", "--unanswerable", "0.4")
    assert found["rows"] == 160
    assert found["operation"]["after"]["name"] == "unanswerable"
    assert "no questions with answers to pair" in refused("data", "split", "sample:hotels-en", "--unanswerable", "0.4")


def test_the_chinese_sample_is_shown_as_it_is(run):
    shown = run("data", "profile", "sample:feedback-zh").stdout
    assert "商品质量" in shown


def test_list(ask, run, source):
    assert run("data", "list").stdout == "No data set is stored yet.\n"
    run("data", "clean", source, *COLUMNS)
    assert [info["ref"] for info in ask("data", "list", "reviews")] == ["reviews@2", "reviews@1"]
    assert "reviews@2" in run("data", "list").stdout


def test_list_passes_over_what_is_damaged(run, source, tmp_path):
    run("data", "clean", source, *COLUMNS)
    (tmp_path / "home" / "datasets" / "reviews" / "1" / "meta.json").write_text("{")
    result = run("data", "list")
    assert result.stderr == "reviews@1 is damaged and left out.\n"
    assert "reviews@2" in result.stdout


BAD_FILES = {
    "empty.csv": (b"", "empty.csv is empty"),
    "header.csv": (b"text,label\n", "header.csv has a header and no rows"),
    "nolabel.csv": (b"text,other\na b c,1\nd e f,2\n", "nolabel.csv has no column that is called label"),
    "binary.csv": (bytes(range(256)) * 20, "binary.csv"),
    "nul.csv": (b"text,label\na\x00b,x\nc,y\n", "NUL"),
    "notes.docx": (b"x", "notes.docx has an unknown ending"),
    "broken.xlsx": (b"PK\x03\x04 nothing", "broken.xlsx"),
    "broken.parquet": (b"PAR1 nothing", "broken.parquet"),
    "broken.jsonl": (b'{"text": "a"\n', "broken.jsonl"),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("command", ["profile", "clean", "split"])
def test_a_bad_file_is_named(refused, tmp_path, name, command):
    content, said = BAD_FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    assert said in refused("data", command, path)
    assert not (tmp_path / "home" / "datasets").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("profile", "nosuch.csv"), "nosuch.csv"),
        (("profile", "sample:nosuch"), "There is no sample 'nosuch'; known: "),
        (("profile", "nosuch@1"), "There is no stored data set 'nosuch@1'"),
        (("profile", "hub:nosuch"), "is not a hub data set"),
        (
            ("profile", "sample:feedback-en", "--text", "nosuch"),
            "has no column 'nosuch'; it has: text, label, channel.",
        ),
        (("clean", "sample:feedback-en", "--name", "../x"), "is not a usable name"),
        (("clean", "sample:feedback-en", "--rule", "drop_empty", "--strategy", "drop"), "resolve_conflicts"),
        (("clean", "sample:feedback-en", "--strategy", "nosuch"), "one of drop, majority"),
        (("split", "sample:feedback-en", "--ratios", "8:1"), "give three numbers above 0"),
        (("split", "sample:feedback-en", "--ratios", "8:x:1"), "The ratios are '8:x:1'"),
        (("list", "nosuch"), "There is no stored data set 'nosuch'; known: none yet."),
    ],
)
def test_bad_input_is_one_sentence(refused, arguments, said):
    assert said in refused("data", *arguments)


def test_too_large_a_file_is_refused(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("LMSCOPE_UPLOAD_MB", "1")
    path = tmp_path / "large.csv"
    path.write_text("text,label\n" + "x" * (2 << 20))
    assert "large.csv has 2.0 MB and the limit is 1.0 MB" in refused("data", "profile", path)


def test_one_row_cannot_be_split(refused, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("text,label\nhello there,x\n")
    assert "needs at least 3" in refused("data", "split", path)


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_other_encodings_are_read(ask, tmp_path, encoding):
    path = tmp_path / "zh.csv"
    path.write_text(
        "text,label\n" + "快递很慢，等了一个星期。,物流\n质量不错，下次再买。,商品\n" * 5, encoding=encoding
    )
    assert {row["label"] for row in ask("data", "profile", path)["labels"]} == {"物流", "商品"}


def test_a_text_of_100_000_characters(ask, run, tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("text,label\n" + "word " * 20_000 + ",x\nshort,y\n")
    assert ask("data", "profile", path)["lengths"]["characters"]["largest"] >= 99_999
    assert "100,000 characters" in run("data", "profile", path).stdout
