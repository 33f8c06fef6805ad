import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import BertModel

from lmcore.analysis import attention_maps, attention_rollout
from lmcore.errors import InputError
from lmcore.models.encode import pad_batch

TEXT = "rain and bread on the train"


def test_rollout_of_the_known_case():
    first, second = [[1, 0], [0.5, 0.5]], [[1, 0], [0.25, 0.75]]
    expected = np.array([[1, 0], [0.34375, 0.65625]])
    assert attention_rollout(np.array([first, second])) == pytest.approx(expected)
    assert attention_rollout(np.array([[first], [second]])) == pytest.approx(expected)


def test_rollout_averages_the_heads_first():
    maps = np.random.default_rng(0).dirichlet(np.ones(5), size=(3, 4, 5))
    assert attention_rollout(maps) == pytest.approx(attention_rollout(maps.mean(axis=1)))
    assert attention_rollout(maps).sum(axis=1) == pytest.approx(np.ones(5))


def test_rollout_of_heads_that_look_at_themselves_changes_nothing():
    assert attention_rollout(np.tile(np.eye(3), (4, 2, 1, 1))) == pytest.approx(np.eye(3))


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 3, 3), (2, 2, 3, 4)])
def test_rollout_refuses_other_shapes(shape):
    with pytest.raises(InputError, match="give \\(layers, heads, tokens, tokens\\)"):
        attention_rollout(np.ones(shape))


def test_maps_are_those_of_the_model(tiny_loaded):
    maps = attention_maps(tiny_loaded, TEXT)
    assert maps.attentions.shape == (2, 4, len(maps.tokens), len(maps.tokens))
    assert maps.attentions.dtype == np.float32
    assert maps.attentions.sum(axis=-1) == pytest.approx(np.ones(maps.attentions.shape[:3]), abs=1e-5)
    layer = tiny_loaded.model.base_model.encoder.layer[0].attention.self
    ids = torch.from_numpy(maps.text_tokens.ids)[None]
    with torch.inference_mode():
        state = tiny_loaded.model(input_ids=ids, output_hidden_states=True).hidden_states[0][0]
        query, key = (part(state).view(len(ids[0]), 4, 8).transpose(0, 1) for part in (layer.query, layer.key))
        expected = torch.softmax(query @ key.transpose(1, 2) / 8**0.5, dim=-1)
    assert maps.attentions[0] == pytest.approx(expected.numpy(), abs=1e-5)


def test_entropy_is_that_of_the_rows(tiny_loaded):
    maps = attention_maps(tiny_loaded, TEXT)
    rows = maps.attentions[1, 2].astype(float)
    assert maps.entropies.shape == (2, 4)
    assert maps.entropies[1, 2] == pytest.approx(-(rows * np.log(rows)).sum(axis=1).mean(), rel=1e-4)
    even = replace(maps, attentions=np.full((1, 1, 4, 4), 0.25, dtype=np.float32))
    assert even.entropies == pytest.approx(np.array([[np.log(4)]]))
    frame = maps.to_frame(1, 2)
    assert frame["weight"].to_numpy() == pytest.approx(maps.attentions[1, 2].ravel())
    assert (frame["row"].iloc[1], frame["column"].iloc[1]) == (0, 1)


def test_the_same_text_has_the_same_fingerprint(tiny_loaded):
    assert attention_maps(tiny_loaded, TEXT).fingerprint == attention_maps(tiny_loaded, TEXT).fingerprint
    assert attention_maps(tiny_loaded, TEXT).fingerprint != attention_maps(tiny_loaded, TEXT + " map").fingerprint


def test_a_model_without_layers_is_refused(tiny_loaded):
    config = tiny_loaded.model.config.to_dict()
    bare = BertModel(type(tiny_loaded.model.config)(**(config | {"num_hidden_layers": 0}))).eval()
    with pytest.raises(InputError, match="no attention layers that can be read"):
        attention_maps(replace(tiny_loaded, model=bare, task=""), TEXT)


def test_a_prediction_beside_it_is_not_disturbed(tiny_loaded):
    """Switching the model's own attention while another thread runs it gave wrong logits without an error."""
    batch = pad_batch(tiny_loaded.tokenizer, [[2, *range(5, 40), 3], [2, 9, 8, 3]])
    stop = threading.Event()

    def look():
        while not stop.is_set():
            attention_maps(tiny_loaded, TEXT)

    with torch.inference_mode():
        alone = tiny_loaded.model(**batch).logits
        expected = attention_maps(tiny_loaded, TEXT).attentions
        other = threading.Thread(target=look)
        other.start()
        try:
            gaps = [(tiny_loaded.model(**batch).logits - alone).abs().max().item() for _ in range(150)]
        finally:
            stop.set()
            other.join()
    assert max(gaps) < 1e-5
    assert attention_maps(tiny_loaded, TEXT).attentions == pytest.approx(expected, abs=1e-6)
