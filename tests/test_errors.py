import inspect

import pytest

from lmcore import errors
from lmcore.errors import InputError, LmError, UnknownError

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_grows_from_one_root_and_is_in_the_drawn_tree(kind):
    assert issubclass(kind, LmError)
    assert f"{kind.__name__} " in errors.__doc__ or f"{kind.__name__}\n" in errors.__doc__


def test_an_unknown_name_lists_those_that_exist():
    error = UnknownError("model", "x", ["b", "a"], "Try again.")
    assert str(error) == "There is no model 'x'; known: a, b. Try again."
    assert error.name == "x"
    assert isinstance(error, InputError)


def test_an_unknown_name_among_none():
    assert str(UnknownError("job", "x", [])) == "There is no job 'x'; known: none yet."
