import pytest

from lmcore.errors import OptionError
from lmcore.tasks import TASKS
from lmcore.training.methods import TRAINING, check_method, options_for


def test_a_way_of_training_and_its_tasks_name_each_other():
    for name, method in TRAINING.items():
        assert method.facts["tasks"] == [task for task in TASKS if name in TASKS[task].facts["methods"]]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("head", "translation"), "The method head does not train translation: choose full, lora, scratch"),
        (("full", "text-alignment"), "does not train text-alignment: choose another task"),
        (
            ("full", "translation", "config:marian-small"),
            "has random weights, and .* full begins with trained weights: choose scratch",
        ),
        (("scratch", "text-classification", "packaged:x"), "has trained weights, and .* choose head, full, lora"),
        (
            ("continual", "text-classification", "packaged:x"),
            "has trained weights, and .* continual begins with a registered version: choose head, full, lora",
        ),
        (("scratch", "text-classification", "models:/x/1"), "is a registered version, .* choose head, full, lora, con"),
    ],
)
def test_what_does_not_go_together_is_refused(given, sentence):
    with pytest.raises(OptionError, match=sentence):
        check_method(*given)
    check_method("scratch", "translation", "config:marian-small")
    check_method("lora", "text-classification", "models:/x/1")
    check_method("continual", "translation", "models:/x/1")


def test_settings_that_mean_nothing_for_a_task_are_not_offered():
    weighted = {task for task in TASKS if "class_weights" in {option.name for option in options_for("full", task)}}
    assert weighted == {"text-classification", "relation-extraction"}
