"""Maps of a model's parts are judged by their sum, by small edits and by random weights."""

from dataclasses import replace

import numpy as np
import pytest

from lmcore.analysis import attribute, attribute_logits, measure_faithfulness, stream_contributions
from lmcore.analysis.trust.judged import judged_map
from tests.analysis.inside import ASKED, model
from tests.analysis.readers import CASES, reader
from tests.analysis.told import rises_and_stops

QUICK = {"stages": 2, "edits": 3}


@pytest.mark.parametrize("name", ["llama", "marian"])
def test_the_parts_of_a_logit_are_judged(name):
    loaded, (text, _, target, output) = model(name), ASKED[name]
    made = attribute_logits(loaded, text, target, output=output)
    found = measure_faithfulness(loaded, made, **QUICK)
    assert found.units == len(made.parts)
    assert found.completeness_error == pytest.approx(made.error / abs(made.value))
    assert found.completeness_error < 1e-3
    assert np.isfinite(found.random_weights)
    assert np.isnan([found.comprehensiveness, found.sufficiency, found.mean_agreement]).all()
    assert found.curve.by_share.empty
    assert 0 <= found.curve.probability <= 1
    kept = found.edits.loc[found.edits["kept"], "correlation"]
    assert kept.between(-1, 1).all()


def test_parts_that_miss_their_sum_are_said_to():
    loaded, (text, _, target, output) = model("llama"), ASKED["llama"]
    made = attribute_logits(loaded, text, target, output=output)
    found = measure_faithfulness(loaded, replace(made, error=abs(made.value) / 2), stages=0, edits=0)
    assert "the scores miss their sum by 50%" in found.warning


def test_an_edit_that_changes_nothing_leaves_the_parts_as_they_are():
    loaded, (text, target, _) = reader("named-entity-recognition"), CASES["named-entity-recognition"]
    made = attribute_logits(loaded, text, target)
    again = judged_map(made).again(loaded, made.asked, {}, _silent())
    assert again == pytest.approx(made.parts["score"].to_numpy())


def test_contributions_are_judged_and_stopped():
    loaded, (text, _, _) = reader("named-entity-recognition"), CASES["named-entity-recognition"]
    made = stream_contributions(loaded, text)
    found = rises_and_stops(lambda report: measure_faithfulness(loaded, made, **QUICK, report=report), stop_at=0.6)
    assert found.units == 2 * (4 + 1 + 1)  # four heads, a bias and an MLP in each of two layers
    assert np.isnan(found.completeness_error)
    assert np.isfinite(found.random_weights)
    assert found.warning.endswith(".")


def test_an_attribution_is_judged_as_itself():
    loaded, (text, target, _) = reader("text-classification"), CASES["text-classification"]
    made = attribute(loaded, text, target, method="occlusion")
    judged = judged_map(made)
    assert (judged.method, judged.unit, judged.signed) == ("occlusion", "word", True)
    assert judged.again(loaded, judged.asked, made.parameters, _silent()) == pytest.approx(made.scores)
    assert not judged_map(attribute(loaded, text, target, method="gradient_norm")).signed


def _silent():
    from lmcore.types import Silent

    return Silent()
