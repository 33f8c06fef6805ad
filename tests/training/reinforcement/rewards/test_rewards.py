"""Rewards against known values and against the field's own libraries."""

import time

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from lmcore.errors import InputError, OptionError
from lmcore.models.load import load_model
from lmcore.models.predict import predict_texts
from lmcore.settings import Settings
from lmcore.training.reinforcement.rewards import REWARDS
from lmcore.training.reinforcement.rewards.settings import RewardSettings

TEXTS = ["the cat sat on the mat", "a cat", "", "nothing of it at all"]
REFERENCES = ["the cat sat on a mat", "a cat", "a cat", "the cat sat on a mat"]


@pytest.fixture
def score(settings: Settings):
    def found(name, texts, references=None, **given):
        reward = REWARDS[name].load()(RewardSettings(**given), settings)
        return reward(texts, references or [""] * len(texts))

    return found


def test_length_is_the_smaller_number_of_words_divided_by_the_larger(score):
    texts = ["one two three four", "one two", "one", "", "one, two, three, four, five, six, seven, eight!"]
    assert score("length", texts, words=4).tolist() == [1.0, 0.5, 0.25, 0.0, 0.5]
    assert score("length", ["我们今天去北京"], words=4).tolist() == [1.0], "Chinese words are found without spaces"


def test_format_is_the_share_that_the_longest_match_covers(score):
    texts = ["<a>x\ny</a>", "say <a>b</a>", "ab", "", "<a></a><a>bb</a>!"]
    assert score("format", texts, pattern="<a>.*?</a>").tolist() == [1.0, 8 / 12, 0.0, 0.0, 1 - 8 / 17]
    assert score("format", [""], pattern="x*").tolist() == [1.0]


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("", "1 to 500 characters, and this one has 0"),
        ("(", "is not a regular expression: missing"),
        ("a" * 501, "has 501"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(score, pattern, sentence):
    with pytest.raises(OptionError, match=sentence):
        score("format", ["a"], pattern=pattern)


def test_a_pattern_that_never_ends_is_one_sentence_within_seconds(score):
    begun = time.monotonic()
    with pytest.raises(OptionError, match="takes more than 1 second for a text of 60 characters"):
        score("format", ["a" * 60], pattern="(a|aa)+[bc]")
    assert time.monotonic() - begun < 30


def test_bleu_is_sacrebleus_sentence_score(score):
    found = score("bleu", TEXTS, REFERENCES)
    wanted = [sacrebleu.sentence_bleu(t, [r]).score / 100 for t, r in zip(TEXTS, REFERENCES, strict=True)]
    assert found == pytest.approx(wanted)
    assert found[1] == pytest.approx(1.0), "a short text is not punished for the n-grams that it cannot have"
    assert found.min() >= 0.0
    assert found.max() <= 1.0
    chinese = score("bleu", ["今天天气很好"], ["今天天气不错"])
    assert chinese == pytest.approx(
        [sacrebleu.sentence_bleu("今天天气很好", ["今天天气不错"], tokenize="zh").score / 100]
    )


def test_rouge_is_that_of_rouge_score(score):
    scorer = RougeScorer(["rougeL"])
    wanted = [scorer.score(r, t)["rougeL"].fmeasure for t, r in zip(TEXTS, REFERENCES, strict=True)]
    assert score("rouge", TEXTS, REFERENCES) == pytest.approx(wanted)
    assert score("rouge", [], []).shape == (0,)


def test_rewards_are_the_same_in_any_order_and_batch(score):
    for name in ("length", "bleu", "rouge"):
        whole = score(name, TEXTS, REFERENCES)
        alone = [score(name, [t], [r])[0] for t, r in zip(TEXTS, REFERENCES, strict=True)]
        assert whole == pytest.approx(alone)
        assert score(name, TEXTS[::-1], REFERENCES[::-1]) == pytest.approx(whole[::-1])


def test_the_classifiers_probability_is_the_reward(trained, shared_settings):
    version = str(trained.version.ref)
    texts = ["the bread and the soup", "rain and wind", "  ", "the train to the sea"]
    reward = REWARDS["classifier"].load()(RewardSettings(classifier=version, label="food"), shared_settings)
    found = reward(texts, [""] * 4)
    loaded = load_model(version, settings=shared_settings)
    wanted = [p.probabilities["food"] for p in predict_texts(loaded, [texts[k] for k in (0, 1, 3)])]
    assert found[[0, 1, 3]] == pytest.approx(wanted, abs=1e-6)
    assert found[2] == 0.0, "a text without words is no food"
    assert np.array_equal(found, reward(texts, [""] * 4))
    assert found[0] > found[1]


def test_a_classifier_that_cannot_judge_is_refused(trained, shared_settings):
    def load(**given):
        return REWARDS["classifier"].load()(RewardSettings(**given), shared_settings)

    for named in ("", "folder:/etc", "packaged:all-MiniLM-L6-v2"):
        with pytest.raises(OptionError, match="needs a registered version, and"):
            load(classifier=named, label="food")
    with pytest.raises(OptionError, match="does not know the label 'fish': choose one of food, travel, weather"):
        load(classifier=str(trained.version.ref), label="fish")
    with pytest.raises(InputError):
        load(classifier="models:/nobody/1", label="food")
