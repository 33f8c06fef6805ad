import math

import pandas as pd
import pytest
import torch

from lmcore.errors import InputError
from lmcore.models.masked import encode_masked
from lmcore.tasks.completion import Completion, LanguageHead
from tests.tasks.speakers import rule_frame, speaker

TASK = Completion()


def frame_of(*texts):
    return pd.DataFrame({"id": range(len(texts)), "text": pd.Series(texts, dtype="str")})


def test_the_head_follows_the_architecture():
    assert type(speaker("completion").model).__name__ == "LlamaForCausalLM"
    assert type(speaker("completion", encoder=True).model).__name__ == "BertForMaskedLM"
    from transformers import MarianConfig

    with pytest.raises(InputError, match="A marian completes no text by tokens: take an encoder or a decoder"):
        LanguageHead.from_config(MarianConfig(vocab_size=10))


def test_masked_tokens_are_scored_as_a_plain_pass_does():
    loaded, frame = speaker("completion", encoder=True), rule_frame(6)
    found = TASK.examine(loaded, frame).predictions
    encodings = encode_masked(loaded.tokenizer, frame["text"].tolist(), 64)
    for row, prediction in enumerate(found):
        logits = loaded.model(torch.tensor([encodings.ids[row]])).logits[0]
        shares = logits[encodings.notes["places"][row]].log_softmax(dim=-1)
        targets = torch.tensor(encodings.notes["targets"][row])
        assert prediction.nll == pytest.approx(-shares.gather(1, targets[:, None]).sum().item(), rel=1e-4)
        assert prediction.top1 == int((shares.argmax(dim=-1) == targets).sum())
        assert prediction.top5 == int((shares.topk(5).indices == targets[:, None]).sum())


def test_next_tokens_are_scored_as_a_plain_pass_does():
    loaded, frame = speaker("completion"), rule_frame(6)
    found = TASK.examine(loaded, frame).predictions
    ids = [loaded.tokenizer(text)["input_ids"] for text in frame["text"]]
    losses = [loaded.model(torch.tensor([row]), labels=torch.tensor([row])).loss.item() for row in ids]
    assert [p.nll / p.tokens for p in found] == pytest.approx(losses, rel=1e-4)
    guessed = [
        (loaded.model(torch.tensor([row])).logits[0, :-1].argmax(-1) == torch.tensor(row[1:])).sum() for row in ids
    ]
    assert [p.top1 for p in found] == [int(n) for n in guessed]


@pytest.mark.parametrize("encoder", [False, True])
def test_measuring_twice_gives_the_same_and_the_table_shows_one_place_of_each_row(encoder):
    loaded, frame = speaker("completion", encoder=encoder), rule_frame(10)
    one, other = (TASK.examine(loaded, frame).predictions for _ in range(2))
    assert one == other
    table = TASK.table(frame, one)
    assert (table["gold"] != "").all()
    assert table["score"].between(0, 1).all()
    assert (table["correct"] == (table["gold"] == table["label"])).all()
    scores = TASK.score(frame, one, (), seed=0)
    assert list(scores.metrics) == ["perplexity", "top1", "top5"]
    assert scores.metrics["top1"] <= scores.metrics["top5"]


def test_every_gap_is_filled_with_the_most_probable_token():
    loaded = speaker("completion", encoder=True)
    (found,) = TASK.predict(loaded, frame_of("Anna [MASK] us on [MASK] 3")).predictions
    ids = loaded.tokenizer("Anna [MASK] us on [MASK] 3", return_tensors="pt")["input_ids"]
    shares = loaded.model(ids).logits[0].softmax(-1)
    first, second = (ids[0] == loaded.tokenizer.mask_token_id).nonzero().flatten().tolist()
    assert found.score == pytest.approx(shares[first].max().item(), rel=1e-4)
    assert next(iter(found.probabilities)) == loaded.tokenizer.decode([int(shares[first].argmax())])
    assert "[MASK]" not in found.text
    assert loaded.tokenizer.decode([int(shares[second].argmax())]).removeprefix("##") in found.text
    assert len(found.probabilities) <= 5


def test_a_text_without_a_gap_is_completed_at_its_end():
    (masked,) = TASK.predict(speaker("completion", encoder=True), frame_of("Anna told us")).predictions
    assert masked.text.startswith("Anna told us")
    assert len(masked.text) > len("Anna told us")
    loaded = speaker("completion")
    (found,) = TASK.predict(loaded, frame_of("Anna told us")).predictions
    ids = loaded.tokenizer("Anna told us", return_tensors="pt")["input_ids"]
    best = int(loaded.model(ids).logits[0, -1].argmax())
    assert found.text == "Anna told us" + loaded.tokenizer.decode([best])


@pytest.mark.parametrize("encoder", [False, True])
@pytest.mark.parametrize("text", ["", "Anna " * 300, "Anna [MASK] " * 100])
def test_empty_and_long_texts_are_answered(encoder, text):
    (found,) = TASK.predict(speaker("completion", encoder=encoder), frame_of(text)).predictions
    assert math.isfinite(found.score)
    assert found.score > 0
    assert not encoder or "[MASK]" not in found.text


def test_the_baseline_guesses_the_most_frequent_tokens():
    loaded, train, test = speaker("completion", encoder=True), rule_frame(90), rule_frame(20, seed=5)
    model = TASK.examine(loaded, test).predictions
    rivals = TASK.token_baselines(loaded.tokenizer, 64, train, train, test)
    assert list(rivals) == ["unigram"]
    assert [p.tokens for p in rivals["unigram"]] == [p.tokens for p in model]
    metrics = TASK.measure(test, rivals["unigram"], ())
    assert 0 < metrics["top1"] < metrics["top5"] < 1
