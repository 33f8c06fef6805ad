from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from lmcore.errors import OptionError
from lmcore.models.load import LoadedModel
from lmcore.models.pooled import build_classifier
from lmcore.models.stacks import layer_stacks
from lmcore.training.compression.layers import absence, influence, prune_layers
from lmcore.training.compression.made import CompressJob


def logits_of(job: CompressJob) -> torch.Tensor:
    (batch,) = job.batches()
    with torch.inference_mode():
        found: torch.Tensor = job.loaded.model(**batch).logits
        return found


@pytest.fixture
def idle_llama(tiny_loaded: LoadedModel) -> LoadedModel:
    """A decoder of three layers with a classification head, whose second layer adds nothing to its input."""
    from transformers import LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=len(tiny_loaded.tokenizer), hidden_size=32, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=32, num_labels=3, pad_token_id=tiny_loaded.tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(1)
    model = LlamaForSequenceClassification(config).eval()
    with torch.no_grad():
        model.model.layers[1].self_attn.o_proj.weight.zero_()
        model.model.layers[1].mlp.down_proj.weight.zero_()
    return replace(tiny_loaded, model=model)


@pytest.mark.parametrize("score", ["influence", "loss"])
def test_a_layer_that_does_nothing_goes_first_and_changes_no_logit(
    make_job: Callable[..., CompressJob], idle_llama: LoadedModel, score: str
) -> None:
    job = make_job(loaded=idle_llama, score=score, share=0.33)
    before = logits_of(job)
    made = prune_layers(job)
    importance = made.facts["importance"]["layers"]
    assert abs(importance[1]) < 1e-5
    if score == "influence":
        assert made.facts["removed"] == {"layers": [1]}
        assert torch.allclose(logits_of(job), before, atol=1e-6)
    assert job.loaded.model.config.num_hidden_layers == 2


def test_fewer_layers_take_fewer_multiplications_in_proportion(
    make_job: Callable[..., CompressJob], idle_llama: LoadedModel
) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    job, counted = make_job(loaded=idle_llama, share=0.33), []
    for work in (lambda: None, lambda: prune_layers(job)):
        work()
        with FlopCounterMode(display=False) as counter:
            logits_of(job)
        counted.append(counter.get_total_flops())
    assert counted[1] / counted[0] == pytest.approx(2 / 3, abs=0.05), "two of three layers are left, and the head"


def test_influence_is_one_less_the_cosine(make_job: Callable[..., CompressJob]) -> None:
    job = make_job(rows=1)
    found = influence(job, layer_stacks(job.loaded.model.base_model))["layers"]
    (batch,) = job.batches()
    with torch.inference_mode():
        states = job.loaded.model(**batch, output_hidden_states=True).hidden_states
    wanted = [1 - float(torch.cosine_similarity(a, b, dim=-1).mean()) for a, b in pairwise(states)]
    assert found == pytest.approx(wanted, abs=1e-5)


def test_absence_is_the_rise_of_the_loss_of_the_model_without_it(make_job: Callable[..., CompressJob]) -> None:
    job = make_job(score="loss")
    found = absence(job, layer_stacks(job.loaded.model.base_model))["layers"]
    (batch,) = job.batches()
    with torch.inference_mode():
        whole = float(job.loaded.model(**batch).loss)
        del job.loaded.model.base_model.encoder.layer[1]
        assert found[1] == pytest.approx(float(job.loaded.model(**batch).loss) - whole, abs=1e-5)


def test_a_mean_pooled_classifier_goes_on_to_read_its_last_layer(
    make_job: Callable[..., CompressJob], tiny_loaded: LoadedModel
) -> None:
    encoder = tiny_loaded.model.base_model
    ids = tiny_loaded.tokenizer(["rain", "some bread"], padding=True, return_tensors="pt")
    sample = {name: ids[name] for name in ("input_ids", "attention_mask")}
    weight = np.random.default_rng(0).normal(size=(3, 32))
    model = build_classifier(encoder, 2, weight, np.zeros(3), tiny_loaded.labels, sample)
    made = prune_layers(make_job(loaded=replace(tiny_loaded, model=model), share=0.5))
    kept = 1 - made.facts["removed"]["layers"][0]
    assert (model.config.layer, model.config.encoder["num_hidden_layers"]) == (1, 1)
    with torch.inference_mode():
        state = encoder.embeddings(sample["input_ids"])
        mask = (1 - sample["attention_mask"][:, None, None, :].float()) * torch.finfo(torch.float32).min
        state = encoder.encoder.layer[kept](state, mask)
        state = state[0] if isinstance(state, tuple) else state
        share = sample["attention_mask"][..., None] / sample["attention_mask"].sum(dim=1)[:, None, None]
        assert torch.allclose(model(**sample).logits, model.classifier((state * share).sum(dim=1)), atol=1e-4)


def test_a_model_of_one_layer_is_refused(make_job: Callable[..., CompressJob]) -> None:
    job = make_job(share=0.5)
    prune_layers(job)
    with pytest.raises(OptionError, match="has one layer alone"):
        prune_layers(job)


def test_both_stacks_of_an_encoder_decoder_lose_their_share(make_job: Callable[..., CompressJob]) -> None:
    from types import SimpleNamespace

    from transformers import MarianConfig, MarianMTModel

    marian = MarianMTModel(
        MarianConfig(
            vocab_size=30, d_model=16, encoder_layers=4, decoder_layers=2, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=32,
            pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
        )
    ).eval()  # fmt: skip
    read = torch.tensor([[3, 4, 0], [5, 6, 7]])
    batch: Any = {"input_ids": read, "attention_mask": (read != 0).long(), "labels": torch.tensor([[4, 1], [5, -100]])}
    config = make_job(share=0.5).config
    job: Any = SimpleNamespace(config=config, loaded=SimpleNamespace(model=marian), batches=lambda: iter([batch]))
    made = prune_layers(job)
    assert {name: len(gone) for name, gone in made.facts["removed"].items()} == {"encoder": 2, "decoder": 1}
    assert (marian.config.encoder_layers, marian.config.decoder_layers) == (2, 1)
    assert marian(**batch).loss.isfinite()
