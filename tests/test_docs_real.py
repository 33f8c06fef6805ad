from dataclasses import replace

from docs import real
from tests.charts.test_training import evaluation


def test_the_page_says_what_was_kept():
    assert real.TABLE.read_text(encoding="utf-8") == real.table()


def test_a_run_is_shown_beside_its_best_rival(tmp_path, monkeypatch):
    monkeypatch.setattr(real, "KEPT", tmp_path / "kept.json")
    for seconds in (90.0, 60.0):
        real.keep("topics", evaluation(baseline=0.25), what="tiny, head", rows=(96, 12), seconds=seconds)
    real.keep("another", evaluation(), what="tiny, head", rows=(96, 12), seconds=1.0)
    (line,) = [line for line in real.table().splitlines() if line.startswith("| topics")]
    assert line.startswith("| topics | text-classification | tiny, head |  | 96 / 12 | Macro F1 | ")
    assert line.endswith("| 0.250 (TF-IDF + logistic regression) | 1.0 |")
    (line,) = [line for line in real.table().splitlines() if line.startswith("| another")]
    assert line.endswith("|  | 0.0 |")


def test_two_tasks_of_the_same_data_and_model_are_two_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(real, "KEPT", tmp_path / "kept.json")
    other = replace(evaluation(), task="relation-extraction")
    for found in (evaluation(), other, evaluation()):
        real.keep("topics", found, what="tiny, head", rows=(96, 12), seconds=1.0)
    lines = [line for line in real.table().splitlines() if line.startswith("| topics")]
    assert [line.split(" | ")[1] for line in lines] == ["relation-extraction", "text-classification"]
