import numpy as np
import pandas as pd
import pytest

from lmcore.analysis.probes.bins import Bins
from lmcore.analysis.probes.examples import Source
from lmcore.analysis.probes.methods import PROPERTIES
from lmcore.analysis.probes.vectors import layer_vectors
from lmcore.errors import DataError, OptionError
from lmcore.tasks import load_task
from lmcore.types import Silent


def frame_of(*texts, **columns):
    return pd.DataFrame({"id": np.arange(len(texts)), "text": list(texts), **columns})


TRAIN = frame_of(
    "rain and sun", "we had bread today", "the train was very very late today", "soup", "rain rain",
    label=["a", "b", "c", "b", "a"], stars=["1", "2", "", "5", "1"],
)  # fmt: skip
DEV = frame_of("sun and rain", "bread", label=["a", "b"], stars=["2", "4"])


@pytest.fixture
def prepare(tiny_loaded):
    def prepare(name, *, train=TRAIN, dev=DEV, task="text-classification", most=1000, seed=0, length=64, **options):
        parts = {"train": train, "dev": dev}
        source = Source(parts, load_task(task), tiny_loaded.tokenizer, length, seed, most)
        return PROPERTIES[name].load()(source, **PROPERTIES[name].check(options))

    return prepare


def tokens_of(loaded, part, number):
    ids = part.encodings.ids[part.texts[number]]
    return loaded.tokenizer.convert_ids_to_tokens([ids[place] for place in part.tokens[number]])


def test_lengths_are_put_into_classes_by_train_alone(prepare):
    found = prepare("length", bins=2)
    assert found.level == "text"
    assert found.classes == ("up to 3 words", "above 3 words")
    assert [found.classes.index(v) for v in found.parts["train"].values] == [0, 1, 1, 0, 0]
    assert [found.classes.index(v) for v in found.parts["dev"].values] == [0, 0]
    assert prepare("length", unit="characters").classes[0].endswith("characters")


def test_half_of_the_texts_get_two_different_words_swapped(prepare, tiny_loaded):
    train = frame_of(*[f"the bread and some cheese {n}" for n in range(40)], label=["a"] * 40)
    found = prepare("word_order", train=train, dev=train)
    part = found.parts["train"]
    assert sorted(part.values) == ["as written"] * 20 + ["two words swapped"] * 20
    for text, kind, said in zip(train["text"], part.values, part.types, strict=True):
        words, read = text.split(), said.split()
        assert sorted(words) == sorted(read)
        moved = [place for place in range(len(words)) if words[place] != read[place]]
        assert moved == ([] if kind == "as written" else [moved[0], moved[0] + 1])
    assert (part.values != found.parts["dev"].values).any()


def test_texts_without_two_different_words_have_no_order(prepare):
    found = prepare("word_order", dev=TRAIN)
    assert len(found.parts["train"]) == 3  # "soup" and "rain rain" are left out
    with pytest.raises(DataError, match="fewer than two texts"):
        prepare("word_order", dev=frame_of("soup", "rain"))


def test_words_are_swapped_whole_in_chinese(prepare):
    train = frame_of("物流很慢", "服务态度很好", "物流很慢", "服务态度很好")
    part = prepare("word_order", train=train, dev=train).parts["train"]
    for text, said, kind in zip(train["text"], part.types, part.values, strict=True):
        assert sorted(text) == sorted(said)
        assert (said == text) == (kind == "as written")


def test_a_column_is_read_without_its_empty_cells(prepare):
    found = prepare("column", column="stars")
    assert found.classes == ("1", "2", "5")
    assert found.parts["train"].values.tolist() == ["1", "2", "5", "1"]
    assert found.parts["dev"].classes(found.classes).tolist() == [1, -1]


def test_a_column_of_many_numbers_is_put_into_classes(prepare):
    train = frame_of(*["rain"] * 40, n=[str(n / 2) for n in range(40)])
    found = prepare("column", train=train, dev=frame_of("sun", "sun", "sun", n=["0.2", "99", "?"]), column="n", bins=4)
    assert len(found.classes) == 4
    assert found.parts["dev"].values.tolist() == [found.classes[0], found.classes[3]]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("column", {"column": "nosuch"}, "no column 'nosuch'; they have: id, text, label, stars"),
        ("tags", {}, "no column 'tags'"),
        ("tags", {"column": "stars"}, "3 words and 1 values in the column stars"),
    ],
)
def test_columns_that_do_not_fit_are_refused(prepare, name, options, said):
    with pytest.raises(DataError, match=said):
        prepare(name, **options)


def test_what_does_not_differ_is_refused(prepare):
    same = frame_of("rain", "rain", n=["7", "7"])
    for name, options in (("length", {}), ("column", {"column": "n"}), ("word_identity", {}), ("word_position", {})):
        with pytest.raises(DataError, match=r"nothing to tell apart|fewer than two"):
            prepare(name, train=same, dev=same, **options)
    with pytest.raises(OptionError, match="bins"):
        prepare("length", bins=1)


def test_every_word_has_its_tag_and_its_tokens(prepare, tiny_loaded):
    rows = frame_of("the bread was cheese", "we had soup", "rain", tags=["O B-food O B-food", "O O B-food", ""])
    found = prepare("tags", train=rows, dev=rows, task="named-entity-recognition")
    part = found.parts["train"]
    assert found.level == "word"
    assert found.classes == ("B-food", "O")
    assert len(part) == 7
    for number, (word, tag) in enumerate(zip(part.types, part.values, strict=True)):
        assert tag == ("B-food" if word in {"bread", "cheese", "soup"} else "O")
        assert "".join(token.removeprefix("##") for token in tokens_of(tiny_loaded, part, number)) == word


def test_the_most_frequent_words_are_told_apart(prepare):
    found = prepare("word_identity", words=2)
    assert found.classes == ("rain", "today")  # of the words that stand twice, the first by alphabet
    part = found.parts["train"]
    assert part.values.tolist() == list(part.types) == ["rain", "today", "today", "rain", "rain"]


def test_the_position_counts_from_the_beginning_of_its_text(prepare):
    found = prepare("word_position", bins=2, train=frame_of("a b c d", "e f"), dev=DEV)
    assert found.classes == ("up to 1 words before", "above 1 words before")
    assert [found.classes.index(v) for v in found.parts["train"].values] == [0, 0, 1, 1, 0, 0]


def test_words_are_drawn_by_whole_texts_up_to_the_limit(prepare):
    train = frame_of(*[f"the bread was {n}" for n in range(50)])
    part = prepare("word_position", train=train, most=30).parts["train"]
    assert len(part) == 28
    assert np.bincount(part.texts).tolist() == [4] * 7
    other = prepare("word_position", train=train, most=30, seed=1).parts["train"]
    assert part.types != other.types


def test_a_word_beyond_the_models_limit_is_left_out(prepare):
    train = frame_of("the bread was very very late", "we had soup")
    part = prepare("word_position", train=train, length=5).parts["train"]
    assert part.encodings.truncated.tolist() == [True, False]
    assert part.types[:2] == ("the", "bread")
    assert max(max(places) for places in part.tokens) < 4


@pytest.mark.parametrize("numbers", [[1, 2], [1, 1, 1, 9], [0.5, 0.5, 7, 8, 9, 9, 9, 9]])
def test_bins_name_every_number_and_none_is_empty(numbers):
    made = Bins(np.array(numbers), 3, what="It")
    named = made.name(np.array(numbers))
    assert set(named) == set(made.names)
    assert made.name(np.array([-100.0, 100.0])).tolist() == [made.names[0], made.names[-1]]


@pytest.mark.parametrize("name", ["label", "word_position"])
def test_vectors_are_the_means_of_the_examples_tokens_wherever_they_are_kept(prepare, tiny_loaded, name):
    import torch

    parts = prepare(name).parts
    with (
        layer_vectors(tiny_loaded, parts, Silent()) as memory,
        layer_vectors(tiny_loaded, parts, Silent(), in_memory=0) as file,
    ):
        assert isinstance(file.values, np.memmap)
        for split, part in parts.items():
            for number in range(len(part)):
                ids = part.encodings.ids[part.texts[number]]
                with torch.inference_mode():
                    out = tiny_loaded.model(input_ids=torch.tensor([ids]), output_hidden_states=True)
                places = part.tokens[number] if part.tokens is not None else np.arange(len(ids))
                expected = out.hidden_states[1][0].numpy()[places].mean(axis=0)
                for vectors in (memory, file):
                    assert vectors.layer(split, 1)[number] == pytest.approx(expected, abs=1e-4)
    assert memory.layers == tiny_loaded.layers + 1
