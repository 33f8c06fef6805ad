from dataclasses import dataclass

import pytest

from lmcore.errors import OptionError, UnknownError
from lmcore.methods import REGISTRIES, Method, Option, Registry, all_registries, option, options_of

STEPS = Option("steps", "int", 5, "How many.", minimum=1, maximum=10)


@pytest.mark.parametrize(("given", "kept"), [(3, 3), ("7", 7), (4.0, 4)])
def test_a_whole_number_is_taken_in_any_spelling(given: object, kept: int) -> None:
    assert STEPS.check(given) == kept


@pytest.mark.parametrize("given", [0, 11, 2.5, "x", None, True, float("nan"), float("inf"), [1]])
def test_what_is_not_a_valid_number_is_refused_with_the_range(given: object) -> None:
    with pytest.raises(OptionError, match=r"steps.*whole number from 1 up to 10"):
        STEPS.check(given)


def test_a_choice_lists_its_valid_values() -> None:
    metric = Option("metric", "choice", "a", "Which.", choices=("a", "b"))
    assert metric.check("b") == "b"
    with pytest.raises(OptionError, match="one of a, b"):
        metric.check("c")


def test_nothing_is_a_value_only_where_it_is_optional() -> None:
    assert Option("layer", "int", None, "Which.", optional=True).check(None) is None
    with pytest.raises(OptionError):
        Option("layer", "int", 1, "Which.").check(None)


def test_a_truth_value_takes_no_number() -> None:
    flag = Option("flag", "bool", False, "Whether.")
    assert flag.check(True) is True
    with pytest.raises(OptionError, match="true or false"):
        flag.check(1)


def test_check_fills_defaults_and_refuses_unknown_options() -> None:
    method = Method("m", "M", "Does it.", "lmcore.methods:Method", (STEPS,))
    assert method.check({}) == {"steps": 5}
    assert method.check({"steps": 2}) == {"steps": 2}
    with pytest.raises(OptionError, match="no option 'pace'; it takes: steps"):
        method.check({"pace": 1})


def test_load_imports_what_the_target_names() -> None:
    assert Method("m", "M", "Does it.", "lmcore.methods:Method").load() is Method


def test_a_registry_keeps_order_and_lists_known_names() -> None:
    registry = Registry("thing", Method("b", "B", "B.", "x:y"), Method("a", "A", "A.", "x:y"))
    assert list(registry) == ["b", "a"]
    assert len(registry) == 2
    assert "a" in registry
    assert "c" not in registry
    with pytest.raises(UnknownError, match="no thing 'c'; known: a, b"):
        registry["c"]


def test_options_come_from_the_fields_of_a_dataclass() -> None:
    @dataclass(frozen=True)
    class Config:
        name: str
        rate: float = option(0.5, "How fast.", minimum=0)
        layer: int | None = option(None, "Which.", methods=("head",))
        kind: str = option("x", "Which kind.", choices=("x", "y"))

    found = {item.name: item for item in options_of(Config)}
    assert list(found) == ["rate", "layer", "kind"]
    assert (found["rate"].kind, found["layer"].kind, found["kind"].kind) == ("float", "int", "choice")
    assert found["layer"].optional
    assert not found["rate"].optional
    assert [item.name for item in options_of(Config, "full")] == ["rate", "kind"]


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_entry_of_every_registry_is_real(kind: str) -> None:
    registry = all_registries()[kind]
    assert len(registry) > 0
    for name, method in registry.items():
        assert method.name == name
        assert method.summary.endswith((".", "?"))
        assert callable(method.load())
        assert method.check({}) == {item.name: item.default for item in method.options}
    described = registry.describe()
    assert described.keys() == set(registry)
