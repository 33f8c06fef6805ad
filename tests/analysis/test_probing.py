import numpy as np
import pandas as pd
import pytest

from lmcore.analysis import probe_layers
from lmcore.errors import Cancelled, DataError, InputError
from lmcore.models import load_model
from lmcore.models.encode import encode_texts
from lmcore.models.hidden import mean_pooled_states
from lmcore.models.linear import fit_linear
from lmcore.types import Silent
from tests.conftest import REAL


@pytest.fixture(scope="module")
def frames(topics):
    return [topics.part(split).frame for split in ("train", "dev", "test")]


@pytest.fixture
def probe(tiny_loaded, frames):
    return probe_layers(tiny_loaded, *frames, seed=1)


def test_each_layer_and_split_has_its_accuracy_with_an_interval(probe):
    frame = probe.to_frame()
    assert frame.groupby("split")["layer"].apply(list).to_dict() == {s: [0, 1, 2] for s in ("train", "dev", "test")}
    assert ((frame["low"] <= frame["accuracy"]) & (frame["accuracy"] <= frame["high"])).all()
    assert frame["accuracy"].between(0, 1).all()


def test_the_figures_are_those_of_a_classifier_on_mean_vectors(tiny_loaded, frames, probe):
    train, _, test = frames
    x, x_test = (
        mean_pooled_states(tiny_loaded, encode_texts(tiny_loaded.tokenizer, part["text"].tolist(), 64))[1]
        for part in (train, test)
    )
    labels = sorted(train["label"].unique())
    fit = fit_linear(x, train["label"].map(labels.index).to_numpy(), seed=1, C=probe.strength)
    expected = (fit.predict(x_test) == test["label"].map(labels.index).to_numpy()).mean()
    row = probe.accuracies.query("layer == 1 and split == 'test'")
    assert row["accuracy"].item() == pytest.approx(expected)


def test_the_best_layer_is_chosen_on_dev(probe):
    dev = probe.accuracies.query("split == 'dev'").set_index("layer")["accuracy"]
    assert probe.best_layer == dev.idxmax()


def test_words_tell_the_topic_apart(probe):
    assert probe.accuracies.query("split == 'test' and layer == 0")["accuracy"].item() > 0.8


def test_test_rows_are_not_needed_and_do_not_change_the_choice(tiny_loaded, frames, probe):
    found = probe_layers(tiny_loaded, *frames[:2], seed=1)
    assert found.best_layer == probe.best_layer
    assert set(found.accuracies["split"]) == {"train", "dev"}


def test_labels_that_say_nothing_stay_near_chance(tiny_loaded, frames):
    train, dev, test = (
        part.assign(label=np.random.default_rng(n).permutation(part["label"])) for n, part in enumerate(frames)
    )
    everything = pd.concat([dev, test], ignore_index=True)
    assert probe_layers(tiny_loaded, train, everything).accuracies.query("split == 'dev'")["accuracy"].mean() < 0.65


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda f: [f[0][f[0]["label"] == "food"], *f[1:]], DataError, "only the class 'food'"),
        (lambda f: [f[0], f[1].assign(label="sport"), f[2]], DataError, "'sport', which the model does not know"),
        (lambda f: [f[0], f[1].head(0), f[2]], InputError, "no rows"),
    ],
)
def test_rows_that_cannot_be_probed_are_refused(tiny_loaded, frames, change, error, said):
    with pytest.raises(error, match=said):
        probe_layers(tiny_loaded, *change(frames))


def test_it_stops_when_asked(tiny_loaded, frames):
    class Stopped(Silent):
        def check(self):
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        probe_layers(tiny_loaded, *frames, report=Stopped())


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "sst2").is_dir(), reason="../shared/data/sst2 is absent")
@pytest.mark.timeout(600)
def test_minilm_on_sst2_has_the_known_accuracies(settings):
    frames = []
    for split in ("train", "dev", "test"):
        lines = (REAL / "sst2" / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines if line]
        frames.append(pd.DataFrame(rows, columns=["text", "label"]).assign(id=np.arange(len(rows))))
    loaded = load_model("packaged:all-MiniLM-L6-v2", settings=settings)
    found = probe_layers(loaded, *frames).accuracies.query("split == 'test'")["accuracy"].to_numpy()
    assert found == pytest.approx([0.791, 0.794, 0.806, 0.827, 0.828, 0.831, 0.807], abs=0.01)
