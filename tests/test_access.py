import os
import pwd

import pytest

from lmcore.access import ACTIONS, Actor, Role, os_user
from lmcore.data.store import DatasetStore
from lmcore.errors import AccessError
from lmcore.jobs import JobBoard
from lmcore.jobs.selftest import TARGET
from lmcore.models.registry import ModelRegistry
from lmcore.reset import reset_workspace
from lmcore.serving import start_server, stop_server
from lmcore.serving.server import ServerState, write_state
from lmcore.settings import Settings, Workspace


def acting(workspace, role, name="ann@example.com"):
    return Workspace(workspace.root, Actor(name, "page", role))


def test_each_role_may_do_all_that_the_ones_before_it_may():
    allowed = {role: {name for name in ACTIONS if Actor("a", "page", role).allows(name)} for role in (None, *Role)}
    assert allowed[None] == set()
    assert allowed[Role.VIEW] == {"read"}
    assert {"keep_data", "start_job", "cancel_own_job", "evaluate"} <= allowed[Role.EDIT]
    assert not {"promote", "demote", "delete_job", "cancel_job", "start_server", "reset"} & allowed[Role.EDIT]
    assert allowed[Role.VIEW] < allowed[Role.EDIT] < allowed[Role.OPERATE] == set(ACTIONS)


def test_a_refusal_names_the_role_that_is_needed():
    with pytest.raises(AccessError, match=r"^Promoting a version needs the role operate: yours is edit\.$"):
        Actor("ann", "page", Role.EDIT).check("promote")
    with pytest.raises(AccessError, match=r"Reading needs the role view: you have none\."):
        Actor("ann", "page", None).check("read")


def test_the_login_name_is_the_systems_and_not_the_environments(monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert os_user().name == pwd.getpwuid(os.getuid()).pw_name
    assert os_user("command line") == Actor(os_user().name, "command line", Role.OPERATE)


def test_workspaces_of_a_folder_are_equal_whoever_works_in_them(workspace):
    mine, yours = acting(workspace, Role.VIEW), acting(workspace, Role.OPERATE, "bob@example.com")
    assert mine == yours
    assert hash(mine) == hash(yours)


def test_who_may_only_view_changes_nothing(workspace, topics):
    folder = workspace.folder(workspace.models / "m")
    viewed = acting(workspace, Role.VIEW)
    with pytest.raises(AccessError, match="needs the role edit"):
        DatasetStore(viewed).save(topics)
    with pytest.raises(AccessError, match="needs the role edit"):
        JobBoard(viewed).submit(TARGET, {"to": 1, "pause": 0}, title="Count", kind="check")
    with pytest.raises(AccessError, match="needs the role edit"):
        ModelRegistry(viewed).register("m", folder, task="text-classification")
    assert DatasetStore(workspace).list() == []
    assert JobBoard(workspace).list() == []
    assert ModelRegistry(workspace).list() == []


def test_who_may_edit_does_not_operate(tracked):
    folder = tracked.folder(tracked.models / "m")
    edited = acting(tracked, Role.EDIT)
    registry = ModelRegistry(edited)
    registry.register("m", folder, task="text-classification")
    with pytest.raises(AccessError, match="Promoting"):
        registry.promote("m", 1)
    ModelRegistry(tracked).promote("m", 1)
    with pytest.raises(AccessError, match="Taking an alias away"):
        registry.demote("m", "champion")
    assert ModelRegistry(tracked).get("models:/m/1").aliases == ("champion",)
    write_state(tracked, ServerState("running", pid=os.getpid(), version="models:/m/1"))
    with pytest.raises(AccessError, match="Stopping the prediction server"):
        stop_server(edited)
    with pytest.raises(AccessError, match="Starting the prediction server"):
        start_server(Settings(edited, device="cpu"), "models:/m/1")
    with pytest.raises(AccessError, match="Emptying the workspace"):
        reset_workspace(edited, JobBoard(edited))
    assert folder.is_dir()


def test_a_job_is_cancelled_by_who_submitted_it_or_by_an_operator(workspace):
    ann = JobBoard(acting(workspace, Role.EDIT), grace_seconds=0.1)
    bob = JobBoard(acting(workspace, Role.EDIT, "bob@example.com"), grace_seconds=0.1)
    job = ann.submit(TARGET, {"to": 1000, "pause": 0.05}, title="Count", kind="check")
    assert job.submitted_by == "ann@example.com"
    with pytest.raises(AccessError, match=r"another person's job needs the role operate"):
        bob.cancel(job.id)
    assert bob.get(job.id).cancel_requested is None
    ann.cancel(job.id)
    assert bob.wait(job.id, 30).state == "cancelled"
    with pytest.raises(AccessError, match="Deleting a job"):
        ann.delete(job.id)
    JobBoard(acting(workspace, Role.OPERATE)).delete(job.id)


def test_the_demo_promotes_and_so_needs_an_operator(workspace):
    with pytest.raises(AccessError, match="Opening the demo"):
        JobBoard(acting(workspace, Role.EDIT)).submit(TARGET, {"to": 1, "pause": 0}, title="Demo", kind="demo")
