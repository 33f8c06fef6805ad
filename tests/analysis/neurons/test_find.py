import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from lmcore.analysis import extract_activations, find_neurons, neuron_tokens
from lmcore.analysis.neurons.selectivity import halves
from lmcore.analysis.neurons.sums import NeuronSums, RunningMoments
from lmcore.errors import Cancelled, InputError, OptionError
from lmcore.models.components import components, record
from lmcore.models.encode import encode_texts, pad_batch
from lmcore.models.load import LoadedModel
from lmcore.types import Silent
from tests.analysis.test_component_activations import translator
from tests.analysis.told import rises_and_stops
from tests.tasks.speakers import rule_frame, speaker

PLANTED = (1, 7)
DEAD = (2, 3)
FOOD = ["bread", "soup", "apple", "cheese", "rice", "tea"]


@pytest.fixture
def planted(tiny_loaded: LoadedModel, topic_frame: pd.DataFrame) -> LoadedModel:
    """The tiny classifier with a neuron that fires at words for food alone, and one that never fires."""
    layers = tiny_loaded.model.base_model.encoder.layer
    (unit,) = [part for part in components(tiny_loaded.model, "neurons") if part.layer == PLANTED[0]]
    before = replace(unit, path=unit.path.replace("output", "intermediate"))
    batch = pad_batch(tiny_loaded.tokenizer, encode_texts(tiny_loaded.tokenizer, topic_frame["text"].tolist(), 64).ids)
    twin = tiny_loaded.twin()
    with record(twin, [before]) as kept, torch.inference_mode():
        twin(**batch)
    mask = batch["attention_mask"].bool()
    states = torch.nn.functional.pad(kept[before][mask].double(), (0, 1), value=1.0)
    is_food = torch.isin(batch["input_ids"][mask], torch.tensor(tiny_loaded.tokenizer.convert_tokens_to_ids(FOOD)))
    wanted = states.T @ (is_food.double() - 0.5)
    line = torch.linalg.solve(states.T @ states + torch.eye(states.shape[1]), wanted).float() * 4  # a ridge regression
    with torch.no_grad():
        wide = layers[PLANTED[0] - 1].intermediate.dense
        wide.weight[PLANTED[1]], wide.bias[PLANTED[1]] = line[:-1], line[-1]
        dead = layers[DEAD[0] - 1].intermediate.dense
        dead.weight[DEAD[1]] = 0
        dead.bias[DEAD[1]] = -5.0
    return tiny_loaded


def test_a_planted_selective_neuron_is_found_and_a_planted_dead_one_too(
    planted: LoadedModel, topic_frame: pd.DataFrame
) -> None:
    found = find_neurons(planted, topic_frame, batch_size=16)
    first = found.selective[found.selective["label"] == "food"].iloc[0]
    assert (first["layer"], first["neuron"]) == PLANTED
    assert first["auroc"] > 0.95
    assert first["effect"] > 1
    assert first["low"] <= first["auroc"] <= first["high"]
    assert first["p"] <= first["p_adjusted"] < 0.001
    assert found.dead[DEAD[0] - 1, DEAD[1]]
    frame = found.to_frame().set_index(["layer", "neuron"])
    assert frame.loc[DEAD, ["active", "active_texts"]].tolist() == [0, 0]
    assert -1e-5 < frame.loc[DEAD, "largest"] < 0
    assert found.layers["dead"].tolist() == found.dead.sum(axis=1).tolist()
    assert found.rule == "A neuron is active at a token where its value after gelu is above 0."
    texts = topic_frame["label"].to_numpy()[[row for row, _ in found.top_texts(*PLANTED)]]
    assert (texts == "food").all()


def test_labels_that_mean_nothing_find_no_one(planted: LoadedModel, topic_frame: pd.DataFrame) -> None:
    """Chosen among 256 neurons on the same texts, the best would look selective; on others it does not."""
    shuffled = np.random.default_rng(3).permutation(topic_frame["label"])
    found = find_neurons(planted, topic_frame["text"].tolist(), list(shuffled))
    assert set(found.selective["label"]) == {"food", "travel", "weather"}
    assert (found.selective.groupby("label").size() == 10).all()
    assert (found.selective["p_adjusted"] > 0.05).all()
    assert (found.selective["effect"].abs() > 0.3).all()


@pytest.mark.parametrize(("component", "pooling"), [("neurons", "max"), ("residual", "mean")])
def test_what_is_streamed_is_what_all_values_at_once_give(
    planted: LoadedModel, topic_frame: pd.DataFrame, component: str, pooling: str
) -> None:
    texts, labels = topic_frame["text"].tolist()[:50], topic_frame["label"].tolist()[:50]
    found = find_neurons(planted, texts, labels, component=component, pooling=pooling, batch_size=7, top_texts=3)
    whole = extract_activations(planted, texts, component=component)
    special = planted.tokenizer.all_special_ids
    keep = [~np.isin(ids, special) for ids in whole.encodings.ids]
    by_text = [np.stack([whole.layer(k, n)[keep[n]] for k in whole.layers]) for n in range(len(texts))]
    values = np.concatenate(by_text, axis=1).astype(np.float64)
    signed = component == "residual"
    sizes = np.abs(values) if signed else values
    assert found.signed == signed
    assert found.tokens == values.shape[1]
    assert found.mean == pytest.approx(values.mean(axis=1), abs=1e-5)
    assert found.deviation == pytest.approx(values.std(axis=1, ddof=1), rel=1e-4, abs=1e-6)
    assert found.largest == pytest.approx(values.max(axis=1), abs=1e-5)
    assert found.smallest == pytest.approx(values.min(axis=1), abs=1e-5)
    assert found.active == pytest.approx((sizes > found.threshold).mean(axis=1), abs=0.002)
    assert found.layers["norm"].to_numpy() == pytest.approx(np.linalg.norm(values, axis=2).mean(axis=1), rel=1e-5)
    width = values.shape[2]
    ratio = np.abs(values).sum(axis=2) / np.linalg.norm(values, axis=2)
    assert found.layers["hoyer"].to_numpy() == pytest.approx(
        ((width**0.5 - ratio) / (width**0.5 - 1)).mean(axis=1), rel=1e-5
    )
    peaks = np.stack([(np.abs(each) if signed else each).max(axis=1) for each in by_text])
    for layer, neuron in ((0, 0), (1, 5)):
        order = np.argsort(-peaks[:, layer, neuron])[:3]
        number = found.numbers[layer]
        assert [row for row, _ in found.top_texts(number, neuron)] == order.tolist()
        assert [value for _, value in found.top_texts(number, neuron)] == pytest.approx(
            peaks[order, layer, neuron], abs=1e-5
        )
    pooled = peaks if pooling == "max" else np.stack([each.mean(axis=1) for each in by_text])
    split = halves(labels, 0)
    for row in found.selective.head(4).itertuples():
        own = np.array(labels)[split.measure] == row.label
        scores = pooled[split.measure, found.numbers.index(row.layer), row.neuron]
        assert row.auroc == pytest.approx(roc_auc_score(own, scores), abs=0.01)
        assert row.texts == len(split.measure)


def test_the_batches_and_the_layers_that_are_read_change_nothing(planted: LoadedModel) -> None:
    texts = ["rain and snow", "we had soup", "a train ticket to the hotel", "tea"]
    one = find_neurons(planted, texts, batch_size=1)
    all_at_once = find_neurons(planted, texts, batch_size=4)
    assert one.mean == pytest.approx(all_at_once.mean, abs=1e-5)
    assert one.top.rows.shape == (2, 128, 5)
    assert len(one.top_texts(1, 0)) == 4  # there are no more
    second = find_neurons(planted, texts, layers=(2,))
    assert second.numbers == (2,)
    assert second.mean[0] == pytest.approx(one.mean[1], abs=1e-5)
    assert second.fingerprint != one.fingerprint
    assert one.selective.empty


def test_a_neurons_tokens_are_those_of_the_activations(planted: LoadedModel) -> None:
    texts = ["rain and snow", "we had soup and bread today"]
    found = neuron_tokens(planted, texts, 2, 7)
    whole = extract_activations(planted, texts, component="neurons")
    for number, item in enumerate(found):
        assert item.tokens[1:-1] == tuple(texts[number].split())
        assert item.values == pytest.approx(whole.layer(2, number)[:, 7], abs=1e-5)
        assert item.special.tolist() == [True, *[False] * (len(item.tokens) - 2), True]
        assert item.peak == pytest.approx(item.values[1:-1][np.abs(item.values[1:-1]).argmax()])


def test_a_gated_decoder_is_measured_by_size() -> None:
    loaded = speaker("text-generation")
    found = find_neurons(loaded, rule_frame(24)["text"].tolist())
    assert (found.activation, found.signed, found.threshold, found.pooling) == ("gated silu", True, 0.01, "mean")
    assert found.mean.shape == (2, 96)
    assert found.smallest.min() < 0 < found.largest.max()
    whole = extract_activations(loaded, rule_frame(24)["text"].tolist(), component="neurons")
    bos = [int(start) for start in whole.starts]
    values = np.delete(whole.values, bos, axis=1)
    assert found.active == pytest.approx((np.abs(values) > 0.01).mean(axis=1), abs=0.003)


def test_an_encoder_decoders_encoder_is_read() -> None:
    found = find_neurons(translator(), rule_frame(12)["text"].tolist(), component="neurons")
    assert (found.activation, found.signed) == ("relu", False)
    assert found.layers["layer"].tolist() == [1, 2]


def test_running_moments_hold_far_from_zero() -> None:
    values = np.random.default_rng(0).normal(1e6, 1.0, size=(1000, 3))
    moments = RunningMoments((3,))
    for part in np.array_split(values, 13):
        moments.add_values(part)
    assert moments.mean == pytest.approx(values.mean(axis=0), rel=1e-12)
    assert moments.variance == pytest.approx(values.var(axis=0, ddof=1), rel=1e-6)


def test_what_is_kept_does_not_grow_with_the_texts() -> None:
    sums = NeuronSums(1, 4, threshold=0.0, signed=False, top=2)
    rng = torch.Generator().manual_seed(0)
    seen = []
    for batch in range(40):
        values = torch.randn(8, 5, 4, generator=rng)
        sums.add(0, values, torch.ones(8, 5, dtype=torch.bool), np.arange(8) + 8 * batch)
        sums.count(40, 8)
        seen.append(values.amax(dim=1).numpy())
    top = sums.top_texts()
    assert top.values.shape == (1, 4, 2)
    peaks = np.concatenate(seen)
    assert top.rows[0].tolist() == np.argsort(-peaks, axis=0)[:2].T.tolist()


def test_halves_share_every_label_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ["a"] * 40 + ["b"] * 20 + ["c"] * 2
    split = halves(labels, 0)
    assert split.labels == ("a", "b")  # c has too few
    assert sorted([*split.choose, *split.measure]) == list(range(62))
    counts = np.bincount(split.codes[split.measure][split.codes[split.measure] >= 0])
    assert counts.tolist() == [20, 10]
    monkeypatch.setattr("lmcore.analysis.neurons.selectivity.MEASURED_TEXTS", 10)
    assert len(halves(labels, 0).measure) <= 10
    assert len(halves(["a"] * 9, 0).measure) == 0


def test_what_is_not_valid_is_refused(planted: LoadedModel) -> None:
    with pytest.raises(InputError, match="There are no texts"):
        find_neurons(planted, [])
    with pytest.raises(InputError, match="put it into a list"):
        find_neurons(planted, "rain")
    with pytest.raises(InputError, match="There are 1 labels for 2 texts"):
        find_neurons(planted, ["a", "b"], ["x"])
    with pytest.raises(InputError, match="no token that counts"):
        find_neurons(planted, [""])
    with pytest.raises(OptionError, match=r"Neurons of 'heads' cannot be looked at"):
        find_neurons(planted, ["a"], component="heads")
    with pytest.raises(OptionError, match="give max or mean"):
        find_neurons(planted, ["a"], pooling="median")
    with pytest.raises(OptionError, match="1 or more"):
        find_neurons(planted, ["a"], top_texts=0)
    with pytest.raises(OptionError, match="give 0 or more"):
        find_neurons(planted, ["a"], threshold=-1.0)
    with pytest.raises(OptionError, match="in layer 9"):
        find_neurons(planted, ["a"], layers=(9,))
    with pytest.raises(InputError, match="give a layer of 1 to 2 and a neuron of 0 to 127"):
        find_neurons(planted, ["rain"]).top_texts(1, 128)
    with pytest.raises(InputError, match="There is no neuron 200"):
        neuron_tokens(planted, ["rain"], 1, 200)


def test_a_run_is_cancelled_between_batches(planted: LoadedModel, topic_frame: pd.DataFrame) -> None:
    class Stop(Silent):
        seen = 0

        def check(self) -> None:
            self.seen += 1
            if self.seen > 2:
                raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        find_neurons(planted, topic_frame, batch_size=4, report=Stop())


def test_two_users_at_once_get_what_each_gets_alone(planted: LoadedModel, topic_frame: pd.DataFrame) -> None:
    parts = [topic_frame.head(40), topic_frame.tail(40)]
    alone = [find_neurons(planted, part) for part in parts]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(3):
            again = find_neurons(planted, parts[number])
            names = ["label", "layer", "neuron"]
            same_units = again.selective[names].equals(alone[number].selective[names])
            if not (same_units and np.allclose(again.mean, alone[number].mean, atol=1e-6)):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_neurons_texts_are_read_one_by_one_and_can_be_stopped_between_them(planted: LoadedModel) -> None:
    texts = ["rain and snow", "we had soup and bread today", "tea"]
    told = rises_and_stops(lambda report: neuron_tokens(planted, texts, 2, 7, batch_size=1, report=report))
    for one, other in zip(told, neuron_tokens(planted, texts, 2, 7), strict=True):
        assert one.tokens == other.tokens
        assert one.values == pytest.approx(other.values, abs=1e-5)
