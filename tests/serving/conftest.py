"""A registered version of the tiny model, and a served application."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lmcore.models.load import LoadedModel
from lmcore.models.registry import ModelRegistry, ModelVersion
from lmcore.serving import Predictor, build_app
from lmcore.settings import Settings, Workspace


@pytest.fixture
def predictor(tiny_loaded: LoadedModel) -> Predictor:
    return Predictor(tiny_loaded)


@pytest.fixture
def client(predictor: Predictor, workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(build_app(predictor, workspace=workspace)) as client:
        yield client


@pytest.fixture
def champion(tiny_folder: Path, settings: Settings) -> ModelVersion:
    folder = settings.workspace.models / "topics" / "first"
    shutil.copytree(tiny_folder, folder)
    registry = ModelRegistry(settings.workspace)
    registry.register("topics", folder, task="text-classification")
    return registry.promote("topics", 1)
