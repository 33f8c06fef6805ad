"""What an encoder-decoder and a decoder read and learn of a pair of texts."""

import numpy as np
import pytest
from transformers import BertConfig, T5Config

from lmcore.errors import InputError
from lmcore.models.configured_decoder import llama_config, train_bpe
from lmcore.models.configured_marian import marian_config, train_shared_tokenizer
from lmcore.models.encode import IGNORED, batch_of
from lmcore.tasks import load_task
from lmcore.tasks.adapters import EncoderDecoder, PromptedDecoder, Template, WritingModel, adapter_for
from tests.tasks.writers import number_pairs

TEMPLATE = Template("In: ", "\nOut: ", room=0.5)


@pytest.fixture(scope="module")
def shared():
    return train_shared_tokenizer(["one two three", "eins zwei drei"] * 3, vocabulary=300, max_length=64)


@pytest.fixture(scope="module")
def plain():
    return train_bpe(["one two three", "eins zwei drei"] * 3, vocabulary=300, max_length=64)


def test_the_architecture_chooses_the_adapter(shared, plain):
    assert isinstance(adapter_for(marian_config(shared, layers=1, width=16, heads=2)), EncoderDecoder)
    assert isinstance(adapter_for(T5Config()), EncoderDecoder)
    assert isinstance(adapter_for(llama_config(plain, layers=1, width=16, heads=2)), PromptedDecoder)
    with pytest.raises(InputError, match="A bert model reads and does not write"):
        adapter_for(BertConfig())


def test_an_encoder_decoder_learns_the_closed_target(shared):
    found = EncoderDecoder().encode(shared, ["one", "one two"], ["eins", "zwei drei"], 64, TEMPLATE)
    assert shared.decode(found.ids[1]) == "one two</s>"
    assert shared.decode(found.fields["labels"][1]) == "zwei drei</s>"
    assert found.cut_outputs.tolist() == [False, False]
    batch = batch_of(shared, found, [0, 1])
    assert batch["labels"][0, -1] == IGNORED or len(found.fields["labels"][0]) == len(found.fields["labels"][1])


def test_what_is_cut_is_told_apart(shared):
    found = EncoderDecoder().encode(shared, ["one " * 9, "one"], ["eins", "zwei " * 9], 6, TEMPLATE)
    assert found.truncated.tolist() == [True, False]
    assert found.cut_outputs.tolist() == [False, True]
    assert len(found.fields["labels"][1]) == 6
    assert found.fields["labels"][1][-1] == shared.eos_token_id
    assert found.cut_output_share == 0.5


def test_a_decoder_learns_the_target_alone(plain):
    found = PromptedDecoder().encode(plain, ["one two"], ["zwei"], 64, TEMPLATE)
    learnt = [token for token in found.fields["labels"][0] if token != IGNORED]
    assert plain.decode(found.ids[0]) == "<s>In: one two\nOut: zwei</s>"
    assert plain.decode(learnt) == "zwei</s>"
    assert len(found.fields["labels"][0]) == len(found.ids[0])
    prompt = PromptedDecoder().encode(plain, ["one two"], None, 64, TEMPLATE)
    assert found.ids[0][: len(prompt.ids[0])] == prompt.ids[0]
    assert prompt.fields == {}


def test_a_long_source_is_cut_alike_with_and_without_its_target(plain):
    sources, targets = ["one " * 60, "two"], ["eins", "zwei " * 60]
    taught = PromptedDecoder().encode(plain, sources, targets, 48, TEMPLATE)
    asked = PromptedDecoder().encode(plain, sources, None, 48, TEMPLATE)
    assert taught.truncated.tolist() == asked.truncated.tolist() == [True, False]
    assert taught.cut_outputs.tolist() == [False, True]
    assert max(taught.lengths) <= 48
    assert all(row[: len(prompt)] == prompt for row, prompt in zip(taught.ids, asked.ids, strict=True))
    assert plain.decode(asked.ids[0]).endswith("\nOut: ")
    assert len(asked.ids[0]) <= 24


def test_a_template_that_fills_the_length_is_refused(plain):
    with pytest.raises(InputError, match="which the template alone fills: give at least"):
        PromptedDecoder().encode(plain, ["one"], None, 12, Template("word " * 9, "", 0.5))


@pytest.mark.parametrize("task", ["translation", "summarisation", "style-transfer"])
def test_the_loss_is_that_of_the_targets_tokens(task, plain):
    import torch

    kind = load_task(task)
    config = llama_config(plain, layers=1, width=16, heads=2)
    adapted = kind.adapted(config)
    rows = number_pairs(2, names=(kind.source, kind.target))
    encodings = adapted.encode(plain, rows, 160, ())
    torch.manual_seed(0)
    model = WritingModel.from_config(config).eval()
    batch = batch_of(plain, encodings, [0, 1])
    out = model(**batch)
    logs = out.logits[:, :-1].log_softmax(-1)
    labels = batch["labels"][:, 1:]
    kept = labels != IGNORED
    wanted = -logs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)[kept].mean()
    assert out.loss.item() == pytest.approx(wanted.item(), abs=1e-5)
    assert kept.sum() == sum(np.sum(np.array(row) != IGNORED) for row in encodings.fields["labels"])


def test_no_rows_give_no_windows(shared, plain):
    for adapter, tokenizer in ((EncoderDecoder(), shared), (PromptedDecoder(), plain)):
        assert len(adapter.encode(tokenizer, [], [], 64, TEMPLATE)) == 0
