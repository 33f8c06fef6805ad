"""What each anchor keeps of earlier data, where plain going on forgets much of it: over several seeds together."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.models.configured import train_tokenizer
from lmcore.models.start import StartModel, as_loaded
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.continual.lineage import continued_config
from lmcore.training.continual.method import fit_continual
from lmcore.training.fit import train
from lmcore.training.rows import run_rows
from lmcore.training.trained import TrainJob
from lmcore.types import Silent
from tests.conftest import build_tiny

TASK = load_task("text-classification")
OLD = {
    "weather": "rain sun cloud wind storm snow",
    "food": "bread soup apple rice tea cheese",
    "travel": "train ticket map road plane hotel",
}
NEW = {
    "weather": "frost heat fog hail dew mist",
    "food": "fish cake egg plum bean milk",
    "travel": "boat tram coach port gate trail",
}
FILLER = ["the", "a", "was", "very", "today", "we", "had", "some", "and", "it"]
PACE = {"epochs": 8, "learning_rate": 5e-3, "batch_size": 16, "max_length": 64, "save_steps": 1000}
SEEDS = (0, 1)
ANCHORS = ("none", "lwf", "ewc")


def texts(words, other, seed):
    """Return 150 texts whose class two words say; two words of ``other`` beside them say another one, or nothing."""
    rng, labels, rows = np.random.default_rng(seed), list(words), []
    for number in range(150):
        chosen = [*rng.choice(FILLER, 3), *rng.choice(words[labels[number % 3]].split(), 2, replace=False)]
        if other:
            chosen += list(rng.choice(other[labels[rng.integers(3)]].split(), 2, replace=False))
        rows.append((number, " ".join(rng.permutation(chosen)) + f" {seed}x{number}", labels[number % 3]))
    return pd.DataFrame(rows, columns=["id", "text", "label"]).astype({"id": np.int64})


def small_model(frames, seed, folder):
    tokenizer = train_tokenizer([text for frame in frames for text in frame["text"]], vocabulary=400, max_length=64)
    model = build_tiny(tokenizer, TASK.name, sorted(OLD), seed=seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("weight") and weight.dim() == 2:
                weight.mul_(4)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return f"folder:{folder}"


def measured(trained, job, data):
    """Return accuracy and mean loss on the test rows."""
    loaded = as_loaded("x", TASK, trained.model, StartModel(trained.model, trained.tokenizer, 64), job.labels)
    frame = data.part("test").frame
    predictions = TASK.predict(loaded, frame).predictions
    sure = [p.probabilities[label] for p, label in zip(predictions, frame["label"], strict=True)]
    return TASK.measure(frame, predictions, job.labels)["accuracy"], -float(np.log(sure).mean())


@pytest.fixture(scope="module")
def found(shared_settings, tmp_path_factory):
    """Accuracy and loss on the old and the new test rows by anchor: means over the seeds."""
    store, kept = DatasetStore(shared_settings.workspace), {anchor: [] for anchor in ANCHORS}
    for seed in SEEDS:
        frames = texts(OLD, None, seed), texts(NEW, OLD, seed + 100)
        old, new = (
            store.save(split_dataset(TextDataset(f"{name}-{seed}", TASK.name, frame), ratios=(6, 2, 2)))
            for name, frame in zip(("old", "new"), frames, strict=True)
        )
        model = small_model(frames, seed, tmp_path_factory.mktemp("small"))
        first = TrainConfig(f"base-{seed}", model=model, method="full", seed=seed, **PACE)
        base = train(first, old, settings=shared_settings).version
        for anchor in ANCHORS:
            config = continued_config(base.ref, shared_settings, **PACE, replay=0.0, anchor=anchor)
            rows = run_rows(config, TASK, new, shared_settings)
            scratch = tmp_path_factory.mktemp(anchor)
            job = TrainJob(config, TASK, rows.train, rows.dev, rows.labels, shared_settings, scratch, False, Silent())
            made = fit_continual(job)
            kept[anchor].append((*measured(made, job, old), measured(made, job, new)[0]))
    names = ("old", "old_loss", "new")
    return {
        anchor: SimpleNamespace(**dict(zip(names, np.mean(all_seeds, axis=0), strict=True)))
        for anchor, all_seeds in kept.items()
    }


def test_going_on_plainly_forgets_much(found):
    assert found["none"].old < 0.7
    assert found["none"].new > 0.7


@pytest.mark.parametrize("anchor", ["lwf", "ewc"])
def test_an_anchor_keeps_much_of_it_and_learns_the_new_rows_all_the_same(found, anchor):
    plain, held = found["none"], found[anchor]
    assert held.old > plain.old + 0.1
    assert held.old_loss < 0.75 * plain.old_loss
    assert held.new > 0.55, "a third would be right by chance"
