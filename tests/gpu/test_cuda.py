"""The same work on CUDA gives the same answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lmcore.analysis import attribute
from lmcore.data.dataset import TextDataset
from lmcore.models import ModelPool, load_model, predict_texts
from lmcore.settings import Settings
from lmcore.training import TrainConfig, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here"),
]
TEXTS = ["rain and sun", "bread soup apple", "the train ticket was very late today"]


def test_predictions_are_those_of_the_cpu(tiny_folder: Path, settings: Settings) -> None:
    found = {
        device: predict_texts(load_model(f"folder:{tiny_folder}", task="text-classification", device=device), TEXTS)
        for device in ("cpu", "cuda")
    }
    scores = [[list(p.probabilities.values()) for p in found[device]] for device in ("cpu", "cuda")]
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-4)


def test_attributions_are_those_of_the_cpu(tiny_folder: Path) -> None:
    scores = [
        attribute(load_model(f"folder:{tiny_folder}", task="text-classification", device=device), TEXTS[0]).scores
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-3)


@pytest.mark.parametrize("method", ["head", "full", "lora"])
def test_training_runs_there(method: str, tiny_folder: Path, settings: Settings, topics: TextDataset) -> None:
    config = TrainConfig(name="topics", model=f"folder:{tiny_folder}", method=method, epochs=3, learning_rate=1e-3)
    assert train(config, topics, settings=replace(settings, device="cuda")).metrics["accuracy"] > 0.5


def test_the_pool_counts_device_memory(tiny_folder: Path, settings: Settings) -> None:
    pool = ModelPool(replace(settings, device="cuda"))
    with pool.lease(f"folder:{tiny_folder}", "text-classification") as loaded:
        assert loaded.device.startswith("cuda")
        assert torch.cuda.memory_allocated() >= loaded.nbytes


def test_memory_that_runs_out_halves_what_is_computed_at_once(
    tiny_folder: Path, settings: Settings, topics: TextDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    step, seen = Trainer.training_step, []

    def greedy(self: Trainer, model: torch.nn.Module, inputs: dict[str, torch.Tensor], *rest: object) -> torch.Tensor:
        seen.append(len(inputs["input_ids"]))
        if seen[-1] > 8:
            torch.empty(1 << 50, dtype=torch.uint8, device="cuda")  # more than any device has
        return step(self, model, inputs, *rest)

    monkeypatch.setattr(Trainer, "training_step", greedy)
    config = TrainConfig(name="topics", model=f"folder:{tiny_folder}", method="full", epochs=1, batch_size=32)
    train(config, topics, settings=replace(settings, device="cuda"))
    assert seen[:3] == [32, 16, 8]
    assert max(seen[2:]) == 8
