from itertools import combinations

import numpy as np
import pytest
import torch

from lmcore.analysis import attribute, measure_faithfulness
from lmcore.analysis.asked import ask
from lmcore.analysis.attribution.quantities import TargetProbability
from lmcore.analysis.runs import run_tokens
from lmcore.analysis.trust.edits import small_edits
from lmcore.analysis.trust.erasure_curve import erasure_curve
from lmcore.analysis.trust.faithfulness import Faithfulness
from lmcore.analysis.trust.randomised import randomised, weight_groups
from lmcore.analysis.trust.ranks import chance_correlation, rank_correlation
from lmcore.analysis.trust.verdict import said_of
from lmcore.errors import Cancelled, OptionError, UnknownError
from lmcore.models.predict import predict_texts
from lmcore.tasks.phrases import token_id
from lmcore.types import Silent, Target
from tests.analysis.readers import CASES, reader

TEXT = "the bread was very late and we had rain"
FOOD = Target("class", "food")
WEIGHTS = np.array([0.4, 0.0, 0.3, -0.2, 0.1])
QUICK = {"stages": 2, "edits": 2, "draws": 4, "methods": ("occlusion", "gradient_norm")}


def worth(numbers, rows):
    return [np.array([0.3 + row @ WEIGHTS]) for row in rows]


def test_comprehensiveness_and_sufficiency_of_a_known_function():
    curve = erasure_curve(worth, WEIGHTS, shares=(0.2, 0.5), draws=0)
    assert curve.by_share["units"].tolist() == [1, 3]
    assert curve.probability == pytest.approx(0.9)
    assert curve.by_share["comprehensiveness"].tolist() == pytest.approx([0.4, 0.8])
    assert curve.by_share["sufficiency"].tolist() == pytest.approx([0.2, -0.2])
    assert curve.mean("comprehensiveness") == pytest.approx(0.6)


def test_no_ranking_takes_more_away_than_that_of_the_function_itself():
    best = erasure_curve(worth, WEIGHTS, shares=(0.4,), draws=200, seed=1)
    falls = [WEIGHTS[list(pair)].sum() for pair in combinations(range(5), 2)]
    assert best.by_share["comprehensiveness"][0] == pytest.approx(max(falls))
    assert best.by_share["random_comprehensiveness"][0] == pytest.approx(np.mean(falls), abs=0.05)
    worst = erasure_curve(worth, -WEIGHTS, shares=(0.4,), draws=0)
    assert worst.by_share["comprehensiveness"][0] == pytest.approx(min(falls))


def test_rank_correlation_is_spearmans():
    from scipy.stats import spearmanr

    x, y = np.random.default_rng(0).integers(0, 5, size=(2, 30)).astype(float)
    assert rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert np.isnan([rank_correlation(x, np.ones(30)), rank_correlation(x[:2], y[:2])]).all()
    draws = np.random.default_rng(1)
    many = [abs(rank_correlation(draws.normal(size=20), draws.normal(size=20))) for _ in range(400)]
    assert np.mean(np.array(many) <= chance_correlation(20)) == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("task", ["text-classification", "named-entity-recognition", "slot-filling", "completion"])
def test_probabilities_are_the_models_own(task):
    given, target, _ = CASES[task]
    loaded = reader(task)
    alone = Target(target.kind, target.label, target.start, target.end)
    asked = ask(loaded, [given], [alone])[0]
    out, quantity = run_tokens(loaded, [asked.reading]), TargetProbability(loaded, [asked])
    kept = run_tokens(loaded, [asked.reading], **quantity.options([asked.reading]))
    found = float(quantity.of(kept, [asked.reading], [0])[0][0])
    if task == "named-entity-recognition":
        place = int(asked.reading.within(0, 4)[0])
        expected = float(out.logits[0, place].softmax(-1)[loaded.labels.index("B-person")])
    elif task == "completion":
        expected = float(out.logits[0, -1].softmax(-1)[token_id(loaded.tokenizer, " that")])
    else:
        expected = predict_texts(loaded, [given])[0].probabilities[target.label]
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("task", CASES)
def test_every_task_can_be_judged(task):
    given, target, output = CASES[task]
    loaded = reader(task)
    found = attribute(loaded, given, target, output=output, method="input_x_gradient")
    judged = measure_faithfulness(loaded, found, **QUICK)
    assert np.isfinite([judged.comprehensiveness, judged.sufficiency, judged.random_weights]).all()
    assert 0 <= judged.curve.probability <= 1
    assert np.isnan(judged.seed_stability)
    assert set(judged.agreement["method"]) == {"occlusion", "gradient_norm"}
    assert judged.completeness_error == found.completeness_error
    assert judged.warning.endswith(".")
    assert len(judged.to_frame()) == 7


def test_a_method_that_draws_is_held_against_other_seeds(tiny_loaded):
    few = attribute(tiny_loaded, TEXT, FOOD, method="lime", samples=12)
    many = attribute(tiny_loaded, TEXT, FOOD, method="lime", samples=400)
    judged = [measure_faithfulness(tiny_loaded, each, **QUICK, seeds=2) for each in (few, many)]
    assert len(judged[0].seeds) == 2
    assert judged[1].seed_stability > judged[0].seed_stability


def test_the_shared_model_stays_as_it_is_and_its_twin_becomes_random(tiny_loaded):
    before = [parameter.clone() for parameter in tiny_loaded.model.parameters()]
    changed = []
    for what, twin in randomised(tiny_loaded, stages=3, seed=0):
        pairs = zip(tiny_loaded.model.parameters(), twin.model.parameters(), strict=True)
        changed.append((what, sum(not torch.equal(a, b) for a, b in pairs)))
    assert all(torch.equal(a, b) for a, b in zip(before, tiny_loaded.model.parameters(), strict=True))
    assert [count for _, count in changed] == sorted(count for _, count in changed)
    assert changed[0] == ("from the output to the head", changed[0][1])
    assert changed[-1][0] == "from the output to the embeddings"
    assert changed[-1][1] > changed[0][1] > 0


def test_weights_are_drawn_from_the_output_down():
    names = [name for name, _ in weight_groups(reader("translation").model)]
    assert names[-1] == "the embeddings"
    decoders = [name for name in names if "decoder" in name]
    assert names == ["the head", *decoders, *(n for n in names if "encoder's" in n), "the embeddings"][-len(names) :]
    assert decoders == sorted(decoders, reverse=True) != []
    model = reader("text-classification").model
    grouped = [id(p) for _, group in weight_groups(model) for p in group]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())


def test_edits_are_small_and_spare_the_target():
    loaded = reader("named-entity-recognition")
    given, target, _ = CASES["named-entity-recognition"]
    asked = ask(loaded, [given], [target])[0]
    found = small_edits(asked, 5, seed=1)
    assert {edit.kind for edit in found} == {"typo", "white space"}
    for edit in found:
        assert edit.text[: target.end] == given[: target.end]
        assert edit.text != given
        assert sorted(edit.text.replace(" ", "")) == sorted(given.replace(" ", ""))
        assert abs(len(edit.text) - len(given)) <= 1
    chinese = ask(reader("text-classification"), ["物流速度很慢"], [Target("class", "good")])[0]
    assert [edit.kind for edit in small_edits(chinese, 2)] == ["typo", "typo"]


def test_a_map_of_a_word_that_decides_is_told_from_a_random_one(tiny_loaded):
    quick = {**QUICK, "stages": 0, "edits": 0, "seeds": 0, "methods": ("partition_shapley",)}
    good = attribute(tiny_loaded, TEXT, FOOD, method="kernel_shap", baseline="drop")
    judged = measure_faithfulness(tiny_loaded, good, **quick)
    reversed_ = type(good)(**{**vars(good), "scores": -good.scores})
    other = measure_faithfulness(tiny_loaded, reversed_, **quick)
    assert judged.comprehensiveness > judged.curve.mean("random_comprehensiveness") > other.comprehensiveness
    assert judged.sufficiency < judged.curve.mean("random_sufficiency") < other.sufficiency
    assert judged.mean_agreement > other.mean_agreement
    assert "no more than without random ones" in other.warning


def test_the_warning_names_what_is_wrong(tiny_loaded):
    found = measure_faithfulness(tiny_loaded, attribute(tiny_loaded, TEXT, FOOD, method="occlusion"), **QUICK)

    def with_(**changes):
        return said_of(Faithfulness(**{**vars(found), **changes}))

    assert "miss their sum by 40%" in with_(completeness_error=0.4)
    assert "another seed gives another map" in with_(seeds=(0.1, 0.2))
    assert "random weights" in with_(randomised=found.randomised.assign(correlation=0.99))
    assert "only 2 units" in with_(units=2)


def test_bad_settings_are_refused(tiny_loaded):
    found = attribute(tiny_loaded, TEXT, FOOD, method="occlusion")
    with pytest.raises(OptionError, match="shares"):
        measure_faithfulness(tiny_loaded, found, shares=(0.0,))
    with pytest.raises(OptionError, match="no option 'depth'"):
        measure_faithfulness(tiny_loaded, found, depth=1)
    with pytest.raises(UnknownError, match="magic"):
        measure_faithfulness(tiny_loaded, found, methods=("magic",))


def test_judging_can_be_stopped(tiny_loaded):
    class Stopping(Silent):
        def check(self):
            raise Cancelled("The user asked to stop.")

    found = attribute(tiny_loaded, TEXT, FOOD, method="occlusion")
    with pytest.raises(Cancelled):
        measure_faithfulness(tiny_loaded, found, report=Stopping())
