from dataclasses import replace

import numpy as np
import pytest
import torch

from lmcore.analysis import attribute_logits
from lmcore.analysis.asked import ask
from lmcore.analysis.residual.frozen_norms import pull_back
from lmcore.analysis.runs import run_tokens, target_values
from lmcore.errors import InputError
from lmcore.models.load import LoadedModel
from lmcore.types import ModelRef, Target
from tests.analysis.inside import ASKED, model
from tests.analysis.readers import CASES, reader
from tests.analysis.told import rises_and_stops

LINEAR = ("named-entity-recognition", "slot-filling", "question-answering", "translation", "completion")


@pytest.mark.parametrize("name", ["gpt2", "llama", "marian"])
def test_the_parts_add_up_to_a_difference_of_logits(name):
    loaded, (text, _, target, output) = model(name), ASKED[name]
    target = replace(target, against="drei") if name == "marian" else target
    found = attribute_logits(loaded, text, target, output=output)
    reading = ask(loaded, [text], [target], [output])[0].reading
    with torch.inference_mode():
        value = target_values(loaded, run_tokens(loaded, [reading]), [reading], [target])[0]
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.parts["score"].sum() == pytest.approx(value, abs=1e-5)
    assert found.error < 1e-5
    assert found.parts["name"].is_unique
    assert np.allclose(found.scores.sum(axis=1), found.parts["score"], atol=1e-5)
    assert found.heads().shape == (1, 2) if name == "marian" else (2, 4)
    named = ~found.parts["kind"].str.contains("bias")
    assert np.abs(found.parts.loc[named, "score"]).min() > 0
    assert found.heads("cross head").size == (2 if name == "marian" else 0)


@pytest.mark.parametrize("task", LINEAR)
def test_linear_heads_add_up_though_norms_stand_after_the_blocks(task):
    text, target, output = CASES[task]
    found = attribute_logits(reader(task), text, target, output=output)
    assert found.parts["score"].sum() == pytest.approx(found.value, abs=1e-5)
    assert found.parts["kind"].iloc[0] == "embedding"
    assert found.parts["kind"].iloc[-1] == "head bias"
    assert found.parts["name"].is_unique


def test_a_classifier_of_the_mean_adds_up_over_all_tokens():
    from lmcore.models.pooled import build_classifier
    from tests.tasks.speakers import encoder_tokenizer

    base = reader("text-classification")
    encoder = base.model.base_model
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 32)), rng.normal(size=3)
    sample = dict(encoder_tokenizer()(["Anna told us"], return_tensors="pt"))
    sample.pop("token_type_ids", None)
    pooled = build_classifier(encoder, 2, weight, bias, base.labels, sample).requires_grad_(False)
    loaded = LoadedModel(
        ModelRef("folder", "x"), base.task, pooled, base.tokenizer, base.labels, "f", "cpu", 0, base.max_length
    )
    text, target, _ = CASES["text-classification"]
    found = attribute_logits(loaded, text, target)
    assert found.parts["score"].sum() == pytest.approx(found.value, abs=1e-5)
    assert found.parts["score"].iloc[-1] == pytest.approx(bias[1] - bias[0], abs=1e-5)
    assert (np.abs(found.scores[0]) > 0).all()


def test_a_head_that_is_taken_out_takes_its_share_along():
    """In the last layer of a model whose norms stand before the blocks nothing lies between a head and the final norm."""
    loaded, (text, _, target, _) = model("gpt2"), ASKED["gpt2"]
    asked = ask(loaded, [text], [target])[0]
    found = attribute_logits(loaded, text, target)
    with torch.inference_mode():
        states = run_tokens(loaded, [asked.reading], output_hidden_states=True).hidden_states
    norm = loaded.model.transformer.ln_f
    direction = loaded.model.lm_head.weight.double()
    names = [
        loaded.tokenizer(name, add_special_tokens=False)["input_ids"][0] for name in (target.label, target.against)
    ]
    wanted = direction[names[0]] - direction[names[1]]
    embedding = states[0][0, -1].double()
    last = torch.zeros_like(embedding)
    from lmcore.models.components import components, record

    twin = loaded.twin()
    part = components(twin, "residual")[-1]
    with torch.inference_mode(), record(twin, [part]) as kept:
        run_tokens(replace(loaded, model=twin), [asked.reading])
        last = kept[part][0, -1].double()
    scale = (last.var(unbiased=False) + norm.eps).sqrt()
    by_hand = float(((embedding - embedding.mean()) / scale * norm.weight.double()) @ wanted)
    assert found.parts["score"].iloc[0] == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_a_frozen_norm_is_the_norm(kind):
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    generator = torch.Generator().manual_seed(0)
    norm = torch.nn.LayerNorm(6) if kind == "layer" else LlamaRMSNorm(6)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.normal_(generator=generator)
        x, direction = torch.randn(2, 3, 6, generator=generator).double()
        before, rest = pull_back(norm.double(), x, direction)
        assert torch.allclose((norm(x) * direction).sum(-1), (x * before).sum(-1) + rest, atol=1e-6)


def test_a_phrase_alone_counts_as_its_tokens_logits():
    loaded = reader("text-generation")
    text, _, output = CASES["text-generation"]
    found = attribute_logits(loaded, text, Target("phrase", output, 0, len(output)), output=output)
    written = ask(loaded, [text], [found.target], [output])[0].reading
    with torch.inference_mode():
        logits = run_tokens(loaded, [written]).logits[0]
    wanted = sum(float(logits[at, token]) for at, token in zip(written.written.at, written.written.ids, strict=True))
    assert found.value == pytest.approx(wanted, abs=1e-4)
    assert found.parts["score"].sum() == pytest.approx(wanted, abs=1e-4)


def test_heads_that_are_not_linear_are_refused():
    for loaded, text, target in (
        (model("bert"), ASKED["bert"][0], ASKED["bert"][2]),
        (reader("text-classification"), *CASES["text-classification"][:2]),
    ):
        with pytest.raises(InputError, match="is not linear"):
            attribute_logits(loaded, text, target)


def test_the_strongest_parts_come_first():
    found = attribute_logits(model("llama"), *ASKED["llama"][::2])
    sizes = found.strongest(4)["score"].abs().tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == found.parts["score"].abs().max()


def test_progress_rises_over_the_runs_and_the_way_back_and_it_can_be_stopped():
    loaded, (text, _, target, output) = model("llama"), ASKED["llama"]
    for stop_at in (0.3, 0.85):
        told = rises_and_stops(
            lambda report: attribute_logits(loaded, text, target, output=output, report=report), stop_at=stop_at
        )
    assert (told.scores == attribute_logits(loaded, text, target, output=output).scores).all()
