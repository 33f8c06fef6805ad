import json

import pytest

from lmcore.errors import InputError, OptionError, UnknownError
from lmcore.training.config import TrainConfig
from lmcore.training.methods import TRAINING


def test_a_configuration_goes_through_json():
    config = TrainConfig("a", method="full", epochs=3, learning_rate=1e-3, layer=None, strength=0.5)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_values_come_in_their_types():
    config = TrainConfig.from_dict({"name": "a", "layer": "3", "strength": "0.5", "epochs": 2.0, "learning_rate": 1})
    assert (config.layer, config.strength, config.epochs, config.learning_rate) == (3, 0.5, 2, 1.0)
    assert [type(v) for v in (config.layer, config.epochs, config.learning_rate)] == [int, int, float]


@pytest.mark.parametrize(
    ("values", "kind", "sentence"),
    [
        ({}, OptionError, "has no name"),
        ({"name": "a", "epoch": 1}, OptionError, "no setting 'epoch'; it has: accumulation, "),
        ({"name": "a b"}, InputError, "The model name 'a b' is not a usable name"),
        ({"name": "../x"}, InputError, "not a usable name"),
        (
            {"name": "a", "method": "magic"},
            UnknownError,
            "There is no training method 'magic'; known: continual, full, grpo, head",
        ),
        ({"name": "a", "task": "poetry"}, UnknownError, "There is no task 'poetry'"),
        ({"name": "a", "epochs": 0}, OptionError, "The option epochs is 0: give a whole number from 1"),
        ({"name": "a", "epochs": 1.5}, OptionError, "epochs is 1.5"),
        ({"name": "a", "epochs": True}, OptionError, "epochs is True"),
        ({"name": "a", "batch_size": None}, OptionError, "batch_size is None"),
        ({"name": "a", "learning_rate": float("nan")}, OptionError, "learning_rate is nan"),
        ({"name": "a", "learning_rate": 2}, OptionError, "up to 1"),
        ({"name": "a", "max_length": 4096}, OptionError, "from 8 up to 512"),
        ({"name": "a", "layer": -1}, OptionError, "or nothing"),
        ({"name": "a", "seed": -1}, OptionError, "seed is -1"),
    ],
)
def test_what_is_not_valid_is_named(values, kind, sentence):
    with pytest.raises(kind, match=sentence):
        TrainConfig.from_dict(values)


def test_each_method_offers_what_it_reads():
    offered = {name: {option.name for option in TRAINING[name].options} for name in TRAINING}
    shared = {"seed", "max_length", "batch_size"}
    assert offered["head"] == shared | {"layer", "strength"}
    pace = {"epochs", "learning_rate", "schedule", "warmup", "weight_decay", "clip", "accumulation", "patience"}
    full = shared | pace | {"precision", "class_weights", "save_steps"}
    assert offered["full"] == full
    assert offered["lora"] == full | {"rank", "scale", "adapter_dropout"}
    assert offered["continual"] == full | {"replay", "anchor", "anchor_strength", "anchor_temperature"}
    assert offered["scratch"] == full | {"layers", "width", "heads", "vocabulary"}
