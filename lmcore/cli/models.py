"""``lmcore models``: registered versions and their aliases."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import CommandGroup, Session
from lmcore.cli.output import Answer, plain, records, table
from lmcore.errors import OptionError, UnknownError
from lmcore.storage import write_text

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
            str(version.facts.get("data", "")),
            f"{datetime.fromtimestamp(version.created):%Y-%m-%d %H:%M}" if version.available else "files are gone",
        )
        for version in versions
    ]
    listed = table(("version", "alias", "trained on", "made"), rows)
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


@models_group.command(
    "card",
    short_help="Write the model card of a version.",
    epilog="Example: lmcore models card models:/feedback-en@champion --out card.md",
)
@click.argument("version")
@click.option("--evaluation", default="", help="Id of a kept evaluation.  [default: the newest on a test split]")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write the card to this file.")
@click.pass_obj
def write_card(session: Session, version: str, evaluation: str, out: Path | None) -> Answer:
    """Write what VERSION is, how good it is and where it ends, in Markdown, from its run."""
    from lmcore.training.card import model_card

    if out and not out.absolute().parent.is_dir():
        raise OptionError(f"There is no folder {out.parent} for {out.name}: make it first.")
    card = model_card(version, settings=session.settings, evaluation=evaluation)
    if out:
        write_text(out.absolute(), card)
    return Answer({"version": version, "card": card, "file": out}, [f"The card is in {out}." if out else card])


@models_group.command(
    "calibrate",
    short_help="Fit a temperature on dev, as a new version.",
    epilog="Example: lmcore models calibrate models:/feedback-en/1 feedback-en@3",
)
@click.argument("version")
@click.argument("data")
@click.pass_obj
def calibrate_version(session: Session, version: str, data: str) -> Answer:
    """Fit a temperature for VERSION on the dev split of DATA (name@version) and register it with it as a new version."""
    from lmcore.data.store import DatasetStore
    from lmcore.training.temperature import calibrate

    dataset = DatasetStore(session.settings.workspace).load(data)
    with session.report() as report:
        made = calibrate(version, dataset, settings=session.settings, report=report)
    document = {
        "version": _document(made.version),
        "temperature": made.version.facts["temperature"],
        "fit": made.fit,
        "evaluation": made.evaluation,
        "before": records(made.before.measures),
        "after": records(made.after.measures),
        "verdict": made.verdict,
    }
    return Answer(
        document, [made.verdict, "Before: " + plain(made.before.verdict), "After: " + plain(made.after.verdict)]
    )


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
