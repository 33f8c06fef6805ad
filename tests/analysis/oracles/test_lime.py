"""lime (Ribeiro, Singh & Guestrin) fitted to the same texts."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from lmcore.analysis.attribution.games import play
from lmcore.analysis.attribution.local_linear import lime
from tests.analysis.attribution.test_games import tangled, tree
from tests.analysis.oracles.quietly import oracle, quiet


@pytest.mark.parametrize(("width", "penalty", "seed"), [(25.0, 1.0, 0), (10.0, 0.1, 1), (60.0, 3.0, 2)])
def test_the_regression_is_limes(width, penalty, seed):
    base = oracle("lime.lime_base")
    options = {"samples": 200, "width": width, "penalty": penalty, "seed": seed}
    kept = next(lime(tree(5), **options)).astype(float)
    values = np.array([tangled(row > 0.5) for row in kept])
    cosine = np.sqrt(kept.sum(axis=1) / 5)  # of a row of 0 and 1 with one of 1 alone
    with quiet():
        explainer = base.LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / width**2)))
        _, scores, _, _ = explainer.explain_instance_with_data(
            kept, np.column_stack([values, -values]), (1 - cosine) * 100, 0, 5, feature_selection="none",
            model_regressor=Ridge(alpha=penalty),
        )  # fmt: skip
    wanted = np.array([score for _, score in sorted(scores)])
    (found,) = play([lime(tree(5), **options)], [5], lambda n, rows: [np.array([tangled(r)]) for r in rows], calls=200)
    assert found.scores[:, 0] == pytest.approx(wanted, abs=1e-6)
