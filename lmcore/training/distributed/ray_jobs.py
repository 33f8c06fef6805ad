"""A client of Ray Jobs: submits, asks after, reads and stops jobs of a Ray cluster over its HTTP interface.

Spoken to directly, so that the machine of the dashboard needs no Ray, and so that no variable of Ray's own leads a run to
another cluster than the settings name.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lmcore.errors import JobError, OptionError
from lmcore.settings import Settings

ANSWER_SECONDS = 30.0
ENDED = frozenset({"STOPPED", "SUCCEEDED", "FAILED"})
_REFUSED = {401, 403}


class SilentCluster(JobError):
    """A Ray cluster does not answer."""


@dataclass(frozen=True, slots=True)
class RayAccess:
    """How a Ray cluster is reached.

    Attributes:
        address: where its dashboard listens, such as ``http://head:8265``.
        token: what it knows its users by; it appears in no text form of this.
    """

    address: str
    token: str = field(repr=False)

    @classmethod
    def from_environment(cls, settings: Settings, environ: Mapping[str, str] | None = None) -> "RayAccess":
        """Take the address of the settings, and the token where Ray itself reads it.

        Args:
            settings: name the cluster.
            environ: ``RAY_AUTH_TOKEN``, or ``RAY_AUTH_TOKEN_PATH`` with the name of a file.

        Raises:
            OptionError: no cluster is named, its address is none, or there is no token.
        """
        env = os.environ if environ is None else environ
        parts = urlsplit(settings.ray_address)
        if not settings.ray_address:
            raise OptionError("No Ray cluster is set up: set LMSCOPE_RAY_ADDRESS to one, such as http://head:8265.")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            raise OptionError("LMSCOPE_RAY_ADDRESS is not the address of a Ray cluster: write it as http://head:8265.")
        return cls(settings.ray_address.rstrip("/"), _token(env))


@dataclass(frozen=True, slots=True)
class RayJobs:
    """The jobs of a Ray cluster.

    Attributes:
        access: which cluster, and the token for it.
    """

    access: RayAccess

    def submit(self, job_id: str, command: str, variables: Mapping[str, str]) -> None:
        """Let the cluster run a command.

        Args:
            job_id: the identifier that the job gets.
            command: a shell's command line, which the cluster shows to all its users.
            variables: environment variables of the job, which it shows too.

        Raises:
            SilentCluster: it does not answer.
            JobError: it refuses the token or the job.
        """
        asked = {"submission_id": job_id, "entrypoint": command, "runtime_env": {"env_vars": dict(variables)}}
        if self._ask("POST", "/api/jobs/", asked) is None:
            raise JobError(
                f"There is no Ray Jobs at {self.access.address}: name the address of the cluster's dashboard."
            )

    def status(self, job_id: str) -> str | None:
        """Return ``PENDING``, ``RUNNING``, ``STOPPED``, ``SUCCEEDED`` or ``FAILED``; None where the cluster has no such job.

        Raises:
            As `submit`.
        """
        found = self._ask("GET", f"/api/jobs/{job_id}")
        return None if found is None else str(found["status"])

    def stop(self, job_id: str) -> None:
        """End a job.

        Raises:
            As `submit`.
        """
        self._ask("POST", f"/api/jobs/{job_id}/stop")

    def log(self, job_id: str) -> str:
        """Return what a job has printed.

        Raises:
            As `submit`.
        """
        found = self._ask("GET", f"/api/jobs/{job_id}/logs")
        return "" if found is None else str(found["logs"])

    def _ask(self, method: str, path: str, values: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        import httpx

        where = self.access.address
        try:
            answer = httpx.request(
                method,
                f"{where}{path}",
                json=values,
                headers={"Authorization": f"Bearer {self.access.token}"},
                timeout=ANSWER_SECONDS,
            )
        except httpx.TransportError as error:
            raise SilentCluster(
                f"The Ray cluster at {where} does not answer: check LMSCOPE_RAY_ADDRESS and that it runs."
            ) from error
        if answer.status_code == 404:
            return None
        if answer.status_code in _REFUSED:
            raise JobError(
                f"The Ray cluster at {where} refuses the token: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's own."
            )
        if not answer.is_success:
            raise JobError(
                f"The Ray cluster at {where} answers with the error {answer.status_code}: its own log says why."
            )
        return dict(answer.json())


def _token(env: Mapping[str, str]) -> str:
    path = env.get("RAY_AUTH_TOKEN_PATH")
    try:
        token = env.get("RAY_AUTH_TOKEN") or (Path(path).read_text(encoding="utf-8") if path else "")
    except (OSError, ValueError) as error:
        raise OptionError(
            "The file that RAY_AUTH_TOKEN_PATH names cannot be read: it holds the cluster's token."
        ) from error
    token = token.strip()
    if not token.isascii() or not token.isprintable() or not token:
        raise OptionError(
            "A Ray cluster is used with a token alone: set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH to a file that holds it."
        )
    return token
