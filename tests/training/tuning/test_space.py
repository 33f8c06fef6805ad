import pytest

from lmcore.errors import OptionError
from lmcore.training.config import TrainConfig
from lmcore.training.tuning.space import (
    Choices,
    Range,
    check_space,
    contains,
    default_space,
    fits,
    largest,
    parse_dimension,
    searchable,
    space_from_dict,
    space_to_dict,
)

TASK = "text-classification"


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("head", {"strength"}),
        ("full", {"learning_rate", "batch_size", "weight_decay"}),
        ("lora", {"learning_rate", "batch_size", "weight_decay", "rank", "adapter_dropout"}),
        ("scratch", {"learning_rate", "batch_size", "weight_decay", "layers", "width", "heads"}),
    ],
)
def test_each_way_of_training_has_a_space_of_its_own_that_it_can_search(method, names):
    space = default_space(TrainConfig("a", method=method))
    assert set(space) == names
    assert check_space(space, method, TASK) == space


def test_the_range_of_the_learning_rate_is_around_what_is_usual():
    assert default_space(TrainConfig("a", method="full"))["learning_rate"] == Range(5e-6, 5e-4, log=True)
    assert default_space(TrainConfig("a", method="scratch"))["learning_rate"] == Range(5e-5, 5e-3, log=True)
    entities = TrainConfig("a", task="named-entity-recognition", method="full")
    assert default_space(entities)["learning_rate"] == Range(2e-5, 2e-3, log=True)


def test_seeds_are_not_searched():
    assert not {"seed", "save_steps", "precision"} & set(searchable("full", TASK))


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("learning_rate", "1e-5:1e-3:log", Range(1e-5, 1e-3, log=True)),
        ("warmup", "0:0.3", Range(0.0, 0.3)),
        ("epochs", "2:8", Range(2, 8)),
        ("batch_size", "16, 32", Choices((16, 32))),
        ("schedule", "linear,cosine", Choices(("linear", "cosine"))),
        ("class_weights", "true, false", Choices((True, False))),
    ],
)
def test_what_is_written_is_read_and_written_the_same(name, text, found):
    assert parse_dimension(name, text, "full", TASK) == found
    assert parse_dimension(name, str(found), "full", TASK) == found
    assert space_from_dict(space_to_dict({name: found})) == {name: found}


@pytest.mark.parametrize(
    ("name", "text", "kind", "said"),
    [
        ("seed", "1:2", "", "seed cannot be searched for full: choose among max_length, "),
        ("rank", "4,8", "", "rank cannot be searched for full"),
        ("learning_rate", "1e-3:1e-5", "", "the first has to be the smaller one"),
        ("learning_rate", "1e-3:2", "", "give a number from 1e-08 up to 1"),
        ("learning_rate", "1e-3", "", "give two or more, or leave it out"),
        ("learning_rate", "1e-3,1e-2", "range", "write low:high or low:high:log"),
        ("learning_rate", "1e-5:1e-3:wide", "", "write low:high or low:high:log"),
        ("weight_decay", "0:1:log", "", "it has to begin above 0"),
        ("epochs", "1.5:3", "", "give a whole number"),
        ("schedule", "linear:cosine", "range", "schedule is no number: give choices, one of linear, cosine, constant"),
        ("schedule", "linear,steep", "", "give one of linear, cosine, constant"),
    ],
)
def test_what_cannot_be_searched_is_one_sentence(name, text, kind, said):
    with pytest.raises(OptionError) as error:
        parse_dimension(name, text, "full", TASK, kind=kind)
    assert said in str(error.value)


def test_spaces_that_cannot_be():
    with pytest.raises(OptionError, match="There is nothing to search"):
        check_space({}, "full", TASK)
    with pytest.raises(OptionError, match="No width of the space divides"):
        check_space({"width": Choices((30, 50)), "heads": Choices((4, 8))}, "scratch", TASK)
    with pytest.raises(OptionError, match="give low, high and log of a range, or a list"):
        space_from_dict({"epochs": 3})


def test_a_width_goes_with_heads_of_an_even_number_of_features():
    assert fits({"width": 64, "heads": 8})
    assert not fits({"width": 72, "heads": 8})
    assert fits({"width": 72})


def test_a_range_or_a_list_has_a_value_or_not():
    assert contains(Range(1, 3), 3)
    assert not contains(Range(1, 3), 4)
    assert not contains(Range(1, 3), None)
    assert contains(Choices((None, 2)), None)


def test_the_largest_configuration_has_the_most_of_everything_that_costs():
    base = TrainConfig("a", model="config:bert-small", method="scratch")
    space = {
        "width": Choices((64, 96)),
        "heads": Choices((5, 4)),
        "layers": Range(1, 6),
        "learning_rate": Range(1e-4, 1e-3),
    }
    config = largest(base, space)
    assert (config.layers, config.width, config.heads) == (6, 96, 4)
    assert config.learning_rate == base.learning_rate
