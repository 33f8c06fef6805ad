import math

import numpy as np
import pandas as pd
import pytest
import torch

from lmcore.models.decoding import Decoding
from lmcore.tasks.generation import TextGeneration, distinct_share
from tests.tasks.speakers import rule_frame, speaker

GREEDY = Decoding(max_new_tokens=6)


def plain_perplexity(model, ids, limit, stride):
    """Return perplexity and counted tokens, computed as transformers' own guide does."""
    total, count, before = 0.0, 0, 0
    for begin in range(0, len(ids), stride):
        end = min(begin + limit, len(ids))
        window = torch.tensor([ids[begin:end]])
        labels = window.clone()
        labels[:, : -(end - before)] = -100
        loss = model(window, labels=labels).loss.item()
        scored = int((labels[:, 1:] != -100).sum())
        if scored:
            total += loss * scored
            count += scored
        before = end
        if end == len(ids):
            break
    return math.exp(total / count), count


@pytest.mark.parametrize("limit", [16, 64])
def test_perplexity_is_the_plain_computation_with_strided_windows(limit):
    loaded = speaker("text-generation", max_length=limit)
    text = " ".join(rule_frame(12)["text"])
    frame = pd.DataFrame({"id": [0], "text": [text]})
    task = TextGeneration(GREEDY)
    (found,) = task.examine(loaded, frame).predictions
    wanted, count = plain_perplexity(loaded.model, loaded.tokenizer(text)["input_ids"], limit, limit // 2)
    metrics = task.measure(frame, [found], ())
    assert found.tokens == count == len(loaded.tokenizer(text)["input_ids"]) - 1
    assert metrics["perplexity"] == pytest.approx(wanted, rel=1e-4)
    assert metrics["bits_per_byte"] == pytest.approx(math.log2(wanted) * count / len(text.encode()), rel=1e-4)
    assert task.settings(loaded)["stride"] == limit // 2


def test_rows_are_measured_one_by_one_and_pooled_by_token():
    loaded, frame, task = speaker("text-generation"), rule_frame(8), TextGeneration(GREEDY)
    found = task.examine(loaded, frame).predictions
    single = [task.examine(loaded, frame.iloc[[n]]).predictions[0] for n in range(8)]
    assert [p.nll for p in found] == pytest.approx([p.nll for p in single], rel=1e-5)
    wanted = math.exp(sum(p.nll for p in found) / sum(p.tokens for p in found))
    scores = task.score(frame, found, (), seed=0)
    assert scores.metrics["perplexity"] == pytest.approx(wanted)
    low, high = scores.intervals["perplexity"]
    assert low < wanted < high
    assert set(scores.metrics) == {metric.name for metric in task.metrics}


def test_an_untrained_model_without_scale_is_as_unsure_as_the_vocabulary_is_large():
    loaded, frame = speaker("text-generation"), rule_frame(4)
    for parameter in loaded.model.parameters():
        parameter.zero_()
    task = TextGeneration(GREEDY)
    metrics = task.measure(frame, task.examine(loaded, frame).predictions, ())
    assert metrics["perplexity"] == pytest.approx(len(loaded.tokenizer), rel=1e-5)


def test_continuations_are_those_of_transformers_generate():
    loaded, task = speaker("text-generation"), TextGeneration(GREEDY)
    frame = pd.DataFrame({"id": [4, 9], "text": ["Anna told us on day", "Ben"]})
    for prediction, text in zip(task.predict(loaded, frame).predictions, frame["text"], strict=True):
        ids = torch.tensor([loaded.tokenizer(text)["input_ids"]])
        out = loaded.model.generate(ids, max_new_tokens=6, do_sample=False, pad_token_id=0)
        assert prediction.text == loaded.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()
        assert 0 < prediction.score <= 1


def test_sampling_is_drawn_from_its_seed_alone():
    loaded, frame = speaker("text-generation"), rule_frame(4)

    def written(seed):
        task = TextGeneration(Decoding(sample=True, max_new_tokens=12, seed=seed))
        return [p.text for p in task.predict(loaded, frame).predictions]

    before = torch.get_rng_state()
    assert written(1) == written(1) != written(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_held_out_texts_are_continued_from_their_beginning():
    loaded, frame, task = speaker("text-generation"), rule_frame(100), TextGeneration(GREEDY)
    predicted = task.examine(loaded, frame)
    table = task.table(frame, predicted.predictions)
    prompted = table[table["prompt"] != ""]
    assert len(prompted) == 64
    assert (prompted["prompt"] + prompted["gold"] == prompted["text"]).all()
    assert table["correct"].all()


@pytest.mark.parametrize("text", ["", "Anna " * 200])
def test_empty_and_long_beginnings_are_continued(text):
    loaded, task = speaker("text-generation"), TextGeneration(GREEDY)
    (prediction,) = task.predict(loaded, pd.DataFrame({"id": [0], "text": [text]})).predictions
    assert math.isfinite(prediction.score)


@pytest.mark.parametrize(
    ("words", "order", "share"), [("a b a b", 1, 0.5), ("a b a b", 2, 2 / 3), ("a b c d", 2, 1.0), ("a", 2, 0.0)]
)
def test_distinct_share(words, order, share):
    assert distinct_share(words.split(), order) == pytest.approx(share)


def test_repetition_is_one_where_a_text_goes_in_circles():
    task, frame = TextGeneration(GREEDY), rule_frame(2)
    from lmcore.tasks.language import LanguagePrediction

    circles = [LanguagePrediction(0, text="so " * 104), LanguagePrediction(1, text="so " * 104)]
    metrics = task.measure(frame, circles, ())
    assert metrics["repetition"] == pytest.approx(1 - 1 / 101)
    assert metrics["distinct_1"] == pytest.approx(1 / 104)
    assert "perplexity" not in metrics


def test_baselines_are_measured_on_the_same_tokens():
    loaded, task = speaker("text-generation"), TextGeneration(GREEDY)
    train, test = rule_frame(90), rule_frame(20, seed=5)
    model = task.examine(loaded, test).predictions
    rivals = task.token_baselines(loaded.tokenizer, loaded.max_length, train, train, test)
    assert list(rivals) == ["unigram", "bigram"]
    for predictions in rivals.values():
        assert [p.tokens for p in predictions] == [p.tokens for p in model]
        assert [p.size for p in predictions] == [p.size for p in model]
    counts = np.bincount([t for text in train["text"] for t in loaded.tokenizer(text)["input_ids"]], minlength=400)
    own = loaded.tokenizer(test["text"][0])["input_ids"][1:]
    size = len(loaded.tokenizer)
    wanted = -np.log((counts[own] + 1) / (counts.sum() + size)).sum()
    assert rivals["unigram"][0].nll == pytest.approx(wanted)
    assert (
        task.measure(test, rivals["bigram"], ())["perplexity"] < task.measure(test, rivals["unigram"], ())["perplexity"]
    )
