"""The command line, ``lmcore``: everything that the pages do, for people and, with ``--json``, for programs."""

import os
from dataclasses import replace
from pathlib import Path

import click

import lmcore
from lmcore.access import os_user
from lmcore.cli.analyse import analyse_command
from lmcore.cli.audit import audit_command
from lmcore.cli.command import RootGroup, Session
from lmcore.cli.compress import compress_command
from lmcore.cli.data import data_group
from lmcore.cli.demo import demo_command
from lmcore.cli.forgetting import forgetting_command
from lmcore.cli.jobs import jobs_group
from lmcore.cli.judging import compare_command, curve_command
from lmcore.cli.methods import methods_command
from lmcore.cli.models import models_group
from lmcore.cli.project import project_command
from lmcore.cli.serve import serve_command
from lmcore.cli.train import evaluate_command, train_command
from lmcore.cli.tuning import search_command
from lmcore.garbage import collect_seldom
from lmcore.settings import Settings, Workspace

__all__ = ["main"]

_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@click.group(
    "lmcore",
    cls=RootGroup,
    epilog="A first walk: lmcore data clean sample:feedback-en, then lmcore data split feedback-en@2, then "
    "lmcore train feedback-en@3. Or everything at once: lmcore demo.",
)
@click.version_option(lmcore.__version__, prog_name="lmcore", message="%(prog)s %(version)s")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="The workspace folder.  [default: LMSCOPE_HOME, else ~/.lmscope]",
)
@click.pass_context
def main(context: click.Context, home: Path | None) -> None:
    """Explain and visualise language models: bring data, train, look inside, draw maps, serve.

    Every command takes --json, which prints one JSON document and nothing else. What cannot be used ends with one
    sentence and exit code 2.
    """
    # The libraries below have bars and remarks of their own, which would stand in the way of the answer.
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    collect_seldom()
    settings = Settings.from_environment()
    if home:
        settings = replace(settings, workspace=Workspace(Path(os.path.expanduser(home)).absolute()))
    acting = replace(settings.workspace, actor=os_user("command line"))
    context.obj = Session(replace(settings, workspace=acting))


for command in (
    data_group,
    train_command,
    search_command,
    evaluate_command,
    compare_command,
    curve_command,
    forgetting_command,
    compress_command,
    analyse_command,
    project_command,
    serve_command,
    models_group,
    jobs_group,
    audit_command,
    methods_command,
    demo_command,
):
    main.add_command(command)
