"""``lmcore models``: registered versions and their aliases."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import CommandGroup, Session
from lmcore.cli.output import Answer, table
from lmcore.errors import UnknownError

if TYPE_CHECKING:
    from lmcore.models.registry import ModelRegistry, ModelVersion


@click.group("models", cls=CommandGroup)
def models_group() -> None:
    """List trained versions, and choose the champion."""


@models_group.command(
    "list", short_help="List registered versions and base models.", epilog="Example: lmcore models list feedback-en"
)
@click.argument("name", required=False)
@click.pass_obj
def list_versions(session: Session, name: str | None) -> Answer:
    """List the registered versions of NAME, or of every model, and the base models that can be trained."""
    from lmcore.models.catalogue import list_models

    registry = _registry(session)
    versions = registry.list(name)
    if name and not versions:
        raise UnknownError("registered model", name, {version.name for version in registry.list()})
    document = {
        "versions": [_document(version) for version in versions],
        "base": [{"ref": str(base.ref), "title": base.title} for base in list_models(session.settings)],
    }
    rows = [
        (
            str(version.ref),
            ", ".join(version.aliases),
            version.metrics.get("dev_accuracy"),
            str(version.facts.get("data", "")),
            f"{datetime.fromtimestamp(version.created):%Y-%m-%d %H:%M}" if version.available else "files are gone",
        )
        for version in versions
    ]
    listed = table(("version", "alias", "dev accuracy", "trained on", "made"), rows)
    base = table(("base model", ""), [(item["ref"], item["title"]) for item in document["base"]])
    return Answer(document, [listed if rows else "No version is registered yet.", base])


@models_group.command("promote", epilog="Example: lmcore models promote feedback-en 3 --alias challenger")
@click.argument("name")
@click.argument("version", type=click.IntRange(1))
@click.option("--alias", default="champion", show_default=True, help="champion or challenger.")
@click.pass_obj
def promote_version(session: Session, name: str, version: int, alias: str) -> Answer:
    """Let an alias of the model NAME point at VERSION, a number."""
    chosen = _registry(session).promote(name, version, alias)
    before = chosen.replaced.get(alias, 0)
    was = f"; it was version {before}" if before else ""
    return Answer(_document(chosen), [f"{chosen.ref} is now the {alias} of {name}{was}."])


def _registry(session: Session) -> "ModelRegistry":
    from lmcore.models.registry import ModelRegistry

    return ModelRegistry(session.settings.workspace, tracking_uri=session.settings.tracking_uri)


def _document(version: "ModelVersion") -> dict[str, Any]:
    return {
        "ref": str(version.ref),
        "name": version.name,
        "version": version.version,
        "task": version.task,
        "aliases": version.aliases,
        "created": version.created,
        "metrics": version.metrics,
        "facts": version.facts,
        "replaced": version.replaced,
        "available": version.available,
    }
