"""Pruned and rounded models are saved and loaded again as they are, whatever they are loaded for."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lmcore.errors import InputError, OptionError
from lmcore.models import load_model
from lmcore.models.heads import attention_blocks
from lmcore.models.int8 import Int8Linear, quantise_linears
from lmcore.models.load import LoadedModel
from lmcore.models.start import start_model
from lmcore.models.structure import HEADS, INT8, note
from lmcore.settings import Settings
from lmcore.tasks import load_task


@pytest.fixture
def ids(tiny_loaded: LoadedModel) -> dict[str, Any]:
    return dict(tiny_loaded.tokenizer(["the rain was very cold", "bread"], padding=True, return_tensors="pt"))


def save(loaded: LoadedModel, folder: Path) -> str:
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return f"folder:{folder}"


def prune(loaded: LoadedModel, kept: list[int]) -> None:
    for block in attention_blocks(loaded.model.base_model):
        block.keep(kept)
    note(loaded.model, **{HEADS: len(kept)})


def logits(loaded: LoadedModel, ids: dict[str, Any]) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = loaded.model(**ids).logits
        return found


def test_taking_out_heads_that_give_nothing_changes_no_logit(tiny_loaded: LoadedModel, ids: dict[str, Any]) -> None:
    with torch.no_grad():
        for block in attention_blocks(tiny_loaded.model.base_model):
            block.output.dense.weight[:, 8:16] = 0  # what the second head of eight features adds
    before = logits(tiny_loaded, ids)
    prune(tiny_loaded, [0, 2, 3])
    assert torch.allclose(logits(tiny_loaded, ids), before, atol=1e-6)


def test_other_heads_do_change_them(tiny_loaded: LoadedModel, ids: dict[str, Any]) -> None:
    before = logits(tiny_loaded, ids)
    prune(tiny_loaded, [0, 2, 3])
    assert (logits(tiny_loaded, ids) - before).abs().max() > 1e-3


@pytest.mark.parametrize("rounded", [False, True])
def test_what_is_saved_is_loaded_again(
    tiny_loaded: LoadedModel, ids: dict[str, Any], tmp_path: Path, settings: Settings, rounded: bool
) -> None:
    prune(tiny_loaded, [1, 3])
    if rounded:
        quantise_linears(tiny_loaded.model.base_model)
        note(tiny_loaded.model, **{INT8: True})
    again = load_model(save(tiny_loaded, tmp_path / "m"), task="text-classification", settings=settings)
    assert torch.equal(logits(again, ids), logits(tiny_loaded, ids))
    assert type(again.model) is type(tiny_loaded.model)
    query = again.model.base_model.encoder.layer[0].attention.self.query
    assert (query.out_features, type(query) is Int8Linear) == (16, rounded)
    base = load_model(f"folder:{tmp_path / 'm'}", settings=settings)
    assert base.model.encoder.layer[1].attention.output.dense.in_features == 16


def test_attention_maps_have_the_heads_that_are_left(
    tiny_loaded: LoadedModel, tmp_path: Path, settings: Settings
) -> None:
    from lmcore.analysis import attention_maps

    prune(tiny_loaded, [1, 3])
    again = load_model(save(tiny_loaded, tmp_path / "m"), task="text-classification", settings=settings)
    assert attention_maps(again, "the rain").attentions.shape[:2] == (2, 2)


def test_another_head_keeps_the_pruned_matrices(
    tiny_loaded: LoadedModel, tmp_path: Path, settings: Settings, topic_frame: Any
) -> None:
    prune(tiny_loaded, [1, 3])
    wanted = tiny_loaded.model.base_model.encoder.layer[0].attention.self.query.weight
    ref = save(tiny_loaded, tmp_path / "m")
    started = start_model(
        ref, load_task("text-classification"), topic_frame, ("a", "b"), seed=0, settings=settings
    )  # fmt: skip
    inner = started.model.base_model.encoder.layer[0].attention.self.query
    assert torch.equal(inner.weight, wanted)
    assert started.model.config.num_labels == 2


def test_a_rounded_model_is_not_trained_whole(
    tiny_loaded: LoadedModel, tmp_path: Path, settings: Settings, topic_frame: Any
) -> None:
    quantise_linears(tiny_loaded.model.base_model)
    note(tiny_loaded.model, **{INT8: True})
    ref = save(tiny_loaded, tmp_path / "m")
    with pytest.raises(InputError, match="in eight bits, which cannot all be trained"):
        start_model(ref, load_task("text-classification"), topic_frame, ("a", "b"), seed=0, settings=settings)


def test_heads_of_other_architectures_are_refused() -> None:
    from transformers import AutoModel, LlamaConfig

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = AutoModel.from_config(LlamaConfig(vocab_size=20, **sizes))
    with pytest.raises(OptionError, match="cannot be taken out of a llama model: choose an encoder built like BERT"):
        attention_blocks(model)


def test_heads_of_a_rounded_model_are_refused(tiny_loaded: LoadedModel) -> None:
    quantise_linears(tiny_loaded.model.base_model)
    with pytest.raises(OptionError, match="prune the version it was made from"):
        attention_blocks(tiny_loaded.model.base_model)
