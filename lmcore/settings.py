"""The workspace folder, limits and device: read once from the environment, then passed along."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lmcore.access import Actor, os_user
from lmcore.errors import OptionError, StorageError
from lmcore.identity import Roles

MIB = 1 << 20
MAX_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Workspace:
    """One folder that holds all that LMScope stores; deleting it loses nothing else.

    Attributes:
        root: the folder.
        actor: who works in it: what changes something checks their role and records their name. Two workspaces of the
            same folder are equal whoever works in them.
    """

    root: Path
    actor: Actor = field(default_factory=os_user, compare=False)

    @property
    def datasets(self) -> Path:
        """Immutable data set versions: ``<name>/<version>/``."""
        return self.root / "datasets"

    @property
    def labels(self) -> Path:
        """Labels that people give and that are not yet a data set version: ``<name>/<version>.db``."""
        return self.root / "labels"

    @property
    def suites(self) -> Path:
        """Test cases that are kept with a data set version: ``<name>/<version>/<suite>/<number>/``."""
        return self.root / "suites"

    @property
    def models(self) -> Path:
        """Weights of registered versions: ``<name>/<fingerprint>/``."""
        return self.root / "models"

    @property
    def checkpoints(self) -> Path:
        """Unfinished training: one folder a run."""
        return self.root / "checkpoints"

    @property
    def results(self) -> Path:
        """Stored evaluations and projections."""
        return self.root / "results"

    @property
    def stores(self) -> Path:
        """Memory-mapped arrays; may be deleted at any time."""
        return self.root / "stores"

    @property
    def jobs(self) -> Path:
        """The job queue's database and logs."""
        return self.root / "jobs"

    @property
    def serving(self) -> Path:
        """The prediction server's state, log and request records."""
        return self.root / "serving"

    @property
    def audit(self) -> Path:
        """The log of what was done by whom; emptying the workspace keeps it."""
        return self.root / "audit"

    @property
    def tracking(self) -> Path:
        """The MLflow database file."""
        return self.root / "mlflow.db"

    def folder(self, path: Path) -> Path:
        """Make a folder of the workspace where it is missing, and return it.

        Raises:
            StorageError: it cannot be made.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"The workspace folder {path} cannot be made ({error.strerror}): set LMSCOPE_HOME to a folder "
                "that can be written."
            ) from error
        return path


@dataclass(frozen=True, slots=True)
class Settings:
    """What the machine and its owner allow.

    Attributes:
        workspace: where everything is stored.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        pool_bytes: memory that models loaded for interactive analysis may take together.
        upload_bytes: largest data file that is read.
        model_dirs: folders whose sub-folders are offered as models.
        tracking_uri: an MLflow server, or empty for the workspace's own SQLite file.
        server_port: port of the prediction server on the loopback interface.
        jobs_at_once: how many jobs run side by side.
        max_tokens: the most tokens of a text that is trained, evaluated or served on; memory is planned by it. A text that is
            analysed by itself is read as far as the model's own window.
        ray_address: the dashboard of a Ray cluster to train on, or empty.
        ray_workers: how many workers train there together where nothing else is asked for.
        ray_device: ``cpu`` or ``cuda``: what each of them computes on.
        stalled_seconds: how long a job may say nothing before it is taken to hang.
        roles: who may do what in a dashboard that asks people to sign in.
        trusted_issuers: sign-in services that verify e-mail addresses without saying so.
    """

    workspace: Workspace
    device: str = "auto"
    pool_bytes: int = 2048 * MIB
    upload_bytes: int = 200 * MIB
    model_dirs: tuple[Path, ...] = ()
    tracking_uri: str = ""
    server_port: int = 8600
    jobs_at_once: int = 1
    max_tokens: int = MAX_TOKENS
    stalled_seconds: int = 3600
    roles: Roles = field(default_factory=Roles)
    trusted_issuers: tuple[str, ...] = ()
    ray_address: str = ""
    ray_workers: int = 2
    ray_device: str = "cpu"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read ``LMSCOPE_HOME``, ``LMSCOPE_DEVICE``, ``LMSCOPE_POOL_MB``, … and ``MLFLOW_TRACKING_URI``.

        Raises:
            OptionError: a number is not one or is out of range, a role is none, or a value is none of those that there are.
        """
        env = os.environ if environ is None else environ
        home = _folder(env.get("LMSCOPE_HOME") or "~/.lmscope")
        folders = [_folder(p) for p in env.get("LMSCOPE_MODEL_DIRS", "").split(os.pathsep) if p]
        return cls(
            workspace=Workspace(home),
            device=env.get("LMSCOPE_DEVICE") or "auto",
            pool_bytes=_number(env, "LMSCOPE_POOL_MB", 2048, 64, 1 << 20) * MIB,
            upload_bytes=_number(env, "LMSCOPE_UPLOAD_MB", 200, 1, 1 << 14) * MIB,
            model_dirs=tuple(folders),
            tracking_uri=env.get("MLFLOW_TRACKING_URI", ""),
            server_port=_number(env, "LMSCOPE_SERVER_PORT", 8600, 1, 65535),
            jobs_at_once=_number(env, "LMSCOPE_JOBS", 1, 1, 64),
            max_tokens=_number(env, "LMSCOPE_MAX_TOKENS", MAX_TOKENS, 16, 1 << 20),
            ray_address=env.get("LMSCOPE_RAY_ADDRESS", "").strip(),
            ray_workers=_number(env, "LMSCOPE_RAY_WORKERS", 2, 1, 1024),
            ray_device=_one_of(env, "LMSCOPE_RAY_DEVICE", ("cpu", "cuda")),
            stalled_seconds=_number(env, "LMSCOPE_STALLED_SECONDS", 3600, 1, 1 << 20),
            roles=Roles.parse(env.get("LMSCOPE_ROLES", "")),
            trusted_issuers=tuple(env.get("LMSCOPE_TRUSTED_ISSUERS", "").split()),
        )


def _folder(text: str) -> Path:
    # os.path leaves the ~ of a user who is not there as it is, where pathlib raises RuntimeError.
    return Path(os.path.expanduser(text)).absolute()


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or not low <= int(text) <= high:
        raise OptionError(f"{name} is {text!r}: give a whole number from {low} to {high}.")
    return int(text)


def _one_of(env: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = env.get(name, "").strip() or choices[0]
    if text not in choices:
        raise OptionError(f"{name} is {text!r}: give {' or '.join(choices)}.")
    return text
