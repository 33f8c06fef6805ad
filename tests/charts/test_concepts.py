import numpy as np
import pandas as pd
import pytest

from lmcore.analysis.concepts.factors import Factors
from lmcore.analysis.concepts.testing import ConceptTest
from lmcore.charts.concepts import concept_effects, concept_scores, factor_examples
from lmcore.types import Target


def found(significant):
    table = pd.DataFrame(
        {
            "concept": ["food", "food", "other", "other"], "layer": [0, 1, 0, 1], "accuracy": 0.8,
            "score": [0.5, 1.0, 0.5, 0.5], "low": 0.4, "high": 1.0, "random_low": 0.0, "random_high": 1.0,
            "effect": [0.1, 2.0, 0.0, 0.0], "random_effect": 0.3, "p": 0.01, "p_bonferroni": 0.02, "p_fdr": 0.01,
            "significant": [False, significant, False, False],
        }
    )  # fmt: skip
    return ConceptTest(table, Target("class", "good", against="bad"), 10, 500, 0.05, "f", {})


@pytest.mark.parametrize("draw", [concept_scores, concept_effects])
def test_a_concept_is_drawn_over_random_sets(check, draw):
    figure = draw(found(True), "food")
    check(figure)
    assert set(figure.data["concept"]) == {"food"}
    assert figure.alt == (
        "food: significant in 1 of 2 layers, most in layer 1 with an effect of +2.00 and a score of 1.00."
    )
    assert draw(found(False), "food").alt == "food: in no layer do random sets differ from it."


@pytest.mark.parametrize("level", ["word", "text"])
def test_a_factor_shows_its_strongest(check, level):
    words = ["rain", "sun", "rain"] if level == "word" else [""] * 3
    top = pd.DataFrame(
        {"factor": [1, 1, 1], "share": 0.4, "rank": [1, 2, 3], "row": 0, "text": ["a b", "c", "d"], "word": words,
         "weight": [3.0, 2.0, 1.0]}
    )  # fmt: skip
    figure = factor_examples(Factors(top, np.ones((3, 1)), np.ones((1, 2)), 2, level, 0.1, "f"), factor=1)
    check(figure)
    assert figure.alt == f"Factor 1 is strongest in: {'rain, sun' if level == 'word' else 'a b, c, d'}."
