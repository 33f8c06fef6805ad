import pandas as pd

from lmcore.charts.influence import influential_words, word_tests

WORDS = pd.DataFrame(
    [("good", "zebra", 9, 9.0, 1.0, 1.0), ("good", "fine", 3, 1.5, 0.5, 0.0), ("good", "the", 5, -1.0, -0.2, 0.0),
     ("bad", "poor", 4, 2.0, 0.5, 0.5)],
    columns=["label", "word", "rows", "total", "mean", "leads"],
)  # fmt: skip
TESTS = WORDS.iloc[[0, 3]].assign(
    deleted=[9, 4], deletion_flips=[1.0, 0.25], deletion_flips_low=[0.7, 0.05], deletion_flips_high=[1.0, 0.7],
    inserted=[50, 50], insertion_flips=[0.9, 0.1], insertion_flips_low=[0.8, 0.04], insertion_flips_high=[0.96, 0.2],
    shortcut=[True, False],
)  # fmt: skip


def test_only_words_that_speak_for_a_class_are_drawn_the_loudest_first():
    figure = influential_words(WORDS, "good")
    assert figure.data["word"].tolist() == ["zebra", "fine"]
    assert figure.alt == "Words that speak for good. Most of all: 'zebra' +9.00, 'fine' +1.50."
    figure.chart.to_dict()


def test_shortcuts_are_named():
    figure = word_tests(TESTS)
    assert figure.alt == "How often a single word decides. Shortcuts: 'zebra'."
    assert figure.data["insertion_flips"].tolist() == [0.9, 0.1]
    figure.chart.to_dict()
    assert "None of the tested words" in word_tests(TESTS.assign(shortcut=False)).alt
