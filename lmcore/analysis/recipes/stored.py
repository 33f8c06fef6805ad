"""What a recipe names besides its model: stored data sets, suites and other versions, each with its fingerprint."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import InputError, UnknownError
from lmcore.models.load import LoadedModel, load_model
from lmcore.settings import Settings, Workspace
from lmcore.types import Report, Silent

if TYPE_CHECKING:
    from lmcore.analysis.suites.cases import Suite

Named = Mapping[str, str]


@dataclass(frozen=True)
class Stored:
    """Where a recipe finds what it names, and where it says how far it is.

    Attributes:
        workspace: holds suites, lenses and kept vectors.
        data: returns a stored data set, by its text form.
        models: lends a version for the length of a ``with`` block, by its text form.
        report: progress and cancellation.
    """

    workspace: Workspace
    data: Callable[[str], TextDataset]
    models: Callable[[str], AbstractContextManager[LoadedModel]]
    report: Report = field(default_factory=Silent)

    @classmethod
    def of(cls, settings: Settings, report: Report | None = None) -> "Stored":
        """Return what a workspace holds; models are loaded anew for each recipe."""

        @contextmanager
        def lend(version: str) -> Iterator[LoadedModel]:
            yield load_model(version, settings=settings)

        return cls(settings.workspace, DatasetStore(settings.workspace).load, lend, report or Silent())

    def dataset(self, named: Named) -> TextDataset:
        """Return a whole data set.

        Args:
            named: what `named_data` returns.

        Raises:
            InputError: it is not in this workspace, or has other rows.
        """
        ref = str(named["ref"])
        try:
            found = self.data(ref)
        except UnknownError as error:
            raise InputError(
                f"The result was made over the data set {ref}, which is not in this workspace: bring it in first."
            ) from error
        _check_same(found.fingerprint, named, f"The data set {ref}", "rows")
        return found

    def suite(self, named: Named) -> "Suite":
        """Return a suite.

        Args:
            named: what `named_suite` returns.

        Raises:
            InputError: it is not in this workspace, or has other cases.
        """
        from lmcore.analysis.suites.suite_store import SuiteStore

        try:
            found = SuiteStore(self.workspace, named["data"]).load(named["ref"])
        except UnknownError as error:
            raise InputError(
                f"The result was made over the suite {named['ref']} of {named['data']}, which is not in this workspace."
            ) from error
        _check_same(found.fingerprint, named, f"The suite {named['ref']}", "cases")
        return found

    @contextmanager
    def model(self, named: Named) -> Iterator[LoadedModel]:
        """Lend a further version for the length of a ``with`` block.

        Args:
            named: what `named_model` returns.

        Raises:
            InputError: it is not there, or has other weights.
        """
        with self.models(named["version"]) as loaded:
            _check_same(loaded.fingerprint, named, str(loaded.ref), "weights")
            yield loaded


def named_data(data: TextDataset) -> dict[str, str]:
    """Return how a recipe names a stored data set."""
    return {"ref": str(data.ref), "fingerprint": data.fingerprint}


def named_suite(suite: "Suite") -> dict[str, str]:
    """Return how a recipe names a suite that is kept with a data set."""
    return {"data": suite.data, "ref": suite.ref, "fingerprint": suite.fingerprint}


def named_model(version: str, loaded: LoadedModel) -> dict[str, str]:
    """Return how a recipe names a version besides its own."""
    return {"version": version, "fingerprint": loaded.fingerprint}


def _check_same(fingerprint: str, named: Named, called: str, what: str) -> None:
    """Refuse what is another than the recipe means."""
    if fingerprint != named["fingerprint"]:
        raise InputError(
            f"{called} has other {what} now than when the result was shared ({fingerprint[:12]}, then "
            f"{named['fingerprint'][:12]}): the numbers cannot be made again with it."
        )
