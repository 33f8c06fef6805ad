"""Encoder-decoders with relative positions (T5), and tokenizers that pad on the left: the same answers as for a text alone."""

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from lmcore.analysis import (
    ablate,
    attention_maps,
    attribute,
    attribute_logits,
    attribute_output,
    attribute_texts,
    extract_activations,
    head_importance,
    logit_lens,
    patch_activations,
    read_attention,
    token_probabilities,
)
from lmcore.models.encode import pad_batch
from lmcore.models.load import LoadedModel
from lmcore.types import ModelRef, Target
from tests.tasks.speakers import decoder_tokenizer, speaker

TEXTS = ["Anna told us", "nothing is as good as books on day 3", "Eva told us on day 12 that nothing is as good"]
OUTPUT = "on day 3"
DAY = Target("phrase", "day", 3, 6)
CLOSE = 1e-5


def enlarged(model, seed=0):
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.mul_(3)
    return model


@cache
def t5():
    import transformers

    tokenizer = decoder_tokenizer()
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, pad_token_id=0,
        decoder_start_token_id=0, eos_token_id=tokenizer.eos_token_id, dropout_rate=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = enlarged(transformers.T5ForConditionalGeneration(config).eval().requires_grad_(False))
    return LoadedModel(ModelRef("folder", "x"), "translation", model, tokenizer, (), "t5", "cpu", 0, 64)


@cache
def gpt2():
    import transformers

    tokenizer = decoder_tokenizer()
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = enlarged(transformers.GPT2LMHeadModel(config).eval().requires_grad_(False))
    return LoadedModel(ModelRef("folder", "x"), "text-generation", model, tokenizer, (), "gpt2", "cpu", 0, 64)


DECODERS = {"gpt2": gpt2, "llama": lambda: speaker("text-generation")}


def padding_left(loaded):
    """The same model with a tokenizer that pads on the left."""
    tokenizer = copy.deepcopy(loaded.tokenizer)
    tokenizer.padding_side = "left"
    return replace(loaded, tokenizer=tokenizer)


def close(found, expected):
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    return found.shape == expected.shape and np.abs(found - expected).max() <= CLOSE * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("method", ["integrated_gradients", "leave_one_out", "input_x_gradient"])
def test_a_t5_is_explained_from_its_source_and_its_prefix(method):
    options = {"steps": 128} if method == "integrated_gradients" else {}
    found = attribute(t5(), TEXTS[1], DAY, output=OUTPUT, method=method, **options)
    assert len(found.tokens) == len(found.scores)
    assert np.abs(found.scores).max() > 0
    if method == "integrated_gradients":
        assert found.completeness_error < 0.02
    matrix = attribute_output(t5(), TEXTS[1], output=OUTPUT, method="input_x_gradient")
    assert matrix.scores.shape == (len(found.tokens), len(matrix.outputs))


def test_what_is_read_of_a_t5_is_its_own():
    lens = logit_lens(t5(), TEXTS[1], DAY, output=OUTPUT)
    probabilities = token_probabilities(t5(), TEXTS[1], output=OUTPUT)
    assert close(lens.values[-1], np.log(probabilities.probability[lens.focus]).sum())
    parts = attribute_logits(t5(), TEXTS[1], DAY, output=OUTPUT)
    assert parts.error < 1e-4 * max(1.0, abs(parts.value))


def test_the_attention_of_a_t5():
    found = read_attention(t5(), TEXTS[1], output=OUTPUT)
    assert set(found) == {"encoder", "decoder", "cross"}
    for maps in found.values():
        assert close(maps.attentions.sum(axis=-1), np.ones(maps.attentions.shape[:3]))
    assert close(attention_maps(t5(), TEXTS[1]).attentions, found["encoder"].attentions)


def test_a_t5_is_changed_inside():
    runs = patch_activations(t5(), TEXTS[0], TEXTS[0], DAY, output=OUTPUT, component="mlp", whole=True)
    assert close(runs.cells["value"], np.full(len(runs.cells), runs.clean_value))
    taken = ablate(t5(), TEXTS[0], DAY, part="heads", output=OUTPUT)
    assert np.isfinite(taken.to_frame().select_dtypes("number").to_numpy()).all()
    assert head_importance(t5(), TEXTS[0], DAY, kind="cross", output=OUTPUT).values.shape == (2, 4)


@pytest.mark.parametrize("loaded", [t5, gpt2, DECODERS["llama"]], ids=["t5", "gpt2", "llama"])
@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_texts_that_are_read_together_are_as_if_each_were_alone(loaded, left):
    alone = loaded()
    together = padding_left(alone) if left else alone
    for method in ("integrated_gradients", "leave_one_out"):
        options = {"steps": 8} if method == "integrated_gradients" else {}
        many = attribute_texts(together, TEXTS, [DAY] * 3, outputs=[OUTPUT] * 3, method=method, **options)
        for text, found in zip(TEXTS, many, strict=True):
            assert close(found.scores, attribute(alone, text, DAY, output=OUTPUT, method=method, **options).scores)
    for component in ("states", "heads"):
        many = extract_activations(together, TEXTS, component=component)
        for number, text in enumerate(TEXTS):
            own = extract_activations(alone, [text], component=component)
            for layer in own.layers:
                assert close(many.layer(layer, number), own.layer(layer, 0))
    for text in TEXTS:
        assert close(attention_maps(together, text).attentions, attention_maps(alone, text).attentions)
        lens = logit_lens(together, text, DAY, output=OUTPUT)
        assert close(lens.values, logit_lens(alone, text, DAY, output=OUTPUT).values)


@pytest.mark.parametrize("name", DECODERS)
def test_what_is_written_from_padding_on_the_left_is_what_is_written_alone(name):
    from lmcore.models.decoding import Decoding
    from lmcore.models.encode import counted
    from lmcore.models.generate import write_texts

    loaded = DECODERS[name]()
    ids = [loaded.tokenizer(text)["input_ids"] for text in TEXTS]
    greedy = Decoding(max_new_tokens=6)
    many = write_texts(loaded, counted(loaded.tokenizer, ids), greedy)
    for row, found in zip(ids, many, strict=True):
        (own,) = write_texts(loaded, counted(loaded.tokenizer, [row]), greedy)
        assert found.ids == own.ids
        assert found.score == pytest.approx(own.score, abs=CLOSE)


@pytest.mark.parametrize("name", DECODERS)
def test_padding_on_the_left_with_positions_changes_no_logit(name):
    loaded = DECODERS[name]()
    ids = [loaded.tokenizer(text)["input_ids"] for text in TEXTS]
    batch = pad_batch(loaded.tokenizer, ids, left=True)
    places = (batch["attention_mask"].cumsum(dim=-1) - 1).clamp(min=0)
    with torch.inference_mode():
        many = loaded.model(**batch, position_ids=places).logits
        for row, own in enumerate(ids):
            plain = loaded.model(input_ids=torch.tensor([own])).logits[0]
            assert close(many[row, -len(own) :], plain)
