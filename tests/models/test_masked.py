import numpy as np
import pytest
import torch

from lmcore.models.encode import IGNORED
from lmcore.models.masked import encode_gaps, encode_masked, encode_unmasked, mask_batch, masked_places
from tests.tasks.speakers import encoder_tokenizer, rule_frame

LONG = "Anna told us on day 3 that nothing is as good as apples " * 6


@pytest.mark.parametrize("limit", [8, 16, 500])
def test_each_masked_token_is_predicted_once_and_nothing_is_cut(limit):
    tokenizer = encoder_tokenizer()
    ids = tokenizer(LONG, add_special_tokens=False)["input_ids"]
    chosen = masked_places(ids, tokenizer.all_special_ids, LONG)
    assert len(chosen) == round(0.15 * len(ids))
    found = encode_masked(tokenizer, [LONG], limit)
    assert [t for targets in found.notes["targets"] for t in targets] == [ids[place] for place in chosen]
    for window, places in zip(found.ids, found.notes["places"], strict=True):
        assert {window[place] for place in places} <= {tokenizer.mask_token_id}
        assert (window[0], window[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
        assert len(window) <= limit
    assert encode_masked(tokenizer, [LONG], limit).ids == found.ids


def test_a_short_text_has_one_mask_and_an_empty_one_none():
    tokenizer = encoder_tokenizer()
    assert [len(places) for places in encode_masked(tokenizer, ["Ben", "Ben told us"], 16).notes["places"]] == [1, 1]
    assert encode_masked(tokenizer, [""], 16).ids == []
    assert encode_gaps(tokenizer, ["Ben [MASK] us [MASK]"], 16).notes["places"] == [[2, 4]]


def test_of_a_long_text_only_the_windows_with_a_gap_are_kept():
    tokenizer = encoder_tokenizer()
    found = encode_gaps(tokenizer, ["Ben [MASK] us", f"{LONG} [MASK]", f"[MASK] {LONG} [MASK]"], 16)
    assert found.rows.tolist() == [0, 1, 2, 2]
    assert found.truncated.tolist() == [False, True, True, True]
    for window, places in zip(found.ids, found.notes["places"], strict=True):
        assert [window[place] for place in places] == [tokenizer.mask_token_id]


def test_training_masks_are_drawn_from_torch_in_the_usual_shares():
    tokenizer = encoder_tokenizer()
    encodings = encode_unmasked(tokenizer, rule_frame()["text"].tolist(), 64)
    rows = list(range(len(encodings))) * 20
    torch.manual_seed(1)
    batch = mask_batch(tokenizer, encodings, rows)
    torch.manual_seed(1)
    again = mask_batch(tokenizer, encodings, rows)
    assert torch.equal(batch["input_ids"], again["input_ids"])
    chosen = batch["labels"] != IGNORED
    total = sum(len(encodings.ids[row]) - 2 for row in rows)
    assert chosen.sum().item() / total == pytest.approx(0.15, abs=0.01)
    hidden = batch["input_ids"][chosen] == tokenizer.mask_token_id
    assert hidden.float().mean().item() == pytest.approx(0.8, abs=0.02)
    kept = batch["input_ids"][chosen] == batch["labels"][chosen]
    assert kept.float().mean().item() == pytest.approx(0.1, abs=0.02)
    special = torch.isin(batch["labels"][chosen], torch.tensor(tokenizer.all_special_ids))
    assert not special.any()


def test_long_texts_are_learnt_whole():
    tokenizer = encoder_tokenizer()
    found = encode_unmasked(tokenizer, [LONG], 16)
    assert [t for ids in found.ids for t in ids[1:-1]] == tokenizer(LONG, add_special_tokens=False)["input_ids"]
    assert np.array_equal(found.rows, np.zeros(len(found)))
