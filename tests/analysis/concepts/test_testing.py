import numpy as np
import pytest
import torch

from lmcore.analysis.asked import ask
from lmcore.analysis.concepts.gradients import layer_gradients
from lmcore.analysis.concepts.sets import concept_from_words, random_concept
from lmcore.analysis.concepts.testing import tcav
from lmcore.analysis.runs import run_tokens, target_values
from lmcore.errors import Cancelled, InputError, OptionError, UnknownError
from lmcore.models.load import LoadedModel
from lmcore.models.stacks import layer_stacks
from lmcore.types import ModelRef, Silent, Target
from tests.analysis.readers import CASES, reader

FOOD = ["bread", "soup", "apple", "cheese", "rice", "tea"]


@pytest.fixture(scope="module")
def texts(topic_frame):
    return topic_frame["text"].tolist()


@pytest.fixture(scope="module")
def planted(tiny_folder, topic_frame, texts):
    """A classifier that says food where a linear map of its last layer's mean vector does."""
    from lmcore.models import load_model
    from lmcore.models.encode import encode_texts, pad_batch
    from lmcore.models.hidden import mean_pooled_states
    from lmcore.models.linear import fit_linear
    from lmcore.models.pooled import build_classifier

    base = load_model(f"folder:{tiny_folder}")
    states = mean_pooled_states(base, encode_texts(base.tokenizer, texts, 64))[2]
    fit = fit_linear(states, (topic_frame["label"] == "food").to_numpy().astype(int), seed=0, C=0.1)
    batch = pad_batch(base.tokenizer, encode_texts(base.tokenizer, texts[:2], 64).ids)
    model = build_classifier(base.model, 2, fit.weight, fit.bias, ["other", "food"], batch).requires_grad_(False)
    return LoadedModel(
        ModelRef("folder", "x"), "text-classification", model, base.tokenizer, ("other", "food"), "p", "cpu", 0, 64
    )


TARGET = Target("class", "food", against="other")


def test_a_planted_concept_is_found_and_one_at_random_is_not(planted, texts):
    concepts = [concept_from_words("food", FOOD, texts)]
    concepts += [random_concept(texts, 40, seed=seed, name=f"random {seed}") for seed in range(6)]
    found = tcav(planted, concepts, texts[:30], TARGET)
    table = found.to_frame()
    food = table[table["concept"] == "food"]
    assert food["significant"].all()
    assert (food["score"] > 0.9).all()
    assert (food["effect"] > 4 * food["random_effect"]).all()
    chance = table[table["concept"] != "food"]
    assert not chance["significant"].any()
    assert not (chance["p_fdr"] <= found.level).any()
    assert chance["accuracy"].between(0.2, 0.75).all()


def test_chance_is_as_often_significant_as_the_level_says(planted, texts):
    concepts = [random_concept(texts, 30, seed=seed, name=str(seed)) for seed in range(60)]
    p = tcav(planted, concepts, texts[:10], TARGET, layers=[1], sets=100, level=0.5).to_frame()["p"]
    assert (p <= 0.1).mean() == pytest.approx(0.1, abs=0.1)
    assert p.mean() == pytest.approx(0.5, abs=0.12)


def test_the_other_class_answers_the_other_way(planted, texts):
    concepts = [concept_from_words("food", FOOD, texts)]
    one, other = (
        tcav(planted, concepts, texts[:12], target).to_frame()
        for target in (TARGET, Target("class", "other", against="food"))
    )
    assert one["effect"].to_numpy() == pytest.approx(-other["effect"].to_numpy(), abs=1e-4)
    assert one["p"].tolist() == other["p"].tolist()
    assert (other["score"] < 0.1).all()


def test_where_the_model_is_linear_every_text_has_the_classifiers_own_slope(planted, texts):
    slopes = layer_gradients(planted, ask(planted, texts[:5], [TARGET] * 5), Silent(), batch_size=2)
    weight = planted.model.classifier.weight
    expected = (weight[1] - weight[0]).numpy()
    assert slopes.shape == (3, 5, 32)
    assert slopes[2] == pytest.approx(np.tile(expected, (5, 1)), abs=1e-4)
    table = tcav(planted, [random_concept(texts, 40, seed=1)], texts[:5], TARGET, layers=[2]).to_frame()
    assert table["score"].item() in (0, 1)  # which is why not the score is tested


@pytest.mark.parametrize("task", list(CASES))
def test_the_slope_is_what_a_small_step_of_all_tokens_does(task):
    text, target, output = CASES[task]
    loaded = reader(task)
    asked = ask(loaded, [text, text], [target] * 2, [output] * 2)
    slope = layer_gradients(loaded, asked, Silent())[1, 0]
    direction = torch.from_numpy(np.random.default_rng(0).normal(size=slope.shape).astype(np.float32))
    direction /= direction.norm()

    def value(step: float) -> float:
        def move(module, inputs, out):
            moved = (out[0] if isinstance(out, tuple) else out) + step * direction
            return (moved, *out[1:]) if isinstance(out, tuple) else moved

        stack = layer_stacks(loaded.model.base_model)[0].layers
        # What the second layer is given is the first one's output; with one layer it is the output itself.
        hook = stack[0].register_forward_hook(move)
        try:
            with torch.inference_mode():
                out = run_tokens(loaded, [asked[0].reading])
                return float(target_values(loaded, out, [asked[0].reading], [target])[0])
        finally:
            hook.remove()

    if task == "translation":  # a Marian of one layer has its states after it
        assert len(layer_stacks(loaded.model.base_model)[0]) == 1
    step = 2e-3
    by_difference = (value(step) - value(-step)) / (2 * step)
    assert float(slope @ direction.numpy()) == pytest.approx(by_difference, rel=0.03, abs=0.02)


def test_more_sets_are_drawn_where_none_could_be_significant(planted, texts):
    concepts = [random_concept(texts, 40, seed=seed) for seed in range(2)]
    found = tcav(planted, concepts, texts[:4], TARGET, sets=10, level=0.01)
    assert found.sets == found.parameters["sets"] == 2 * 6 * 100
    assert found.to_frame()["p"].min() >= 1 / 1201


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"concepts": []}, InputError, "nothing to test"),
        ({"texts": []}, InputError, "nothing to test"),
        ({"layers": [3]}, OptionError, "from 0 to 2"),
        ({"layers": []}, OptionError, "from 0 to 2"),
        ({"level": 1.0}, OptionError, "between 0 and 1"),
        ({"target": Target("class", "sport")}, UnknownError, "no class 'sport'"),
    ],
)
def test_what_cannot_be_tested_is_refused(planted, texts, change, error, said):
    given = {"concepts": [random_concept(texts, 40, seed=0)], "texts": texts[:3], "target": TARGET, **change}
    with pytest.raises(error, match=said):
        tcav(planted, **given)


def test_it_stops_when_asked(planted, texts):
    class Stopped(Silent):
        def check(self):
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        tcav(planted, [random_concept(texts, 40, seed=0)], texts[:3], TARGET, report=Stopped())
