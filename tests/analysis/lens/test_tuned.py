from dataclasses import replace

import numpy as np
import pytest

from lmcore.analysis import keep_lens, kept_lenses, load_lens, logit_lens, train_lens
from lmcore.analysis.lens.kept import run_lens
from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled, InputError, OptionError, StorageError, UnknownError
from lmcore.types import Silent
from tests.analysis.inside import ASKED, model
from tests.analysis.readers import CASES
from tests.tasks.speakers import rule_frame

TEXTS = rule_frame(24)["text"].tolist()
FEW = {"steps": 20, "tokens": 200, "batch": 32}


@pytest.fixture(scope="module")
def lens():
    return train_lens(model("llama"), TEXTS, **FEW)


def test_it_is_nearer_to_the_last_layer_than_the_plain_lens(lens):
    assert lens.weights.shape == (2, 32, 32)
    assert (lens.loss < 0.9 * lens.plain_loss).all()
    plain = logit_lens(model("llama"), TEXTS[-1])
    tuned = logit_lens(model("llama"), TEXTS[-1], lens=lens)
    assert tuned.divergence[0].mean() < plain.divergence[0].mean()
    assert np.array_equal(tuned.top[-1], plain.top[-1])
    assert tuned.parameters == {"lens": "tuned", "top": 5, "tuned": lens.fingerprint}
    assert tuned.fingerprint != plain.fingerprint


@pytest.mark.parametrize("name", ["gpt2", "bert", "marian"])
def test_every_language_model_gets_one(name):
    texts = TEXTS[:8] if name != "marian" else [ASKED["marian"][0]] * 8
    outputs = [CASES["translation"][2]] * 8 if name == "marian" else None
    found = train_lens(model(name), texts, outputs=outputs, steps=10, tokens=100, batch=16)
    assert (found.loss <= found.plain_loss).all()
    assert found.loss[0] < found.plain_loss[0]


def test_training_beats_the_regression_that_it_starts_from():
    texts = rule_frame(96)["text"].tolist()
    started, trained = (train_lens(model("llama"), texts, steps=steps, tokens=800) for steps in (0, 40))
    assert (started.loss < started.plain_loss).all()
    assert (trained.loss < started.loss).all()


def test_a_seed_gives_the_same_lens_again(lens):
    again = train_lens(model("llama"), TEXTS, **FEW)
    assert np.array_equal(lens.weights, again.weights)
    assert lens.fingerprint == again.fingerprint
    other = train_lens(model("llama"), TEXTS, **FEW, seed=1)
    assert not np.array_equal(lens.weights, other.weights)
    assert lens.fingerprint != other.fingerprint


def test_it_is_kept_and_read_again(lens, workspace):
    identifier = keep_lens(workspace, lens)
    assert keep_lens(workspace, lens) == identifier
    back = load_lens(workspace, identifier)
    assert np.array_equal(back.weights, lens.weights)
    assert np.allclose(back.loss, lens.loss)
    assert (back.model, back.version, back.tokens) == (lens.model, lens.version, lens.tokens)
    assert [kept.id for kept in kept_lenses(workspace, lens.version)] == [identifier]
    assert kept_lenses(workspace, "models:/other/1") == []
    with pytest.raises(UnknownError, match="There is no lens 'gone'"):
        load_lens(workspace, "gone")
    (workspace.results / "lenses" / identifier / "lens.safetensors").write_bytes(b"no")
    with pytest.raises(StorageError, match=f"The lens {identifier} is damaged"):
        load_lens(workspace, identifier)


def test_it_belongs_to_its_model(lens):
    with pytest.raises(OptionError, match="The lens was trained on folder:x"):
        logit_lens(model("gpt2"), TEXTS[0], lens=lens)


def test_a_job_trains_and_keeps_one(workspace, monkeypatch):
    from lmcore.analysis.lens import kept
    from lmcore.data.dataset import TextDataset

    stored = DatasetStore(workspace).save(TextDataset("rules", "completion", rule_frame(12)))
    monkeypatch.setattr(kept, "load_model", lambda version, settings: replace(model("llama"), task="completion"))
    config = {"version": "models:/x/1", "data": str(stored.ref), "options": {"steps": 2, "tokens": 60}}
    found = run_lens(config, workspace=workspace, report=Silent(), resume=False)
    assert load_lens(workspace, found["lens"]).parameters["steps"] == 2


def test_too_little_is_refused():
    with pytest.raises(InputError, match="There are no texts to train a lens on"):
        train_lens(model("llama"), [])
    with pytest.raises(InputError, match="a lens needs 16 at least"):
        train_lens(model("llama"), ["Anna"])
    with pytest.raises(OptionError, match="steps"):
        train_lens(model("llama"), TEXTS, steps=-1)


def test_it_stops_when_asked():
    class Stop(Silent):
        def check(self) -> None:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        train_lens(model("llama"), TEXTS, report=Stop())
