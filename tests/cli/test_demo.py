"""``lmcore demo``."""

import pytest

import lmcore.demo
from lmcore.demo import DemoResult
from lmcore.errors import InputError

RESULT = DemoResult(
    dataset="feedback-en@3",
    version="models:/feedback-en/1",
    evaluation="e1",
    map="m1",
    sentences=("Data: fine.", "Train: fine."),
    seconds={"data": 1.0},
)


@pytest.fixture
def demo(monkeypatch):
    """Put a quick walk in the place of the demo, which has tests of its own."""
    seen = []

    def walk(settings, report):
        seen.append(settings)
        report.progress(0.5, "Half way")
        return RESULT

    monkeypatch.setattr(lmcore.demo, "run_demo", walk)
    return seen


def test_it_prints_what_it_found_and_where(run, demo, tmp_path):
    result = run("demo", home=tmp_path / "there")
    assert result.stdout == f"Data: fine.\nTrain: fine.\nIt is all in {tmp_path / 'there'}.\n"
    assert result.stderr == " 50%  Half way\n"
    assert demo[0].workspace.root == tmp_path / "there"


def test_in_json(ask, demo):
    assert ask("demo") == RESULT.to_dict()


def test_without_the_base_model(refused, monkeypatch):
    def walk(settings, report):
        raise InputError("The packaged model is not installed.")

    monkeypatch.setattr(lmcore.demo, "run_demo", walk)
    assert refused("demo") == "The packaged model is not installed."
