import numpy as np
import pandas as pd
import pytest

from lmcore.data.store import DatasetStore
from lmcore.errors import InputError
from lmcore.tasks.resampling import wilson
from lmcore.tasks.tally import Tally
from lmcore.training.slices import describe, evaluation_rows, measure_slices
from tests.training.judged import evaluation, noisy

GOLD = np.arange(240) % 3


def made(texts=None, weak=None, **changes):
    p = noisy(GOLD, 0.9)
    if weak is not None:
        p[weak] = np.eye(3)[(GOLD[weak] + 1) % 3]
    return evaluation(GOLD, p, texts=texts, **changes)


def frame(result, **columns):
    rows = result.predictions[["id", "text"]].assign(label=result.predictions["gold"], split="test", **columns)
    return rows.sample(frac=1, random_state=0)


def of(report, by):
    return report.slices[report.slices["by"] == by].set_index("slice")


def test_the_figure_of_a_slice_is_that_of_its_rows():
    result = made()
    channel = np.where(np.arange(240) % 4 == 0, "email", "chat")
    report = measure_slices(result, frame(result, channel=channel))
    right = result.predictions["correct"].to_numpy()
    for name in ("email", "chat"):
        row = of(report, "channel").loc[name]
        assert row["value"] == pytest.approx(right[channel == name].mean())
        assert row["rows"] == (channel == name).sum()
        wanted = wilson(right[channel == name].sum(), row["rows"], report.level)
        assert (row["low"], row["high"]) == pytest.approx(wanted)
    assert sorted(report.rows_of("channel", "email")) == np.flatnonzero(channel == "email").tolist()
    assert of(report, "label")["rows"].tolist() == [80, 80, 80]
    assert report.overall == result.metrics["accuracy"]


def test_a_weak_slice_is_flagged_and_only_that():
    weak = np.arange(240) % 6 == 0
    result = made(weak=np.flatnonzero(weak)[:25])
    channel = np.where(weak, "survey", np.array(list("abcde") * 48))
    report = measure_slices(result, frame(result, channel=channel))
    assert of(report, "channel")["verdict"].to_dict() == dict.fromkeys("abcde", "") | {"survey": "worse"}
    assert report.sentences()[0].startswith("channel = survey: worse than the whole, Accuracy 0.")
    assert describe(report)["verdict"] == report.sentences()


def test_no_slice_of_random_rows_is_flagged():
    result = made()
    flags = 0
    for seed in range(20):
        random = np.random.default_rng(seed).choice(list("abcdefgh"), 240)
        flags += (measure_slices(result, frame(result, channel=random)).slices["verdict"] != "").any()
    assert flags <= 3


def test_a_few_rows_that_are_all_right_prove_nothing():
    result = made()
    few = np.full(240, "chat", dtype=object)
    few[np.flatnonzero(result.predictions["correct"])[:3]] = "email"
    row = of(measure_slices(result, frame(result, channel=few)), "channel").loc["email"]
    assert row["value"] == 1.0
    assert row["low"] < 0.5
    assert row["verdict"] == ""


def test_the_level_is_corrected_for_the_number_of_slices():
    report = measure_slices(made())
    assert report.level == pytest.approx(1 - 0.05 / len(report.slices))
    assert set(report.slices["by"]) == {"label"}, "all texts have two words"


def test_lengths_are_quarters_in_words_from_short_to_long():
    texts = ["word " * (1 + i % 16) for i in range(240)]
    lengths = of(measure_slices(made(texts=texts)), "length")
    assert lengths.index.tolist() == ["1 to 4 words", "5 to 8 words", "9 to 12 words", "13 to 16 words"]
    assert lengths["rows"].tolist() == [60] * 4


def test_languages_are_told_where_there_are_two():
    texts = ["物流太慢了，等了一个星期" if i % 2 else "the parcel came very late" for i in range(240)]
    assert of(measure_slices(made(texts=texts)), "language")["rows"].to_dict() == {"Chinese": 120, "other": 120}
    assert "language" not in measure_slices(made(texts=texts[1::2] * 2)).slices["by"].tolist()


def test_columns_with_too_many_or_one_value_are_no_slices_and_empty_cells_are_one():
    result = made()
    columns = {
        "number": [str(i) for i in range(240)],
        "constant": "x",
        "source": np.where(np.arange(240) % 2, "web", " "),
    }
    report = measure_slices(result, frame(result, **columns))
    assert set(report.slices["by"]) == {"label", "source"}
    assert set(of(report, "source").index) == {"web", "(empty)"}


def test_other_figures_than_shares_are_bootstrapped(monkeypatch):
    result = made()
    values = np.random.default_rng(0).normal(5.0, 1.0, 240)
    values[:10] += 4

    def tally(task, table):
        rows = np.column_stack([values, np.ones(240)])
        return Tally(rows, lambda sums: {"loss": sums[..., 0] / sums[..., 1]})

    monkeypatch.setattr("lmcore.tasks.classes.ClassTask.tally", tally)
    kinds = np.array(["small"] * 10 + ["large"] * 230)
    rows = of(measure_slices(result, frame(result, kind=kinds)), "kind")
    assert rows.loc["small", "low"] > 7
    assert rows.loc["small", "verdict"] == "", "ten rows are too few for a bootstrap"
    assert rows.loc["large", "low"] < rows.loc["large", "value"] < rows.loc["large", "high"]


def test_rows_that_are_all_alike_have_no_slices():
    gold = np.zeros(30, dtype=int)
    with pytest.raises(InputError, match="fall into no slices"):
        measure_slices(evaluation(gold, noisy(gold, 1.0), texts=["the same"] * 30))


def test_the_rows_come_from_the_store_where_they_are_there(workspace, topics):
    kept = DatasetStore(workspace).save(topics)
    result = made(data=f"{kept.ref}:test")
    found = evaluation_rows(workspace, result)
    pd.testing.assert_frame_equal(found, kept.part("test").frame)
    assert evaluation_rows(workspace, made(data="gone@1:test")) is None
    assert evaluation_rows(workspace, made(data="a file")) is None
