"""Importance of weights against a hand-computed logistic regression, and what the penalty pulls at."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lmcore.training.continual.consolidation import HOLD, consolidation, diagonal_fisher, usual_strength

W = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]])
B = np.array([0.1, -0.2])


class Logistic(torch.nn.Module):
    """Two classes, three features, and a weight that nothing reads."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2).double()
        self.idle = torch.nn.Parameter(torch.ones(2))
        with torch.no_grad():
            self.linear.weight.copy_(torch.tensor(W))
            self.linear.bias.copy_(torch.tensor(B))

    def forward(self, x, labels):
        return SimpleNamespace(loss=torch.nn.functional.cross_entropy(self.linear(x), labels))


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 3)), np.array([0, 1, 1, 0, 1, 0])


def importance(rows):
    x, y = rows
    single = [{"x": torch.tensor(x[i : i + 1]), "labels": torch.tensor(y[i : i + 1])} for i in range(len(x))]
    return diagonal_fisher(Logistic(), single)


def test_the_importance_is_the_mean_square_of_each_rows_gradient(rows):
    x, y = rows
    logits = x @ W.T + B
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    error = p - np.eye(2)[y]  # the gradient of a row's loss by its logits
    by_hand = (error[:, :, None] ** 2 * x[:, None, :] ** 2).mean(axis=0)
    found = importance(rows)
    assert np.allclose(found["linear.weight"].numpy(), by_hand)
    assert np.allclose(found["linear.bias"].numpy(), (error**2).mean(axis=0))
    assert found["idle"].tolist() == [0, 0]


def test_the_penalty_is_zero_at_the_earlier_weights_and_pulls_back(rows):
    model = Logistic()
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    fisher = importance(rows)
    penalty = consolidation(weights, fisher, strength=3.0)
    assert penalty(model, {}, None).item() == 0
    with torch.no_grad():
        model.linear.weight += 0.5
        model.idle += 100
    found = penalty(model, {}, None)
    assert found.item() == pytest.approx(3.0 / 2 * 0.25 * fisher["linear.weight"].sum().item())
    found.backward()
    assert torch.allclose(model.linear.weight.grad, 3.0 * fisher["linear.weight"] * 0.5), "it grows away from them"
    assert model.idle.grad.tolist() == [0, 0], "what the earlier data do not hang on is free"


def two_features(first, second, seed):
    """Return rows that are classed by one feature, while the other says a part of the opposite or nothing."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=200)
    x = np.stack([first * signs, second * signs, np.zeros(200)], axis=1)
    return torch.tensor(x), torch.tensor((signs > 0).astype(int))


def descend(model, rows, penalty=None, steps=300):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(steps):
        loss = model(*rows).loss + (penalty(model, {}, None) if penalty else 0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model


def test_what_the_earlier_rows_hang_on_is_kept_and_the_new_rows_are_learnt_all_the_same():
    earlier, new = two_features(1.0, 0.0, 0), two_features(-2.0, 1.0, 1)
    start = descend(Logistic(), earlier, steps=30)
    single = [{"x": earlier[0][i : i + 1], "labels": earlier[1][i : i + 1]} for i in range(50)]
    fisher = diagonal_fisher(start, single)
    weights = {name: weight.detach().clone() for name, weight in start.named_parameters()}

    def right(model, rows):
        return float((model.linear(rows[0]).argmax(dim=1) == rows[1]).double().mean())

    free, held = (copy.deepcopy(start) for _ in range(2))
    descend(free, new)
    descend(held, new, consolidation(weights, fisher, strength=100.0))
    assert right(start, earlier) == 1
    assert right(free, earlier) == 0, "without a hold the earlier rows are unlearnt"
    assert right(held, earlier) == right(held, new) == 1


def test_the_usual_strength_pulls_a_far_weight_back_by_so_many_gradients_at_any_scale():
    for size, rate, steps in ((1.0, 1e-3, 100), (1e-4, 5e-5, 40)):
        fisher = {"a": torch.full((3, 2), size**2), "idle": torch.zeros(5)}
        strength = usual_strength(fisher, learning_rate=rate, steps=steps)
        far, typical = rate * steps, size
        assert strength * size**2 * far == pytest.approx(HOLD * typical)
    assert usual_strength({"idle": torch.zeros(5)}, learning_rate=1e-3, steps=10) == 0
