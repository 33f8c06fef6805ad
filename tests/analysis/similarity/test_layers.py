from dataclasses import replace

import numpy as np
import pytest

from lmcore.analysis import SIMILARITY, layer_similarity, linear_cka
from lmcore.analysis.similarity.vectors import choose_rows
from lmcore.errors import Cancelled, InputError, OptionError, ResourceError, UnknownError
from lmcore.models.encode import encode_texts
from lmcore.models.hidden import mean_pooled_states, stream_hidden_states
from lmcore.types import Silent
from tests.analysis.similarity.made import aligned
from tests.tasks.speakers import rule_frame, speaker

# 60 texts and 32 features: what keeps every direction needs more texts than that.
FEW = {"svcca": {"variance": 0.8}, "pwcca": {"variance": 0.9}}


@pytest.fixture(scope="module")
def texts(topic_frame):
    return topic_frame["text"].tolist()[:60]


@pytest.fixture
def states(tiny_loaded, texts):
    return mean_pooled_states(tiny_loaded, encode_texts(tiny_loaded.tokenizer, texts, 64))


def test_layers_are_compared_over_mean_vectors(tiny_loaded, texts, states):
    found = layer_similarity(tiny_loaded, texts)
    assert (found.matrix.shape, found.rows, found.texts) == ((3, 3), 60, 60)
    assert np.array_equal(found.matrix, found.matrix.T)
    assert np.diag(found.matrix).tolist() == [1.0, 1.0, 1.0]
    wanted = [np.asarray(layer, dtype=float) for layer in states]
    assert found.matrix[0, 2] == pytest.approx(aligned(wanted[0] @ wanted[0].T, wanted[2] @ wanted[2].T), abs=1e-6)
    frame = found.to_frame()
    assert frame.query("layer == 0 and other == 2")["similarity"].item() == found.matrix[0, 2]


@pytest.mark.parametrize("method", list(SIMILARITY))
def test_every_method_gives_what_its_function_gives_for_each_pair(tiny_loaded, changed, texts, states, method):
    options = SIMILARITY[method].check(FEW.get(method, {}))
    measure, other = SIMILARITY[method].load(), changed(1)
    found = layer_similarity(tiny_loaded, texts, method=method, options=FEW.get(method))
    between = layer_similarity(tiny_loaded, texts, other=other, method=method, options=FEW.get(method))
    seconds = mean_pooled_states(other, encode_texts(other.tokenizer, texts, 64))
    low, high = SIMILARITY[method].facts["range"]
    for result, second in ((found, states), (between, seconds)):
        for i in range(3):
            for j in range(3):
                assert result.matrix[i, j] == pytest.approx(measure(states[i], second[j], **options), abs=1e-6)
        assert low <= result.matrix.min() <= result.matrix.max() <= high
    assert np.diag(found.matrix).tolist() == [1.0, 1.0, 1.0]
    assert np.array_equal(found.matrix, found.matrix.T) == SIMILARITY[method].facts["symmetric"]
    assert dict(found.options) == options
    assert found.low == low


def test_what_was_changed_shows_from_its_layer_on(tiny_loaded, changed, texts):
    for layer in (1, 2):
        found = layer_similarity(tiny_loaded, texts, other=changed(layer))
        by_layer = found.by_layer()
        assert by_layer["layer"].tolist() == [0, 1, 2]
        assert by_layer["change"].tolist()[:layer] == pytest.approx([0.0] * layer, abs=1e-12)
        assert by_layer["change"].min() >= 0
        assert (by_layer["change"][layer:] > 0.02).all()
        assert (found.model, found.other) == (str(tiny_loaded.ref), "folder:changed")


def test_models_of_other_size_and_tokens_are_compared_over_texts(tiny_loaded, texts):
    decoder = speaker("text-generation")
    found = layer_similarity(tiny_loaded, texts, other=replace(decoder, task=""), method="debiased_cka")
    assert found.matrix.shape == (3, 3)
    turned = layer_similarity(decoder, texts, other=tiny_loaded, method="debiased_cka")
    assert pytest.approx(found.matrix, abs=1e-12) == turned.matrix.T
    with pytest.raises(InputError, match="cut the texts into different tokens"):
        layer_similarity(tiny_loaded, texts, other=decoder, pooling="tokens")


def test_an_encoder_decoder_is_compared_by_its_encoder(texts):
    from lmcore.models.configured_marian import marian_small, train_shared_tokenizer
    from lmcore.models.shape import Shape
    from lmcore.tasks import load_task

    tokenizer = train_shared_tokenizer(texts, vocabulary=400, max_length=48)
    model = load_task("translation").model_class().from_config(marian_small(tokenizer, Shape())).eval()
    loaded = replace(speaker("text-generation"), task="translation", model=model, tokenizer=tokenizer)
    found = layer_similarity(loaded, texts[:8])
    assert found.matrix.shape == (4, 4)
    assert np.diag(found.matrix).tolist() == [1.0] * 4


@pytest.mark.parametrize(("pooling", "place"), [("first", 0), ("last", -1)])
def test_one_token_can_stand_for_a_text(tiny_loaded, texts, pooling, place):
    found = layer_similarity(tiny_loaded, texts, pooling=pooling)
    encodings = encode_texts(tiny_loaded.tokenizer, texts, 64)
    taken = [np.zeros((60, 32)) for _ in range(3)]
    for batch in stream_hidden_states(tiny_loaded, encodings, batch_size=1):
        for layer, state in enumerate(batch.states):
            taken[layer][batch.rows[0]] = state[0, place].numpy()
    assert found.matrix[1, 2] == pytest.approx(linear_cka(taken[1], taken[2]), abs=1e-5)
    assert found.pooling == pooling


def test_every_model_finds_the_last_token_of_its_own(texts):
    decoder, longer = speaker("text-generation"), speaker("text-generation", encoder=True)
    both = layer_similarity(decoder, texts, other=longer, pooling="last")
    turned = layer_similarity(longer, texts, other=decoder, pooling="last")
    assert both.matrix == pytest.approx(turned.matrix.T, abs=1e-9)


def test_a_first_token_that_is_the_same_in_every_text_is_named(texts):
    decoder = speaker("text-generation")
    alike = [f"Anna told us {text}" for text in texts]
    found = layer_similarity(decoder, alike, pooling="first")
    assert not found.matrix.any()
    assert found.chance == 0.0
    assert "Layer 0, 1, 2 treats all texts alike: its similarity is set to 0." in found.notes


def test_tokens_can_be_compared_one_by_one(tiny_loaded, changed, texts):
    encodings = encode_texts(tiny_loaded.tokenizer, texts, 64)
    found = layer_similarity(tiny_loaded, texts, other=changed(2), pooling="tokens")
    assert found.rows == encodings.lengths.sum()
    rows = [[], []]
    for number, model in enumerate((tiny_loaded, changed(2))):
        for batch in stream_hidden_states(model, encodings, batch_size=1):
            rows[number].append((batch.rows[0], batch.states[2][0].numpy()))
    taken = [np.concatenate([v for _, v in sorted(side, key=lambda item: item[0])]) for side in rows]
    assert found.matrix[2, 2] == pytest.approx(linear_cka(*taken), abs=1e-5)


def test_of_many_tokens_some_are_drawn(tiny_loaded, texts):
    many = [f"{text} and {text}" for text in texts]
    found = layer_similarity(tiny_loaded, many, pooling="tokens", seed=3)
    assert found.rows == 1000
    assert any("1,000 of the" in note and "drawn at random" in note for note in found.notes)
    encodings = encode_texts(tiny_loaded.tokenizer, many, 64)
    drawn = [choose_rows(encodings, "tokens", most=100, seed=seed).places for seed in (3, 3, 4)]
    assert sum(map(len, drawn[0])) == 100
    assert all(
        len(places) == 0 or places.max() < length for places, length in zip(drawn[0], encodings.lengths, strict=True)
    )
    assert all(map(np.array_equal, drawn[0], drawn[1]))
    assert not all(map(np.array_equal, drawn[0], drawn[2]))


def test_the_shuffle_tells_what_unrelated_layers_reach(tiny_loaded, texts):
    few, many = (layer_similarity(tiny_loaded, texts[:count]) for count in (8, 60))
    assert few.chance > many.chance > 0
    assert any("unrelated layers reach" in note and "Debiased CKA" in note for note in few.notes)
    debiased = layer_similarity(tiny_loaded, texts[:8], method="debiased_cka")
    assert abs(debiased.chance) < few.chance / 2


def test_too_few_texts_for_canonical_correlations(tiny_loaded, texts):
    with pytest.raises(InputError, match="With 20 examples and 19 directions every canonical correlation is 1"):
        layer_similarity(tiny_loaded, texts[:20], method="pwcca")
    found = layer_similarity(tiny_loaded, texts[:40], method="svcca", options={"variance": 0.98})
    assert any("some correlations are 1 whatever the texts are" in note for note in found.notes)


def test_results_say_what_they_are_of(tiny_loaded, changed, texts):
    found = layer_similarity(tiny_loaded, texts, method="rbf_cka", options={"threshold": 0.5})
    assert found.options == {"threshold": 0.5, "debiased": False}
    assert found.fingerprints == (tiny_loaded.fingerprint,)
    prints = {
        found.fingerprint,
        layer_similarity(tiny_loaded, texts, method="rbf_cka").fingerprint,
        layer_similarity(tiny_loaded, texts[:-1], method="rbf_cka", options={"threshold": 0.5}).fingerprint,
        layer_similarity(
            tiny_loaded, texts, other=changed(1), method="rbf_cka", options={"threshold": 0.5}
        ).fingerprint,
        layer_similarity(tiny_loaded, texts, method="rbf_cka", options={"threshold": 0.5}, pooling="first").fingerprint,
    }
    assert len(prints) == 5
    assert layer_similarity(tiny_loaded, texts, method="rbf_cka", options={"threshold": 0.5}).fingerprint in prints


def test_texts_that_were_cut_are_counted(tiny_loaded, texts):
    found = layer_similarity(tiny_loaded, [*texts[:9], "rain " * 200])
    assert "1 of 10 texts are longer than a model's limit: only their beginning was read." in found.notes


def test_both_models_read_the_same_of_a_long_text(tiny_loaded, texts):
    long = [f"{text} {text} {text}" for text in texts]
    shorter = replace(tiny_loaded, max_length=12)
    for pooling in ("mean", "tokens"):
        found = layer_similarity(tiny_loaded, long, other=shorter, pooling=pooling)
        assert found.by_layer()["change"].tolist() == pytest.approx([0.0] * 3, abs=1e-12)
    assert "60 of 60 texts are longer than a model's limit: only their beginning was read." in found.notes


@pytest.mark.parametrize(("method", "count", "fewest"), [("linear_cka", 2, 3), ("debiased_cka", 3, 4), ("rsa", 1, 3)])
def test_too_few_texts_are_refused(tiny_loaded, texts, method, count, fewest):
    with pytest.raises(InputError, match=rf"There are {count} texts: .* at least {fewest}"):
        layer_similarity(tiny_loaded, texts[:count], method=method)


def test_other_bad_input_is_refused_before_a_model_runs(tiny_loaded, texts, monkeypatch):
    monkeypatch.setattr("lmcore.analysis.similarity.vectors.stream_hidden_states", None)
    for error, said, given in (
        (UnknownError, "There is no similarity 'cosine'", {"method": "cosine"}),
        (OptionError, "has no option 'threshold'", {"options": {"threshold": 1}}),
        (OptionError, "The pooling is 'max'", {"pooling": "max"}),
        (OptionError, "Linear CKA cannot be estimated in batches", {"batch": 16}),
        (OptionError, "RBF CKA cannot be estimated in batches", {"method": "rbf_cka", "batch": 16}),
        (OptionError, "The batch is 4", {"method": "debiased_cka", "batch": 4}),
        (ResourceError, r"60 rows of every layer at once takes .* take at most \d+ rows", {"memory": 40_000}),
    ):
        with pytest.raises(error, match=said):
            layer_similarity(tiny_loaded, texts, **given)
    with pytest.raises(InputError, match="in place of a list"):
        layer_similarity(tiny_loaded, "rain and snow")
    decoder = speaker("text-generation")
    with pytest.raises(InputError, match="1 of the texts have no tokens for folder:x, the first is number 2"):
        layer_similarity(replace(decoder, tokenizer=_Bare(decoder.tokenizer)), ["a", "", "b"])


class _Bare:
    """A tokenizer that adds no special tokens, as some decoders' do."""

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def __call__(self, *arguments, **options):
        return self._inner(*arguments, add_special_tokens=False, **options)


def test_weights_that_have_run_away_are_named_by_their_layer(changed, texts):
    import torch

    broken = changed(2)
    with torch.no_grad():
        next(broken.model.base_model.encoder.layer[1].parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match="Layer 2 of folder:changed gives values that are NaN or infinite"):
        layer_similarity(broken, texts)


class _Stop(Silent):
    def __init__(self, after):
        self.after, self.seen = after, 0

    def check(self):
        self.seen += 1
        if self.seen > self.after:
            raise Cancelled("Stopped.")


@pytest.mark.parametrize("given", [{}, {"method": "debiased_cka", "batch": 16}])
def test_it_stops_when_it_is_asked_to_and_says_how_far_it_is(tiny_loaded, texts, given):
    whole = _Stop(10**9)
    layer_similarity(tiny_loaded, texts, report=whole, **given)
    assert whole.seen >= 4
    for after in (0, whole.seen - 1):
        with pytest.raises(Cancelled):
            layer_similarity(tiny_loaded, texts, report=_Stop(after), **given)

    class Told(Silent):
        fractions = ()

        def progress(self, fraction, message=""):
            self.fractions = (*self.fractions, fraction)

    told = Told()
    layer_similarity(tiny_loaded, texts, report=told, **given)
    assert list(told.fractions) == sorted(told.fractions)
    assert told.fractions[-1] == pytest.approx(1.0)


def test_rows_of_a_rule_are_read_by_decoders():
    decoder = speaker("text-generation")
    found = layer_similarity(decoder, rule_frame(24)["text"].tolist(), pooling="last", method="debiased_cka")
    assert np.isfinite(found.matrix).all()
    assert np.diag(found.matrix)[1:].tolist() == [1.0, 1.0]
