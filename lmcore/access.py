"""Who acts, and what each role may do."""

import os
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from lmcore.errors import AccessError

Via = Literal["page", "command line", "python", "job"]


class Role(IntEnum):
    """What a person may do; each role may do all that the ones before it may."""

    VIEW = 1
    EDIT = 2
    OPERATE = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done: what it is called, and the least role that may do it."""

    title: str
    role: Role


ACTIONS: dict[str, Action] = {
    "read": Action("Reading", Role.VIEW),
    "keep_data": Action("Bringing in, cleaning and splitting data", Role.EDIT),
    "label": Action("Labelling rows", Role.EDIT),
    "keep_suite": Action("Keeping a suite of test cases", Role.EDIT),
    "start_job": Action("Starting a job", Role.EDIT),
    "start_demo": Action("Opening the demo, which promotes a version,", Role.OPERATE),
    "resume_job": Action("Resuming a job", Role.EDIT),
    "cancel_own_job": Action("Cancelling a job", Role.EDIT),
    "cancel_job": Action("Cancelling another person's job", Role.OPERATE),
    "delete_job": Action("Deleting a job", Role.OPERATE),
    "end_job": Action("Ending a job", Role.EDIT),
    "evaluate": Action("Evaluating a version", Role.EDIT),
    "register": Action("Registering a version", Role.EDIT),
    "promote": Action("Promoting a version", Role.OPERATE),
    "demote": Action("Taking an alias away", Role.OPERATE),
    "start_server": Action("Starting the prediction server", Role.OPERATE),
    "stop_server": Action("Stopping the prediction server", Role.OPERATE),
    "reset": Action("Emptying the workspace", Role.OPERATE),
    "read_audit": Action("Reading the audit log", Role.OPERATE),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts on a workspace.

    Attributes:
        name: an e-mail address, a login name of the machine, or another name that tells people apart.
        via: where the person acts; ``job`` where a worker acts for the person who submitted its job.
        role: what the person may do; None for nothing at all.
    """

    name: str
    via: Via
    role: Role | None

    def allows(self, action: str) -> bool:
        """Whether the person may do one of the `ACTIONS`."""
        return self.role is not None and self.role >= ACTIONS[action].role

    def check(self, action: str) -> None:
        """Let an action pass.

        Raises:
            AccessError: the person's role is not enough for it.
        """
        if not self.allows(action):
            raise AccessError(refusal(action, self.role))


def refusal(action: str, role: Role | None) -> str:
    """Say which role an action needs beside the one that a person has."""
    wanted = ACTIONS[action]
    has = f"yours is {role}" if role else "you have none"
    return f"{wanted.title} needs the role {wanted.role}: {has}."


def os_user(via: Via = "python") -> Actor:
    """Return the person who owns this process, as the system knows them; whoever has a shell may do everything."""
    return Actor(_login(), via, Role.OPERATE)


def _login() -> str:
    # Not getpass: it believes the environment, where anybody may call themselves as they like.
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # another system, or a container whose user has no name
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else os.getlogin()
