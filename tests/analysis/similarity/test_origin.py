from pathlib import Path

import pytest

from lmcore.analysis import layer_similarity, trained_from
from lmcore.errors import InputError, UnknownError
from lmcore.models.load import load_model
from lmcore.models.registry import ModelRegistry, ModelVersion
from lmcore.training import TrainConfig, train


def version(number=2, **facts):
    return ModelVersion("topics", number, "text-classification", Path("x"), facts=facts)


def test_a_base_model_is_named(tracked):
    registry = ModelRegistry(tracked)
    assert str(trained_from(version(base="packaged:all-MiniLM-L6-v2"), registry)) == "packaged:all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "What models:/topics/2 was trained from is not known"),
        ({"base": "config:bert-small"}, "began as config:bert-small with random weights"),
    ],
)
def test_what_cannot_be_compared_with_is_said(tracked, facts, said):
    with pytest.raises(InputError, match=said):
        trained_from(version(**facts), ModelRegistry(tracked))


def test_a_version_that_was_trained_on_from_another(tracked):
    registry = ModelRegistry(tracked)
    for name in ("one", "two", "three"):
        (tracked.models / "topics" / name).mkdir(parents=True)
        registry.register("topics", tracked.models / "topics" / name, task="text-classification")
    registry.promote("topics", 1)
    assert str(trained_from(version(base="models:/topics/1"), registry)) == "models:/topics/1"
    assert str(trained_from(version(base="models:/topics@champion"), registry)) == "models:/topics/1"
    registry.promote("topics", 2)
    with pytest.raises(InputError, match="an alias that is its own by now"):
        trained_from(version(base="models:/topics@champion"), registry)
    with pytest.raises(UnknownError, match="no version or alias of topics '9'"):
        trained_from(version(base="models:/topics/9"), registry)
    (tracked.models / "topics" / "one").rmdir()
    with pytest.raises(InputError, match="models:/topics/1, whose files are gone"):
        trained_from(version(base="models:/topics/1"), registry)


def test_training_all_weights_changes_the_last_layer_most(tracked, settings, topics, tiny_folder):
    texts = topics.part("test").frame["text"].tolist()
    base = f"folder:{tiny_folder}"
    config = TrainConfig(name="full", model=base, method="full", epochs=3, learning_rate=5e-3, max_length=64)
    made = train(config, topics, settings=settings).version
    origin = trained_from(made, ModelRegistry(tracked))
    assert str(origin) == base
    after, before = (load_model(ref, settings=settings) for ref in (made.ref, origin))
    change = layer_similarity(after, texts, other=before).by_layer()["change"].tolist()
    assert change[-1] > 0.01
    assert change[-1] > 1.3 * change[0] > 0
