import numpy as np
import pytest
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score

from lmcore.tasks.bio import spaced_words, spans_of
from lmcore.tasks.spans import count_spans, measure_spans, span_intervals, span_sums, span_tables, spans_by_class

KINDS = ("O", "O", "B-a", "I-a", "B-b", "I-b")


def drawn(rows, seed=0, noise=0.2):
    rng = np.random.default_rng(seed)
    gold = [list(rng.choice(KINDS, rng.integers(1, 12))) for _ in range(rows)]
    found = [[rng.choice(KINDS) if rng.random() < noise else tag for tag in row] for row in gold]
    return gold, found


def counted(gold, found):
    spans = [[spans_of(tags, spaced_words(" ".join("w" * len(tags)))) for tags in rows] for rows in (gold, found)]
    return count_spans(*spans)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_equals_seqeval_over_all_and_by_type(seed):
    gold, found = drawn(60, seed)
    counts = counted(gold, found)
    values = measure_spans(counts)
    for name, oracle in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        assert values[name] == pytest.approx(oracle(gold, found))
    report = classification_report(gold, found, output_dict=True)
    table = spans_by_class(counts, span_sums(counts, seed=0)).set_index(["label", "metric"])
    for kind in counts.kinds:
        for name, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert table.loc[(kind, name), "value"] == pytest.approx(report[kind][theirs])
        assert table.loc[(kind, "f1"), "rows"] == report[kind]["support"]


def test_known_values():
    counts = counted([["B-a", "I-a", "O", "B-b"]], [["B-a", "I-a", "B-b", "B-a"]])
    assert measure_spans(counts) == {"precision": 1 / 3, "recall": 0.5, "f1": 0.4}


def test_nothing_to_find_and_nothing_found_is_zero_not_an_error():
    counts = counted([["O"]], [["O"]])
    assert measure_spans(counts) == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    sums = span_sums(counts, seed=0)
    assert span_intervals(counts, sums)["f1"] == (0.0, 0.0)
    assert span_tables(counts, sums) == {}


def test_intervals_are_those_of_resampling_sentences():
    gold, found = drawn(150)
    counts = counted(gold, found)
    low, high = span_intervals(counts, span_sums(counts, seed=1))["f1"]
    rng = np.random.default_rng(2)
    values = []
    for _ in range(150):
        rows = rng.integers(0, 150, 150)
        values.append(f1_score([gold[n] for n in rows], [found[n] for n in rows]))
    assert (low, high) == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.02)
    assert low < measure_spans(counts)["f1"] < high
