"""What pages share between reruns and sessions: one pool, one board, and results keyed by fingerprints."""

from typing import TYPE_CHECKING

import streamlit as st

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetInfo, DatasetStore
from lmcore.jobs import JobBoard
from lmcore.settings import Settings
from lmcore.types import DatasetRef, Input, Report, Silent
from lmcore.ui.signin import acting

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.analysis.recipes import Stored
    from lmcore.data.label_store import LabelStore
    from lmcore.data.profile import DataProfile
    from lmcore.models.pool import ModelPool
    from lmcore.models.registry import ModelRegistry, ModelVersion
    from lmcore.overview import Overview
    from lmcore.training.beside import Beside
    from lmcore.training.calibration import Calibration
    from lmcore.training.comparison import Comparison
    from lmcore.training.config import TrainConfig
    from lmcore.training.continual.forgetting import Forgetting
    from lmcore.training.estimate import Estimate
    from lmcore.training.evaluation import Evaluation
    from lmcore.training.kept import KeptEvaluation
    from lmcore.training.ranking import Ranking
    from lmcore.training.slices import SliceReport
    from lmcore.training.tuning.importance import Importance
    from lmcore.training.tuning.result import KeptSearch, SearchResult


def settings() -> Settings:
    """Return the settings of the environment, with the session's person as the one who acts.

    Raises:
        OptionError: a setting is none, or signing in is set up wrongly.
    """
    return acting(machine())


def machine() -> Settings:
    """Return the settings of the environment, the same for all sessions; secrets of the host are taken into it first."""
    st.secrets.load_if_toml_exists()
    return Settings.from_environment()


def workspace_root() -> str:
    """Return the workspace's folder, by which what is kept in memory is told apart from another workspace's."""
    return str(settings().workspace.root)


def board() -> JobBoard:
    """Return the workspace's job board, as the session's person may use it."""
    found = settings()
    return JobBoard(found.workspace, jobs_at_once=found.jobs_at_once)


def store() -> DatasetStore:
    """Return the workspace's data sets."""
    return DatasetStore(settings().workspace)


def registry() -> "ModelRegistry":
    """Return the workspace's registered models, as the session's person may use them."""
    from lmcore.models.registry import ModelRegistry

    found = settings()
    return ModelRegistry(found.workspace, tracking_uri=found.tracking_uri)


def pool() -> "ModelPool":
    """Return the models that are kept in memory for all sessions."""
    return _pool(machine())


def stored(report: Report | None = None) -> "Stored":
    """Return where recipes find what they name: data sets and models that all sessions share."""
    from lmcore.analysis.recipes import Stored

    return Stored(settings().workspace, dataset, pool().lease, report or Silent())


def named_model(version: str) -> dict[str, str]:
    """Return how a recipe names a version besides its own; the model is loaded for it."""
    from lmcore.analysis.recipes import named_model

    with pool().lease(version) as loaded:
        return named_model(version, loaded)


def datasets() -> list[DatasetInfo]:
    """Return every stored data set version, the newest first."""
    return store().list()


def dataset(ref: str) -> TextDataset:
    """Return a stored data set; it is shared by all sessions and must not be changed."""
    return _dataset(workspace_root(), ref)


def versions() -> "list[ModelVersion]":
    """Return every registered version, the newest first."""
    return registry().list()


def evaluation(identifier: str) -> "Evaluation":
    """Return a kept evaluation."""
    return _evaluation(workspace_root(), identifier)


@st.cache_resource(show_spinner="Getting ready …")
def _pool(settings: Settings) -> "ModelPool":
    from lmcore.models.pool import ModelPool

    return ModelPool(settings)


@st.cache_resource(max_entries=8, show_spinner="Reading the data set …")
def _dataset(root: str, ref: str) -> TextDataset:
    return store().load(ref)


@st.cache_resource(max_entries=8, show_spinner="Reading the evaluation …")
def _evaluation(root: str, identifier: str) -> "Evaluation":
    from lmcore.training.evaluation import load_evaluation

    return load_evaluation(settings().workspace, identifier)


def chief_evaluation(version: str) -> str | None:
    """Return the id of the evaluation that speaks for a version, or None where there is none."""
    from lmcore.training.kept import chief_evaluation

    return chief_evaluation(settings().workspace, version)


def kept_evaluations(*, version: str = "", data: str = "") -> "list[KeptEvaluation]":
    """Return what is known of the kept evaluations of a version or on some data, the newest first."""
    from lmcore.training.kept import kept_evaluations

    return kept_evaluations(settings().workspace, version=version, data=data)


def comparison(identifiers: tuple[str, ...]) -> "Comparison":
    """Return the comparison of kept evaluations."""
    return _comparison(str(settings().workspace.root), identifiers)


@st.cache_resource(max_entries=8, show_spinner="Resampling …")
def _comparison(root: str, identifiers: tuple[str, ...]) -> "Comparison":
    from lmcore.training.comparison import compare

    return compare([evaluation(identifier) for identifier in identifiers])


def kept_forgetting(version: str) -> list[str]:
    """Return the ids of the kept reports on what a version forgot, the newest first."""
    from lmcore.training.continual.kept_forgetting import kept_forgetting

    return kept_forgetting(settings().workspace, version)


def forgetting(identifier: str) -> "Forgetting":
    """Return a kept report on what a version forgot."""
    from lmcore.training.continual.kept_forgetting import load_forgetting

    return load_forgetting(settings().workspace, identifier)


def beside(after: str, *, before: str = "", rival: str = "") -> "Beside":
    """Return a kept evaluation beside an earlier one, or beside a baseline on the same rows."""
    return _beside(str(settings().workspace.root), after, before, rival)


@st.cache_resource(max_entries=8, show_spinner="Setting both beside each other …")
def _beside(root: str, after: str, before: str, rival: str) -> "Beside":
    from lmcore.training.beside import rival_evaluation, set_beside

    later = evaluation(after)
    if before:
        return set_beside(evaluation(before), later)
    return set_beside(rival_evaluation(later, dataset(later.data.partition(":")[0]), rival), later)


def answer(model: str, task: str, text: Input) -> "pd.DataFrame":
    """Return what a version, or a base model with the head of a task, says about an input."""
    return _answer(settings(), model, task, text if isinstance(text, str) else tuple(text.items()))


@st.cache_data(max_entries=64, show_spinner="Asking …")
def _answer(settings: Settings, model: str, task: str, text: str | tuple[tuple[str, str], ...]) -> "pd.DataFrame":
    from lmcore.training.beside import ask

    with pool().lease(model, None if model.startswith("models:/") else task) as loaded:
        return ask(loaded, [text if isinstance(text, str) else dict(text)])


def calibration(identifier: str) -> "Calibration":
    """Return the calibration of a kept evaluation."""
    return _calibration(str(settings().workspace.root), identifier)


@st.cache_resource(max_entries=8, show_spinner="Measuring the probabilities …")
def _calibration(root: str, identifier: str) -> "Calibration":
    from lmcore.training.calibration import calibration

    return calibration(evaluation(identifier))


def slices(identifier: str) -> "SliceReport":
    """Return the slices of a kept evaluation."""
    return _slices(str(settings().workspace.root), identifier)


@st.cache_resource(max_entries=8, show_spinner="Measuring the slices …")
def _slices(root: str, identifier: str) -> "SliceReport":
    from lmcore.training.slices import evaluation_rows, measure_slices

    found = evaluation(identifier)
    return measure_slices(found, evaluation_rows(settings().workspace, found))


def searches() -> "list[KeptSearch]":
    """Return what is known of the kept searches, the last changed first."""
    from lmcore.training.tuning.result import kept_searches

    return kept_searches(settings().workspace)


def search(identifier: str) -> "SearchResult":
    """Return a search as it stands now."""
    from lmcore.training.tuning.result import load_search

    return load_search(settings().workspace, identifier)


def search_importance(result: "SearchResult") -> "Importance":
    """Return how much each setting of a search matters; measured anew when further trials have ended."""
    return _search_importance(str(settings().workspace.root), result.id, result.ended, result)


@st.cache_resource(max_entries=8, show_spinner="Measuring the importance of the settings …")
def _search_importance(root: str, identifier: str, ended: int, _result: "SearchResult") -> "Importance":
    from lmcore.training.tuning.importance import setting_importance

    return setting_importance(_result)


def label_store(ref: str) -> "LabelStore":
    """Return the labels that people give to a stored data set."""
    from lmcore.data.label_store import LabelStore

    return LabelStore(settings().workspace, DatasetRef.parse(ref))


def ranking(version: str, ref: str, other: str = "") -> "Ranking | None":
    """Return the order in which labels of a data set are worth most to a version, or None while it is not made."""
    from lmcore.training.ranking import ranking_id

    identifier = ranking_id(version, ref, other)
    known = (settings().workspace.results / "rankings" / identifier).is_dir()
    return _ranking(str(settings().workspace.root), identifier) if known else None


@st.cache_resource(max_entries=8, show_spinner="Reading the order …")
def _ranking(root: str, identifier: str) -> "Ranking":
    from lmcore.training.ranking import load_ranking

    return load_ranking(settings().workspace, identifier)


def estimate(config: "TrainConfig", ref: str) -> "Estimate":
    """Return what a training run will need; measured once for a configuration and data set."""
    return _estimate(machine(), config, ref)


@st.cache_data(max_entries=64, show_spinner="Measuring what this will take …")
def _estimate(settings: Settings, config: "TrainConfig", ref: str) -> "Estimate":
    from lmcore.training.estimate import estimate_training

    return estimate_training(config, dataset(ref), settings)


def layers(version: str) -> int:
    """Return a model's number of layers, read from its configuration file alone."""
    return _layers(machine(), version)


@st.cache_data(max_entries=256, show_spinner=False)
def _layers(settings: Settings, version: str) -> int:
    from lmcore.models.load import read_layers

    return read_layers(version, settings)


def card(version: str, identifier: str) -> str:
    """Return the model card of a version, written from one of its kept evaluations."""
    return _card(machine(), version, identifier)


@st.cache_data(max_entries=32, show_spinner="Writing the card …")
def _card(settings: Settings, version: str, identifier: str) -> str:
    from lmcore.training.card import model_card

    return model_card(version, settings=settings, evaluation=identifier)


def overview() -> "Overview":
    """Return the state of the workspace, read anew."""
    from lmcore.overview import overview

    return overview(settings(), board())


def reset() -> None:
    """Empty the workspace and forget everything about it."""
    from lmcore.reset import reset_workspace

    reset_workspace(settings().workspace, board())
    st.session_state.clear()
    st.query_params.clear()
    st.cache_data.clear()
    st.cache_resource.clear()


def profile(ref: str) -> "DataProfile":
    """Return the profile of a stored data set."""
    return _profile(str(settings().workspace.root), ref)


@st.cache_resource(max_entries=8, show_spinner="Describing the data set …")
def _profile(root: str, ref: str) -> "DataProfile":
    from lmcore.data.profile import profile_dataset

    return profile_dataset(dataset(ref))
