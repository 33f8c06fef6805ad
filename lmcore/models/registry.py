"""Registered model versions: numbered, described, and found by number or alias."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcore.audit import audited
from lmcore.errors import InputError, OptionError, UnknownError, UnsafeError
from lmcore.models.mlflow_store import reading_client, registry_lock, tracking_errors, writing_client
from lmcore.settings import Workspace
from lmcore.types import ModelRef, check_name

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIASES = ("champion", "challenger")
TAG_LENGTH = 100_000
_SOURCE = "lmscope:"
_AUDITED = ("method", "base", "data")
_PAGE = 200


@dataclass(frozen=True)
class ModelVersion:
    """One registered version.

    Attributes:
        name: the model's name.
        version: its number, from 1.
        task: the task whose head it has.
        folder: absolute path of its weights, computed from where the workspace is now.
        aliases: which of ``champion`` and ``challenger`` point at it.
        created: seconds since 1970.
        metrics: name to value, as measured when it was registered.
        run_id: the run that made it, or empty.
        facts: method, base model, data set, fingerprint, labels …
        replaced: alias to the version that held it before this one took it; 0 where none did.
        available: whether the folder is there, inside the workspace.
    """

    name: str
    version: int
    task: str
    folder: Path
    aliases: tuple[str, ...] = ()
    created: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    run_id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    replaced: Mapping[str, int] = field(default_factory=dict)
    available: bool = True

    @property
    def ref(self) -> ModelRef:
        """Return the reference with the version's number."""
        return ModelRef("registry", self.name, str(self.version))


class ModelRegistry:
    """The versions of a workspace, kept in MLflow; reading an empty one makes nothing."""

    def __init__(self, workspace: Workspace, *, tracking_uri: str = "") -> None:
        self._workspace = workspace
        self._uri = tracking_uri

    def register(
        self,
        name: str,
        folder: Path,
        *,
        task: str,
        run_id: str = "",
        metrics: Mapping[str, float] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> ModelVersion:
        """Give a model folder of the workspace the next version number of a name.

        Args:
            name: the model's name; made where it is new.
            folder: a folder inside the workspace, which is not copied.
            task: the task whose head it has.
            run_id: the run that made it.
            metrics: name to value.
            facts: JSON-like values, together at most 100 000 characters.

        Raises:
            InputError: the name is unusable, the folder is missing, or the facts are too long.
            UnsafeError: the folder is outside the workspace.
            AccessError: the workspace's actor may not register.
            StorageError: it cannot be written.
        """
        check_name(name, "model name")
        tags = {
            "lmscope.task": task,
            "lmscope.metrics": _to_tag("metrics", metrics or {}),
            "lmscope.facts": _to_tag("facts", facts or {}),
        }
        source = _SOURCE + self._relative(folder)
        known = {fact: (facts or {}).get(fact, "") for fact in _AUDITED}
        with audited(self._workspace, "register", name, task=task, **known) as noted:
            client = writing_client(self._workspace, self._uri)
            with registry_lock(self._workspace), tracking_errors("written"):
                _ensure_name(client, name)
                made = client.create_model_version(name, source, run_id or None, tags=tags, await_creation_for=0)
            ref = ModelRef("registry", name, str(made.version))
            noted["object"] = str(ref)
        return self.get(ref)

    def list(self, name: str | None = None) -> "list[ModelVersion]":
        """Return the versions of one name or of all, newest first.

        Raises:
            StorageError: the registry cannot be read.
        """
        client = reading_client(self._workspace, self._uri)
        if client is None:
            return []
        wanted = f"name='{check_name(name, 'model name')}'" if name else ""
        with tracking_errors("read"):
            found = _all_pages(client.search_model_versions, wanted)
            holders = {model.name: model.aliases for model in _all_pages(client.search_registered_models, wanted)}
        mine = [item for item in found if (item.source or "").startswith(_SOURCE)]
        versions = [self._read(item, holders.get(item.name, {})) for item in mine]
        return sorted(versions, key=lambda v: (v.created, v.version), reverse=True)

    def get(self, ref: "ModelRef | str") -> ModelVersion:
        """Return one version by number or alias.

        Raises:
            InputError: the reference is not one to a registered model.
            UnknownError: there is no such model, version or alias; the message lists those that exist.
        """
        ref = ModelRef.parse(ref)
        if ref.kind != "registry":
            raise InputError(f"{ref} is not a registered model: write models:/name/3 or models:/name@champion.")
        versions = self.list(ref.name)
        if not versions:
            raise UnknownError("registered model", ref.name, {version.name for version in self.list()})
        for version in versions:
            if ref.version == str(version.version) or ref.version in version.aliases:
                return version
        known = [known for version in versions for known in (str(version.version), *version.aliases)]
        raise UnknownError(f"version or alias of {ref.name}", ref.version, known)

    def promote(self, name: str, version: int, alias: str = "champion") -> ModelVersion:
        """Let an alias point at a version; the version that held it before is recorded in ``replaced``.

        To undo it, promote ``replaced[alias]`` again, or demote where that is 0.

        Raises:
            OptionError: the alias is neither ``champion`` nor ``challenger``.
            UnknownError: there is no such version.
            AccessError: the workspace's actor may not promote.
        """
        _check_alias(alias)
        chosen = self.get(ModelRef("registry", name, str(version)))
        with audited(self._workspace, "promote", str(chosen.ref), alias=alias, after=version) as noted:
            client = writing_client(self._workspace, self._uri)
            with registry_lock(self._workspace):
                before = next((v.version for v in self.list(name) if alias in v.aliases), 0)
                noted["before"] = before
                if before == version:
                    return chosen
                with tracking_errors("written"):
                    client.set_model_version_tag(name, str(version), f"lmscope.replaced.{alias}", str(before))
                    client.set_registered_model_alias(name, alias, str(version))
        return self.get(chosen.ref)

    def demote(self, name: str, alias: str) -> None:
        """Take an alias away from whichever version holds it.

        Raises:
            OptionError: the alias is neither ``champion`` nor ``challenger``.
            UnknownError: no version of this name holds it.
            AccessError: the workspace's actor may not demote.
        """
        _check_alias(alias)
        holder = self.get(ModelRef("registry", name, alias))
        with audited(self._workspace, "demote", str(holder.ref), alias=alias, before=holder.version, after=0):
            client = writing_client(self._workspace, self._uri)
            with registry_lock(self._workspace), tracking_errors("written"):
                client.delete_registered_model_alias(name, alias)

    def _relative(self, folder: Path) -> str:
        root, inside = self._workspace.root.resolve(), folder.resolve()
        if not inside.is_relative_to(root) or inside == root:
            raise UnsafeError(
                f"{folder} is outside the workspace {root}: save the model under {self._workspace.models}."
            )
        if not inside.is_dir():
            raise InputError(f"There is no folder {folder} to register: save the model first.")
        return inside.relative_to(root).as_posix()

    def _read(self, item: Any, aliases: Mapping[str, str]) -> ModelVersion:
        root = self._workspace.root.resolve()
        folder = (root / item.source.removeprefix(_SOURCE)).resolve()
        tags = item.tags
        return ModelVersion(
            name=item.name,
            version=int(item.version),
            task=tags.get("lmscope.task", ""),
            folder=folder,
            aliases=tuple(alias for alias in ALIASES if str(aliases.get(alias)) == str(item.version)),
            created=item.creation_timestamp / 1000,
            metrics=json.loads(tags.get("lmscope.metrics", "{}")),
            run_id=item.run_id or "",
            facts=json.loads(tags.get("lmscope.facts", "{}")),
            replaced={a: int(tags[f"lmscope.replaced.{a}"]) for a in ALIASES if f"lmscope.replaced.{a}" in tags},
            available=folder.is_relative_to(root) and folder.is_dir(),
        )


def _ensure_name(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _all_pages(search: Any, wanted: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = search(filter_string=wanted or None, max_results=_PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _to_tag(what: str, values: Mapping[str, Any]) -> str:
    text = json.dumps(dict(values), ensure_ascii=False, sort_keys=True)
    if len(text) > TAG_LENGTH:
        raise InputError(f"The {what} of a version take {len(text)} characters: keep them under {TAG_LENGTH}.")
    return text


def _check_alias(alias: str) -> None:
    if alias not in ALIASES:
        raise OptionError(f"The alias is {alias!r}: give one of {', '.join(ALIASES)}.")
