"""Edits that change an answer, and the smallest set of them, on models whose rule is known."""

import math
from dataclasses import replace

import pytest

from lmcore.analysis import CounterfactualConfig, counterfactuals
from lmcore.analysis.counterfactual.answers import same_answer
from lmcore.analysis.counterfactual.edit import edited
from lmcore.analysis.counterfactual.methods import BLACK_BOX
from lmcore.errors import Cancelled, InputError, OptionError, UnknownError
from lmcore.models import load_model
from lmcore.types import Prediction, Silent, Span
from tests.analysis.planted import CHINESE, ENGLISH, Rule, planted_classifier
from tests.conftest import build_tiny
from tests.tasks.speakers import speaker

TEXT = "the film was superb and we left early"
ZH = "这部电影棒我们早走"


@pytest.fixture(scope="module")
def planted():
    return planted_classifier("superb", "dreadful", ENGLISH)


@pytest.fixture(scope="module")
def planted_zh():
    return planted_classifier("棒", "糟", CHINESE)


def test_a_planted_word_is_the_minimal_flip(planted):
    found = counterfactuals(planted, TEXT, edits=["deletion"])
    assert found.prediction.label == "good"
    (flip,) = found.minimal
    assert [edit.before.strip() for edit in flip.edits] == ["superb"]
    assert (flip.text, flip.words, flip.prediction.label) == ("the film was and we left early", 1, "bad")
    assert flip.change == pytest.approx(flip.prediction.probabilities["good"] - found.prediction.score)
    assert flip.change < -0.3
    assert found.is_smallest
    assert [item.said() for item in found.tried if item.flips] == ["without 'superb'"]


def test_a_planted_chinese_word_is_the_minimal_flip(planted_zh):
    found = counterfactuals(planted_zh, ZH, edits=["deletion", "homophones"])
    assert found.prediction.label == "good"
    assert {edit.before for item in found.minimal for edit in item.edits} == {"棒"}
    assert all(item.words == 1 for item in found.minimal)


@pytest.mark.parametrize(("model", "text", "word"), [("planted", TEXT, "superb"), ("planted_zh", ZH, "棒")])
def test_hotflip_finds_the_planted_word_and_its_opposite(model, text, word, request):
    found = counterfactuals(request.getfixturevalue(model), text, edits={"hotflip": {"most": 3, "per_word": 3}})
    first = found.minimal[0].edits[0]
    assert first.before == word
    assert first.after in {"dreadful", "糟"}


def test_hotflip_goes_to_the_label_that_is_wanted(tiny_loaded):
    text = "we had some bread and cheese"
    probabilities = counterfactuals(tiny_loaded, text, edits=["hotflip"]).prediction.probabilities
    for wanted in sorted(probabilities, key=probabilities.get)[:-1]:
        found = counterfactuals(tiny_loaded, text, edits={"hotflip": {"most": 8}}, towards=wanted, most_edits=1)
        assert {item.prediction.label for item in found.tried if item.flips} <= {wanted}
        best = max(item.prediction.probabilities[wanted] for item in found.tried)
        assert best > probabilities[wanted]


def test_two_words_are_needed_where_two_words_decide():
    rule = Rule(["superb", "lovely"], needed=1)
    found = counterfactuals(rule, "a superb and lovely film about trees", edits=["deletion"])
    (flip,) = found.minimal
    assert {edit.before.strip() for edit in flip.edits} == {"superb", "lovely"}
    assert found.exhausted >= 1
    assert found.is_smallest
    assert "2 edits together" in found.verdict()
    assert "every smaller set of these edits was tried" in found.verdict()


def test_three_words_are_needed_where_three_decide_and_none_too_many_go():
    words = ["superb", "lovely", "grand"]
    text = "a superb and lovely film with grand trees in it that we saw"
    found = counterfactuals(Rule(words, needed=1), text, edits=["deletion", "typos"], budget=3000)
    assert len(found.minimal[0].edits) == 3
    for flip in found.minimal:
        assert {edit.before.strip() for edit in flip.edits} == set(words)
    assert found.exhausted == 2


class Xor:
    """Flips where both words are gone, while each alone makes the answer surer: greedy steps lead away."""

    def __call__(self, texts):
        found = []
        for text in texts:
            gone = [word not in text for word in ("red", "blue")]
            good = 0.1 if all(gone) else 0.95 if any(gone) else 0.9
            found.append(Prediction(0, "good" if good > 0.5 else "bad", good, {"good": good, "bad": 1 - good}))
        return found


def test_a_pair_is_found_though_each_edit_alone_leads_away():
    found = counterfactuals(Xor(), "a red and a blue house near trees", edits=["deletion"])
    assert {edit.before.strip() for edit in found.minimal[0].edits} == {"red", "blue"}


def test_what_nothing_changes_is_said():
    found = counterfactuals(Rule(["a"], needed=-5), "some words here", edits=["deletion", "typos"])
    assert found.minimal == found.flips == ()
    assert found.verdict().startswith("No edit changed the answer")
    assert found.exhausted >= 1


@pytest.mark.parametrize("budget", [2, 7, 30, 200])
def test_the_budget_is_kept_and_stated(budget):
    rule = Rule(["zzz"], needed=-3)
    found = counterfactuals(rule, "one two three four five six seven eight nine ten", budget=budget)
    assert len(rule.texts) == found.asked <= budget == found.budget
    assert len(set(rule.texts)) == len(rule.texts), "no text is asked about twice"


def test_the_budget_goes_to_the_words_that_matter():
    words = [f"w{a}{b}o" for a in "bcdfghk" for b in "aeioulmn"]
    words[41] = "superb"
    text, kinds = " ".join(words), ["deletion", "typos", "letter_case"]
    found = counterfactuals(Rule(["superb"]), text, edits=kinds, budget=200)
    assert found.candidates > found.asked
    assert found.exhausted == 0
    tried = [edit.before.strip() for item in found.tried for edit in item.edits]
    assert all(word in tried for word in words), "each word was left out once"
    assert {edit.kind for item in found.tried for edit in item.edits if "superb" in edit.before} == set(kinds)


def test_texts_go_to_the_model_in_batches_of_like_length():
    class Lengths(Rule):
        def __call__(self, texts):
            sizes = [len(text) for text in texts]
            assert sizes == sorted(sizes)
            assert len(texts) <= 64
            return super().__call__(texts)

    counterfactuals(Lengths(["x"], needed=-1), " ".join(f"word{n}" for n in range(50)))


def test_a_seed_gives_the_same_result_again(planted):
    one, two = (counterfactuals(planted, TEXT, seed=3) for _ in range(2))
    assert one.to_frame().equals(two.to_frame())
    assert one.fingerprint == two.fingerprint
    assert counterfactuals(planted, TEXT, seed=4).fingerprint != one.fingerprint
    assert [item.edits for item in one.tried] != [item.edits for item in counterfactuals(planted, TEXT, seed=4).tried]


def test_a_black_box_is_given_all_edits_but_those_that_need_gradients(planted):
    found = counterfactuals(Rule(["superb"]), TEXT)
    assert set(found.parameters["edits"]) == set(BLACK_BOX)
    assert "hotflip" in counterfactuals(planted, TEXT).parameters["edits"]


def test_answers_may_be_plain_objects():
    def predict(texts):
        return [{"label": "a" if "x" in text else "b", "probabilities": {"a": 0.7, "b": 0.3}} for text in texts]

    assert counterfactuals(predict, "x y z", edits=["deletion"]).minimal[0].said() == "without 'x'"


def test_a_text_that_the_model_cannot_work_on_spoils_only_itself():
    class Picky(Rule):
        def __call__(self, texts):
            if any("film" not in text for text in texts):
                raise InputError("There is no film.")
            return super().__call__(texts)

    found = counterfactuals(Picky(["superb"]), TEXT, edits=["deletion"])
    assert found.failed == 1
    assert found.minimal[0].said() == "without 'superb'"
    with pytest.raises(InputError, match="no film"):
        counterfactuals(Picky(["superb"]), "superb and early", edits=["deletion"])


def names_finder(texts):
    """Find capitalised words, as a model of named entities would; after ``the`` none is found."""
    import re

    found = []
    for text in texts:
        spans = [Span(m.start(), m.end(), "name", 0.9) for m in re.finditer(r"\b[A-Z]\w+", text)]
        spans = [span for span in spans if not text[: span.start].endswith("the ")]
        found.append(Prediction(0, score=0.9, spans=tuple(spans)))
    return found


def test_entities_that_move_are_the_same_answer_and_lost_ones_are_not():
    found = counterfactuals(
        names_finder, "so Anna met Ben", edits=["deletion", "entities", "letter_case"], most_edits=1
    )
    outcome = {item.said(): item.flips for item in found.tried}
    assert outcome["without 'so'"] is outcome["without 'Anna'"] is outcome["without 'met'"] is False
    swapped = [flips for said, flips in outcome.items() if said.startswith("'Anna' → '") and said != "'Anna' → 'anna'"]
    assert len(swapped) == 3
    assert not any(swapped), "other names, and capitals"
    assert outcome["'Anna' → 'anna'"] is True
    assert outcome["'met' → 'MET'"] is True
    assert all(math.isnan(item.change) for item in found.tried if item.flips)


def answerer(texts):
    found = []
    for item in texts:
        context = item["context"]
        start = context.find("Paris") if "where" in item["question"] else context.find("Anna")
        end = start + (5 if "where" in item["question"] else 4)
        if start < 0:
            found.append(Prediction(0, "no answer", 0.8, {"answer": 0.2, "no answer": 0.8}))
        else:
            span = (Span(start, end, "answer", 0.8),)
            found.append(Prediction(0, "answer", 0.8, {"answer": 0.9, "no answer": 0.1}, span, context[start:end]))
    return found


def test_another_answer_to_a_question_is_a_flip():
    text = {"question": "where does she live", "context": "Here in Paris lives Anna"}
    found = counterfactuals(answerer, text, edits=["deletion"])
    flips = {
        (item.edits[0].column, item.edits[0].before.strip()): item.prediction.text for item in found.tried if item.flips
    }
    assert flips == {("question", "where"): "Anna", ("context", "Paris"): ""}
    kept = next(item for item in found.tried if item.edits[0].before.strip() == "Here")
    assert (kept.flips, kept.prediction.text) == (False, "Paris")
    only = counterfactuals(answerer, text, edits=["deletion"], columns=("context",))
    assert {item.edits[0].column for item in only.tried} == {"context"}


def test_a_label_set_that_changes_is_a_flip():
    def tags(texts):
        found = []
        for text in texts:
            p = {"food": 0.9 if "soup" in text else 0.2, "travel": 0.8 if "train" in text else 0.1}
            label = "|".join(name for name, value in p.items() if value > 0.5) or "-"
            found.append(Prediction(0, label, 0.5, p))
        return found

    found = counterfactuals(tags, "soup on the train", edits=["deletion"])
    flips = {item.edits[0].before.strip(): item for item in found.tried if item.flips}
    assert set(flips) == {"soup", "train"}
    assert flips["soup"].change == pytest.approx(0.2 * 0.8 - 0.9 * 0.8)
    assert flips["soup"].prediction.label == "travel"


def test_a_relation_keeps_its_marks(tiny_folder, settings):
    from lmcore.tasks.relation import find_marked

    loaded = load_model(f"folder:{tiny_folder}", task="relation-extraction", settings=settings)
    found = counterfactuals(loaded, "the <e1>bread</e1> was on the <e2>train</e2> today", budget=150)
    assert found.failed == 0
    assert len(found.tried) > 20
    assert all(find_marked(item.text) for item in (*found.tried, *found.minimal))


@pytest.mark.parametrize(
    ("task", "labels", "text"),
    [
        ("named-entity-recognition", ("O", "B-food", "I-food"), "we had bread and soup in a hotel"),
        ("question-answering", (), {"question": "what did we have", "context": "we had bread and soup in a hotel"}),
        ("multi-label-classification", ("food", "travel"), "we had bread and soup in a hotel"),
    ],
)
def test_models_of_every_kind_are_asked(tiny_loaded, task, labels, text):
    model = build_tiny(tiny_loaded.tokenizer, task, labels, seed=2)
    for parameter in model.parameters():
        parameter.requires_grad_(False).mul_(3 if parameter.dim() == 2 else 1)
    loaded = replace(tiny_loaded, task=task, model=model, labels=labels)
    found = counterfactuals(loaded, text, budget=120)
    assert found.failed == 0
    assert found.tried
    for item in found.tried:
        assert item.flips == (not same_answer(text, item.edits, found.prediction, item.prediction))


def test_a_decoder_says_how_well_the_texts_read(planted):
    decoder = speaker("text-generation")
    found = counterfactuals(planted, TEXT, edits=["deletion", "typos"], decoder=decoder)
    from lmcore.analysis.counterfactual.fluency import mean_log_probabilities

    item = found.tried[3]
    alone = mean_log_probabilities(decoder, [TEXT, item.text])
    assert item.fluency == pytest.approx(alone[1] - alone[0], abs=1e-4)
    assert all(math.isfinite(item.fluency) for item in found.tried)
    with pytest.raises(InputError, match="text-generation"):
        counterfactuals(planted, TEXT, decoder=planted)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "text is empty"),
        (" \n", "text is empty"),
        ("x" * 100_001, "100,001 characters: give at most 100,000"),
        ({"text": "", "text_pair": " "}, "text is empty"),
    ],
)
def test_texts_that_cannot_be_edited_are_refused(planted, text, said):
    with pytest.raises(InputError, match=said):
        counterfactuals(planted, text)


def test_one_token_and_100_000_characters_are_edited(planted):
    assert counterfactuals(planted, "superb", edits=["replacement"], most_edits=1).tried
    with pytest.raises(InputError, match="nothing that the chosen edits change"):
        counterfactuals(planted, "superb", edits=["deletion"])
    long = "the film was superb " * 5000
    assert len(long) == 100_000
    found = counterfactuals(planted, long, edits=["deletion"], budget=20)
    assert found.truncated
    assert len(found.text) < 2000
    assert found.asked <= 20


@pytest.mark.parametrize(
    ("settings_", "error", "said"),
    [
        ({"edits": ["nonsense"]}, UnknownError, "no edit 'nonsense'"),
        ({"edits": []}, InputError, "No edit is chosen"),
        ({"edits": {"typos": {"most": 0}}}, OptionError, "most is 0"),
        ({"budget": 1}, OptionError, "budget is 1"),
        ({"beam": 0}, OptionError, "beam is 0"),
        ({"towards": "sport"}, UnknownError, "no class 'sport'; known: bad, good"),
        ({"towards": "good"}, InputError, "says good already"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(planted, settings_, error, said):
    with pytest.raises(error, match=said):
        counterfactuals(planted, TEXT, **settings_)


def test_hotflip_of_a_black_box_is_refused():
    with pytest.raises(InputError, match="needs the gradients"):
        counterfactuals(Rule(["a"]), TEXT, edits=["hotflip"])


def test_no_model_and_one_without_a_head_are_refused(tiny_folder, settings):
    with pytest.raises(InputError, match="no trained head"):
        counterfactuals(load_model(f"folder:{tiny_folder}", task="", settings=settings), TEXT)
    with pytest.raises(InputError, match="is no model"):
        counterfactuals("model", TEXT)
    with pytest.raises(OptionError, match="1 predictions for"):
        counterfactuals(lambda texts: Rule(["a"])(texts[:1]), "a b c", edits=["deletion"])


def test_it_stops_when_asked(planted):
    class Stopped(Silent):
        def check(self):
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        counterfactuals(planted, TEXT, report=Stopped())


def test_a_configuration_can_be_kept_and_changed(planted):
    config = CounterfactualConfig(edits=["deletion"], seed=5)
    found = counterfactuals(planted, TEXT, config, budget=50)
    assert (found.parameters["seed"], found.budget) == (5, 50)
    assert found.minimal[0].text == edited(TEXT, found.minimal[0].edits)
