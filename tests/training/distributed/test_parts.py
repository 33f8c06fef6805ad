"""Parts of a batch that are computed one after another add up as those of several processes do."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

from lmcore.errors import OptionError
from lmcore.models.start import StartModel
from lmcore.training.config import TrainConfig
from lmcore.training.distributed.parts import count_learnt, part_loss, part_of
from lmcore.training.distributed.workers import ALONE, Workers
from lmcore.training.methods import check_workers


def own_loss(model, batch, outputs):
    return outputs.loss


@pytest.fixture
def classifier(tiny_folder):
    model = AutoModelForSequenceClassification.from_pretrained(tiny_folder).eval()
    return StartModel(model, AutoTokenizer.from_pretrained(tiny_folder), 64)


@pytest.fixture
def masked(tiny_folder):
    torch.manual_seed(0)
    model = AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(tiny_folder)).eval()
    return StartModel(model, AutoTokenizer.from_pretrained(tiny_folder), 64)


def averaged(start, batch, size):
    """The mean of the parts' losses over the workers, and the gradient of one weight."""
    count, losses = count_learnt(start), []
    for rank in range(size):
        losses.append(part_loss(Workers(rank, size), own_loss, count, start.model, batch)[0])
    loss = torch.stack(losses).mean()
    weight = next(p for name, p in start.model.named_parameters() if "word_embeddings" in name)
    return loss.item(), torch.autograd.grad(loss, weight)[0]


def rows(start, texts, **fields):
    return dict(start.tokenizer(texts, padding=True, return_tensors="pt")) | fields


@pytest.mark.parametrize("size", [2, 3, 7])
def test_rows_add_up_to_the_batch_even_where_workers_get_none(classifier, size):
    batch = rows(
        classifier, ["rain today", "soup", "a train map", "the snow", "tea"], labels=torch.tensor([0, 1, 2, 0, 1])
    )
    whole, parts = averaged(classifier, batch, 1), averaged(classifier, batch, size)
    assert parts[0] == pytest.approx(whole[0], abs=1e-6)
    assert torch.allclose(parts[1], whole[1], atol=1e-6)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_tokens_to_be_learnt_add_up_even_where_a_part_has_none(masked, size):
    batch = rows(masked, ["rain and snow today", "soup with bread and cheese", "a map"])
    labels = torch.full_like(batch["input_ids"], -100)
    labels[0, 1:4] = batch["input_ids"][0, 1:4]
    labels[2, 1] = batch["input_ids"][2, 1]
    whole, parts = averaged(masked, batch | {"labels": labels}, 1), averaged(masked, batch | {"labels": labels}, size)
    assert parts[0] == pytest.approx(whole[0], abs=1e-6)
    assert torch.allclose(parts[1], whole[1], atol=1e-6)


def test_a_model_that_writes_does_not_count_first_tokens():
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=16, n_head=2, vocab_size=20)).eval()

    class Plain:
        mask_token_id = None

    start = StartModel(model, Plain(), 64)
    ids = torch.arange(24).reshape(3, 8) % 20
    labels = ids.clone()
    labels[0, 3:], labels[1, 6:] = -100, -100
    batch = {"input_ids": ids, "labels": labels}
    assert count_learnt(start)(batch) == 2 + 5 + 7
    losses = [part_loss(Workers(r, 2), own_loss, count_learnt(start), model, batch)[0].item() for r in range(2)]
    assert sum(losses) / 2 == pytest.approx(model(**batch).loss.item(), abs=1e-6)


def test_parts_are_every_nth_row_and_hold_all_rows_once():
    batch = {"labels": torch.arange(7), "input_ids": torch.arange(14).reshape(7, 2)}
    parts = [part_of(batch, Workers(rank, 3)) for rank in range(3)]
    assert [part["labels"].tolist() for part in parts] == [[0, 3, 6], [1, 4], [2, 5]]
    assert parts[1]["input_ids"].tolist() == [[2, 3], [8, 9]]
    assert part_of({"labels": torch.arange(2)}, Workers(3, 4))["labels"].tolist() == [0]


def test_a_batch_that_workers_cannot_share_and_a_method_without_steps_are_refused():
    check_workers(TrainConfig("a", method="full", batch_size=32), 4)
    with pytest.raises(OptionError, match=r"32 texts in one step cannot be shared by 3 workers: .*multiple of 3"):
        check_workers(TrainConfig("a", method="full", batch_size=32), 3)
    with pytest.raises(OptionError, match="The method head runs in one process: choose full, lora, scratch"):
        check_workers(TrainConfig("a"), 2)
    with pytest.raises(
        OptionError, match="The method grpo runs in one process: choose full, lora, scratch, continual for 2"
    ):
        check_workers(TrainConfig("a", method="grpo"), 2)


def test_one_process_agrees_with_itself(tmp_path):
    assert ALONE.agree(True)
    assert not ALONE.agree(False)
    assert ALONE.hear("a") == "a"
    ALONE.wait()
    ALONE.check_shared(tmp_path / "missing")
    assert ALONE.leads
