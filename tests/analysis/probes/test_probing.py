import numpy as np
import pandas as pd
import pytest

from lmcore.analysis import probe_layers
from lmcore.errors import Cancelled, DataError, InputError, OptionError, UnknownError
from lmcore.models import load_model
from lmcore.models.encode import encode_texts
from lmcore.models.hidden import mean_pooled_states
from lmcore.models.linear import fit_linear
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.types import ModelRef, Silent
from tests.conftest import REAL
from tests.tasks.speakers import rule_frame, speaker
from tests.tasks.writers import number_pairs, small_shared_tokenizer, tiny_marian


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


@pytest.fixture(scope="module")
def judged(topics, tiny_folder):
    """The topic, and labels at random, with a control task and a code."""
    loaded = load_model(f"folder:{tiny_folder}", task="text-classification")
    frames = [topics.part(split).frame for split in ("train", "dev", "test")]
    rng = np.random.default_rng(3)
    held_out = pd.concat(frames[1:], ignore_index=True)
    by_chance = [part.assign(label=rng.permutation(part["label"])) for part in (frames[0], held_out)]
    return [
        probe_layers(loaded, train, dev, control=True, code=True) for train, dev in ((frames[0], held_out), by_chance)
    ]


def test_a_property_is_selective_and_what_is_at_random_is_not(judged):
    real, chance = (found.accuracies.query("split == 'dev'") for found in judged)
    assert (real["selectivity_low"] > 0.1).all()
    assert np.allclose(real["accuracy"] - real["control"], real["selectivity"])
    assert chance["selectivity"].abs().mean() < 0.25
    assert ((chance["selectivity_low"] < 0.1) & (chance["selectivity_high"] > -0.1)).all()


def test_a_property_takes_fewer_bits_than_what_is_at_random(judged):
    real, chance = (found.codes for found in judged)
    assert real["layer"].tolist() == [0, 1, 2]
    assert real["uniform_bits"].tolist() == pytest.approx([judged[0].examples["train"] * np.log2(3)] * 3)
    assert (real["bits"] < chance["bits"] * 0.8).all()
    assert (real["low"] > 1.1).all()
    assert (chance["high"] < 1.3).all()


def test_the_result_says_what_was_asked_and_what_chance_gives(judged, topics):
    found = judged[0]
    assert found.classes == ("food", "travel", "weather")
    assert found.examples == {"train": 96, "dev": 24}
    assert found.majority["train"] == pytest.approx(topics.part("train").frame["label"].value_counts().max() / 96)
    assert found.parameters["control"] is True
    assert found.fingerprint != judged[1].fingerprint


@pytest.mark.parametrize("probe", ["linear", "mlp"])
def test_a_word_is_known_at_the_embeddings(tiny_loaded, frames, probe):
    found = probe_layers(
        tiny_loaded, *frames[:2], property="word_identity", property_options={"words": 6}, probe=probe, strength=1.0
    )
    assert found.accuracies.query("layer == 0")["accuracy"].min() > 0.99
    assert found.strength == 1.0
    assert found.parameters["probe"] == probe


def test_models_that_write_are_read_too():
    frame = rule_frame(48).assign(day=[str(n % 2) for n in range(48)])
    decoder = probe_layers(
        speaker("text-generation"), frame, frame, task="text-generation", property="column",
        property_options={"column": "day"},
    )  # fmt: skip
    assert decoder.accuracies["layer"].max() == 2
    pairs = number_pairs(40)
    tokenizer = small_shared_tokenizer(pairs["source"].tolist() + pairs["target"].tolist())
    model = load_task("translation").model_class().from_config(tiny_marian(tokenizer, None)).eval()
    loaded = LoadedModel(ModelRef("folder", "x"), "translation", model, tokenizer, (), "f", "cpu", 0, 64)
    encoder = probe_layers(loaded, pairs, pairs, task="translation", property="word_position")
    assert encoder.accuracies["layer"].max() == 1


def test_an_unknown_property_or_option_is_refused(tiny_loaded, frames):
    with pytest.raises(UnknownError, match="no property 'mood'; known: column, label, length"):
        probe_layers(tiny_loaded, *frames, property="mood")
    with pytest.raises(OptionError, match="length has no option 'hidden'"):
        probe_layers(tiny_loaded, *frames, property="length", property_options={"hidden": 3})


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
