"""Attribution of real (small) models by every method, with other implementations as oracles."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from captum.attr import Occlusion

from lmcore.analysis import attribute, attribute_texts, attribution_cost
from lmcore.analysis.asked import ask
from lmcore.analysis.attribution.erased import blanked, dropped
from lmcore.analysis.attribution.methods import ATTRIBUTION, is_black_box
from lmcore.analysis.attribution.units import cut_units
from lmcore.analysis.runs import run_tokens, target_values
from lmcore.errors import Cancelled, InputError, OptionError
from lmcore.types import Silent, Target
from tests.analysis.readers import CASES, reader

BLACK_BOX = [name for name in ATTRIBUTION if is_black_box(name)]
FEW = {"lime": {"samples": 60}, "kernel_shap": {"samples": 60}, "partition_shapley": {"calls": 60}}
FOOD = Target("class", "food")
WORDS = "the bread was very late"


def value_of(loaded, asked, ids):
    out = run_tokens(loaded, [asked.reading], [ids])
    return target_values(loaded, out, [asked.reading], [asked.target])[0]


@pytest.mark.parametrize("task", CASES)
@pytest.mark.parametrize("method", [*BLACK_BOX, "gradient_norm", "gradient_shap"])
def test_every_method_explains_every_task(task, method):
    given, target, output = CASES[task]
    found = attribute(reader(task), given, target, method=method, output=output, **FEW.get(method, {}))
    assert np.isfinite(found.scores).all()
    assert np.abs(found.scores).max() > 1e-5
    assert (found.scores[found.text_tokens.special] == 0).all()
    adds_up = method in ("kernel_shap", "partition_shapley")
    if adds_up:
        assert found.scores.sum() == pytest.approx(found.value - found.baseline_value, abs=1e-3)
        assert found.completeness_error < 1e-6
    elif method != "gradient_shap":
        assert np.isnan(found.completeness_error)
    assert found.by_unit()["score"].sum() == pytest.approx(found.scores.sum(), abs=1e-4)


@pytest.mark.parametrize("task", ["text-classification", "text-generation", "translation", "question-answering"])
@pytest.mark.parametrize("method", ["leave_one_out", "kernel_shap"])
def test_words_can_be_dropped(task, method):
    given, target, output = CASES[task]
    options = {"baseline": "drop", **FEW.get(method, {})}
    found = attribute(reader(task), given, target, method=method, output=output, **options)
    assert np.isfinite(found.scores).all()
    assert np.abs(found.scores).max() > 1e-5


def test_leaving_a_word_out_is_what_the_text_without_it_is_worth(tiny_loaded):
    found = attribute(tiny_loaded, WORDS, FOOD, method="leave_one_out").by_unit()
    whole, without = (attribute(tiny_loaded, text, FOOD, steps=1).value for text in (WORDS, "the was very late"))
    assert found["score"][1] == pytest.approx(whole - without, abs=1e-4)


@pytest.mark.parametrize("window", [1, 3])
def test_occlusion_of_tokens_is_captums(tiny_loaded, window):
    found = attribute(tiny_loaded, WORDS, FOOD, method="occlusion", unit="token", window=window)
    ids = torch.tensor(tiny_loaded.tokenizer([WORDS])["input_ids"])
    oracle = Occlusion(
        lambda inner: tiny_loaded.model(input_ids=torch.cat([ids[:, :1], inner, ids[:, -1:]], dim=1)).logits
    )
    with torch.inference_mode():
        expected = oracle.attribute(
            ids[:, 1:-1], sliding_window_shapes=(window,), baselines=tiny_loaded.tokenizer.pad_token_id, target=0
        )
    assert found.scores[1:-1] == pytest.approx(expected[0].numpy(), abs=1e-4)


def test_shapley_values_are_those_of_every_order(tiny_loaded):
    found = attribute(tiny_loaded, WORDS, FOOD, method="kernel_shap")
    asked = ask(tiny_loaded, [WORDS], [FOOD])[0]
    places = cut_units(asked.reading, "word", ~asked.reading.tokens.special).places
    known = {}

    def value(kept):
        if kept not in known:
            ids = asked.reading.tokens.ids.copy()
            for unit in set(range(5)) - kept:
                ids[places[unit]] = tiny_loaded.tokenizer.pad_token_id
            known[kept] = value_of(tiny_loaded, asked, ids)
        return known[kept]

    expected = np.zeros(5)
    for order in permutations(range(5)):
        for n, unit in enumerate(order):
            expected[unit] += (value(frozenset(order[: n + 1])) - value(frozenset(order[:n]))) / 120
    assert found.by_unit()["score"].to_numpy() == pytest.approx(expected, abs=1e-6)
    assert found.steps == 32


def test_sampled_shapley_values_are_near_the_exact_ones(tiny_loaded):
    text = WORDS + " and we had rain"
    exact = attribute(tiny_loaded, text, FOOD, method="kernel_shap").by_unit()["score"].to_numpy()
    drawn = [
        attribute(tiny_loaded, text, FOOD, method="kernel_shap", samples=150, seed=seed).by_unit()["score"].to_numpy()
        for seed in range(3)
    ]
    assert np.mean([np.corrcoef(exact, each)[0, 1] for each in drawn]) > 0.98
    assert not np.allclose(drawn[0], drawn[1], atol=1e-9)


def test_gradient_norm_is_the_length_of_the_gradient(tiny_loaded):
    found = attribute(tiny_loaded, WORDS, FOOD, method="gradient_norm")
    ids = torch.tensor(tiny_loaded.tokenizer([WORDS])["input_ids"])
    x = tiny_loaded.model.get_input_embeddings()(ids).requires_grad_(True)
    (gradient,) = torch.autograd.grad(tiny_loaded.model(inputs_embeds=x).logits[0, 0], x)
    assert found.scores[1:-1] == pytest.approx(gradient.norm(dim=-1)[0, 1:-1].numpy(), abs=1e-4)
    assert np.isnan([found.baseline_value, found.completeness_error]).all()


def test_gradient_shap_of_many_points_is_integrated_gradients(tiny_loaded):
    exact = attribute(tiny_loaded, WORDS, FOOD, steps=200).scores
    found = attribute(tiny_loaded, WORDS, FOOD, method="gradient_shap", samples=600, seed=1)
    assert np.abs(found.scores - exact).sum() < 0.02 * np.abs(exact).sum()
    assert found.completeness_error < 0.02
    again, other = (attribute(tiny_loaded, WORDS, FOOD, method="gradient_shap", samples=9, seed=s) for s in (1, 2))
    same = attribute(tiny_loaded, WORDS, FOOD, method="gradient_shap", samples=9, seed=1)
    assert same.scores.tolist() == again.scores.tolist() != other.scores.tolist()


def test_gradient_shap_from_random_texts_adds_up_to_the_mean_difference(tiny_loaded):
    found = attribute(
        tiny_loaded, WORDS, FOOD, method="gradient_shap", samples=400, baseline="random", noise=0.05, seed=3
    )
    difference = found.value - found.baseline_value
    assert found.scores.sum() == pytest.approx(difference, abs=0.1 * float(np.abs(found.scores).sum()))
    assert found.scores[[0, -1]].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("method", ["occlusion", "kernel_shap", "gradient_shap"])
def test_texts_beside_each_other_get_what_each_gets_alone(tiny_loaded, method):
    texts = ["rain", WORDS, "some soup and a map of the long road"]
    options = FEW.get(method, {})
    together = attribute_texts(tiny_loaded, texts, [FOOD] * 3, method=method, **options)
    for text, found in zip(texts, together, strict=True):
        alone = attribute(tiny_loaded, text, FOOD, method=method, **options)
        assert found.scores == pytest.approx(alone.scores, abs=1e-5)
        assert found.fingerprint == alone.fingerprint


def test_a_gradient_that_is_no_number_is_said(tiny_loaded, monkeypatch):
    embed = tiny_loaded.model.get_input_embeddings()

    class Broken(torch.nn.Module):
        def forward(self, ids):
            return embed(ids) * (1 + 0 * (ids == tiny_loaded.tokenizer.mask_token_id)[..., None].float().log())

    monkeypatch.setattr("lmcore.analysis.attribution.scoring.check_embeddings", lambda loaded, readings: None)
    monkeypatch.setattr(tiny_loaded.model, "get_input_embeddings", Broken)
    with pytest.raises(InputError, match="not a finite number: choose another baseline"):
        attribute(tiny_loaded, WORDS, FOOD, steps=4)


def test_a_tokenizer_without_the_token_is_said():
    with pytest.raises(OptionError, match="has no mask token: choose another baseline"):
        attribute(reader("completion"), "Ben told us", method="occlusion", baseline="mask")


@pytest.mark.parametrize("method", list(ATTRIBUTION))
def test_the_cost_is_said_before(tiny_loaded, method):
    options = FEW.get(method, {})
    cost = attribution_cost(tiny_loaded, WORDS, FOOD, method=method, **options)
    runs = []
    hook = tiny_loaded.model.register_forward_hook(lambda module, args, out: runs.append(len(out.logits)))
    try:
        attribute(tiny_loaded, WORDS, FOOD, method=method, **options)
    finally:
        hook.remove()
    rest = 1 if is_black_box(method) else 3  # what the target is looked up with, and the check of the embeddings
    assert sum(runs) - rest <= cost.calls
    if not cost.most:
        assert sum(runs) - rest == cost.calls
    assert str(cost.calls) in cost.sentence()
    assert cost.units == (5 if is_black_box(method) else 0)


def test_long_work_says_how_far_it_is_and_can_be_stopped(tiny_loaded):
    class Watching(Silent):
        def __init__(self):
            self.said = []

        def progress(self, fraction, message=""):
            assert 0 <= fraction <= 1
            self.said.append(message)

        def check(self):
            if len(self.said) > 1:
                raise Cancelled("The user asked to stop.")

    text = " ".join([WORDS] * 12)
    for method, options in (("lime", {"samples": 600}), ("integrated_gradients", {"steps": 300})):
        watching = Watching()
        with pytest.raises(Cancelled):
            attribute(tiny_loaded, text, FOOD, method=method, report=watching, **options)
        assert all("model calls" in message for message in watching.said)


def test_what_is_read_at_a_token_is_read_at_its_new_place():
    """A decoder's next token, after an earlier token is dropped, is what the shorter text gives."""
    loaded = reader("text-generation")
    given, target, output = CASES["text-generation"]
    asked = ask(loaded, [given], [target], [output])[0]
    gone = np.zeros(len(asked.reading), dtype=bool)
    gone[2] = True
    shorter = dropped(loaded.tokenizer, asked.reading, gone, np.zeros(0, dtype=int))
    assert len(shorter) == len(asked.reading) - 1
    logits = loaded.model(input_ids=torch.from_numpy(shorter.tokens.ids)[None]).logits[0].log_softmax(dim=-1)
    numbers = asked.reading.written.within(target.start, target.end)
    expected = sum(float(logits[shorter.written.at[n], asked.reading.written.ids[n]]) for n in numbers)
    out = run_tokens(loaded, [shorter])
    assert target_values(loaded, out, [shorter], [target])[0] == pytest.approx(expected, abs=1e-5)
    assert (blanked(asked.reading, gone, 0).tokens.ids != asked.reading.tokens.ids).sum() <= 1


def test_nothing_but_what_is_needed_can_be_left():
    loaded = reader("named-entity-recognition")
    asked = ask(loaded, ["Anna"], [Target("tag", "B-person", 0, 4)])[0]
    found = attribute(loaded, "Anna", Target("tag", "B-person", 0, 4), method="leave_one_out")
    assert np.isfinite(found.scores).all()
    gone = ~asked.reading.tokens.special
    kept = dropped(loaded.tokenizer, asked.reading, gone, np.flatnonzero(gone))
    assert len(kept) == len(asked.reading)


def test_units_of_other_sizes(tiny_loaded):
    text = "the bread was late, and we had rain. I will travel home."
    counts = {
        unit: len(attribute(tiny_loaded, text, FOOD, method="leave_one_out", unit=unit).by_unit())
        for unit in ("token", "word", "phrase", "sentence")
    }
    assert counts["sentence"] == 2
    assert counts["phrase"] == 3
    assert counts["word"] == 15
    assert counts["token"] >= counts["word"]
    whole = attribute(tiny_loaded, text, FOOD, steps=5)
    assert whole.by_unit("sentence")["score"].sum() == pytest.approx(whole.scores.sum(), abs=1e-4)


def test_only_a_gap_has_nothing_that_could_be_taken_away():
    from tests.tasks.speakers import speaker

    with pytest.raises(InputError, match="nothing but the gap"):
        attribute(replace(speaker("completion", encoder=True)), "[MASK]", method="occlusion")
