import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, LayerIntegratedGradients

from lmcore.analysis import attribute, attribute_texts
from lmcore.analysis.attribution.methods import ATTRIBUTION, BASELINES
from lmcore.errors import InputError, OptionError, UnknownError
from lmcore.models.encode import pad_batch
from lmcore.models.linear import LinearFit
from lmcore.models.pooled import build_classifier
from lmcore.models.predict import predict_texts
from lmcore.types import Target

TEXT = "the bread was very late and we had rain"
FOOD = Target("class", "food")


def captum_scores(loaded, text, label, steps, baseline="pad"):
    ids = torch.tensor(loaded.tokenizer([text])["input_ids"])
    special = torch.isin(ids, torch.tensor([loaded.tokenizer.cls_token_id, loaded.tokenizer.sep_token_id]))
    token = loaded.tokenizer.pad_token_id if baseline == "pad" else loaded.tokenizer.mask_token_id
    embed = loaded.model.get_input_embeddings()
    oracle = LayerIntegratedGradients(lambda i: loaded.model(input_ids=i).logits, embed)
    found = oracle.attribute(
        ids, torch.where(special, ids, token), target=loaded.labels.index(label), n_steps=steps, method="gausslegendre"
    )
    return found.sum(dim=-1)[0].detach().numpy()


@pytest.mark.parametrize("baseline", ["pad", "mask"])
@pytest.mark.parametrize("steps", [7, 50])
def test_the_same_steps_give_what_captum_gives(tiny_loaded, baseline, steps):
    found = attribute(tiny_loaded, TEXT, FOOD, steps=steps, baseline=baseline)
    assert found.scores == pytest.approx(captum_scores(tiny_loaded, TEXT, "food", steps, baseline), abs=1e-4)
    assert found.steps == steps


def test_adaptive_steps_give_what_captum_gives_with_many(tiny_loaded):
    found = attribute(tiny_loaded, TEXT, FOOD)
    expected = captum_scores(tiny_loaded, TEXT, "food", 300)
    assert np.abs(found.scores - expected).sum() < 0.03 * np.abs(expected).sum()
    assert found.completeness_error <= 0.01


@pytest.mark.parametrize("baseline", BASELINES)
def test_the_scores_add_up_to_the_difference_of_the_outputs(tiny_loaded, baseline):
    found = attribute(tiny_loaded, TEXT, FOOD, baseline=baseline, tolerance=1e-3, max_steps=1024)
    difference = found.value - found.baseline_value
    assert found.scores.sum() == pytest.approx(difference, rel=2e-3)
    ids = torch.tensor(tiny_loaded.tokenizer([TEXT])["input_ids"])
    with torch.inference_mode():
        assert found.value == pytest.approx(tiny_loaded.model(input_ids=ids).logits[0, 0].item(), abs=1e-5)
    assert found.scores[[0, -1]].tolist() == [0.0, 0.0]
    assert found.by_word()["score"].sum() == pytest.approx(difference, rel=2e-3)


def test_input_times_gradient_is_captums(tiny_loaded):
    found = attribute(tiny_loaded, TEXT, FOOD, method="input_x_gradient", baseline="zero")
    ids = torch.tensor(tiny_loaded.tokenizer([TEXT])["input_ids"])
    embedded = tiny_loaded.model.get_input_embeddings()(ids).requires_grad_(True)
    oracle = InputXGradient(lambda x: tiny_loaded.model(inputs_embeds=x).logits)
    expected = oracle.attribute(embedded, target=0).sum(dim=-1)[0].detach().numpy()
    assert found.scores[1:-1] == pytest.approx(expected[1:-1], abs=1e-4)
    assert found.completeness_error > 0.01


def test_a_linear_reading_of_the_embeddings_is_explained_exactly(tiny_loaded):
    """Layer 0 of a zero-layer encoder: what captum needs 300 steps for must come out whatever the architecture."""
    rng = np.random.default_rng(0)
    fit = LinearFit(rng.normal(size=(3, 32)).astype(np.float32), np.zeros(3, dtype=np.float32))
    sample = pad_batch(tiny_loaded.tokenizer, [[2, 9, 8, 3]])
    model = build_classifier(tiny_loaded.model.base_model, 0, fit.weight, fit.bias, tiny_loaded.labels, sample)
    loaded = replace(tiny_loaded, model=model.requires_grad_(False))
    found = attribute(loaded, TEXT, FOOD)
    expected = captum_scores(loaded, TEXT, "food", 300)
    assert np.abs(found.scores - expected).sum() < 0.02 * np.abs(expected).sum()


def test_against_another_class_is_the_difference_of_the_two(tiny_loaded):
    scores = [
        attribute(tiny_loaded, TEXT, target, steps=20).scores
        for target in (FOOD, Target("class", "travel"), Target("class", "food", against="travel"))
    ]
    assert scores[2] == pytest.approx(scores[0] - scores[1], abs=1e-5)


def test_the_predicted_class_is_explained_where_none_is_given(tiny_loaded, topic_frame):
    texts = topic_frame["text"].tolist()[:5]
    found = attribute_texts(tiny_loaded, texts, [None, FOOD, None, None, None], steps=4)
    expected = [prediction.label for prediction in predict_texts(tiny_loaded, texts)]
    expected[1] = "food"
    assert [a.target.label for a in found] == expected


def test_texts_of_different_lengths_get_what_each_gets_alone(tiny_loaded):
    texts = ["rain", TEXT, "a map", TEXT + " " + TEXT + " and some soup"]
    together = attribute_texts(tiny_loaded, texts, [FOOD] * 4)
    for text, found in zip(texts, together, strict=True):
        alone = attribute(tiny_loaded, text, FOOD)
        assert found.scores == pytest.approx(alone.scores, abs=1e-5)
        assert (found.steps, found.fingerprint) == (alone.steps, alone.fingerprint)
    assert attribute_texts(tiny_loaded, []) == []


def test_the_frame_has_each_token_with_its_place(tiny_loaded):
    found = attribute(tiny_loaded, "Rain, bread", FOOD, steps=4)
    frame = found.to_frame()
    assert frame["token"].tolist() == list(found.tokens)
    assert frame["score"].to_numpy() == pytest.approx(found.scores)
    assert "Rain, bread"[frame["start"].iloc[1] : frame["end"].iloc[1]] == found.tokens[1]
    assert found.scores.dtype == np.float32
    assert found.parameters["steps"] == 4


@pytest.mark.parametrize("text", ["rain", "🦊", "שלום עולם", "x" * 100_000, "rain bread " * 9_000])
def test_unusual_texts_are_explained(tiny_loaded, text):
    found = attribute(tiny_loaded, text, FOOD, steps=4)
    assert np.isfinite(found.scores).all()
    assert found.truncated == (text.startswith("rain bread"))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"text": "  "}, InputError, "The text is empty"),
        ({"target": Target("class", "sport")}, UnknownError, "food, travel, weather"),
        ({"method": "magic"}, UnknownError, "integrated_gradients"),
        ({"steps": 0}, OptionError, "from 1"),
        ({"depth": 3}, OptionError, "has no option 'depth'"),
        ({"baseline": "black"}, OptionError, "pad, mask, zero"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_a_sentence(tiny_loaded, change, error, said):
    arguments = {"text": TEXT, "target": FOOD} | change
    with pytest.raises(error, match=said):
        attribute(tiny_loaded, **arguments)


def test_a_model_without_a_head_is_refused(tiny_loaded):
    with pytest.raises(InputError, match="has no trained head"):
        attribute(replace(tiny_loaded, task=""), TEXT)


def test_a_model_that_reads_embeddings_otherwise_is_refused(tiny_loaded, monkeypatch):
    embed = tiny_loaded.model.get_input_embeddings()
    monkeypatch.setattr(tiny_loaded.model, "get_input_embeddings", lambda: lambda ids: 2 * embed(ids))
    with pytest.raises(InputError, match="embeddings in place of tokens"):
        attribute(tiny_loaded, TEXT, FOOD)


def test_the_models_own_gradients_stay_untouched(tiny_loaded):
    attribute(tiny_loaded, TEXT, FOOD, steps=4)
    assert all(parameter.grad is None for parameter in tiny_loaded.model.parameters())


def test_two_users_at_once_get_what_each_gets_alone(tiny_loaded):
    texts = [TEXT, "soup and a ticket for the storm"]
    alone = [attribute(tiny_loaded, text, FOOD).scores for text in texts]
    together = [None, None]

    def work(number):
        together[number] = [attribute(tiny_loaded, texts[number], FOOD).scores for _ in range(5)]

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for expected, found in zip(alone, together, strict=True):
        assert all(scores == pytest.approx(expected, abs=1e-5) for scores in found)


def test_the_registry_loads_what_it_names():
    for name, method in ATTRIBUTION.items():
        assert callable(method.load())
        assert method.check({}).get("baseline", "none") == {"leave_one_out": "drop", "gradient_norm": "none"}.get(
            name, "pad"
        )
