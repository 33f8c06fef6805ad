"""The client of Ray Jobs against a small server that behaves as a Ray cluster's dashboard does."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lmcore.errors import JobError, OptionError
from lmcore.training.distributed.ray_jobs import RayAccess, RayJobs, SilentCluster

TOKEN = "secret-of-the-cluster"


class Dashboard(HTTPServer):
    """Jobs by their identifier, for those who bring the token."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.jobs, self.stopped = {}, []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *said):
        pass

    def answer(self, code, values=None):
        body = json.dumps(values or {}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_request(self):
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(403)
        parts = self.path.removeprefix("/api/jobs").strip("/").split("/")
        jobs = self.server.jobs
        if self.path == "/api/jobs/":
            asked = json.loads(sent)
            if asked["submission_id"] in jobs:
                return self.answer(500)
            jobs[asked["submission_id"]] = asked | {"status": "PENDING"}
            return self.answer(200, {"submission_id": asked["submission_id"]})
        if parts[0] not in jobs:
            return self.answer(404)
        if parts[1:] == ["stop"]:
            self.server.stopped.append(parts[0])
            return self.answer(200, {"stopped": True})
        if parts[1:] == ["logs"]:
            return self.answer(200, {"logs": "said\n"})
        return self.answer(200, {"status": jobs[parts[0]]["status"]})

    do_GET = do_POST = handle_request


@pytest.fixture
def dashboard():
    server = Dashboard()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def jobs(dashboard):
    return RayJobs(RayAccess(dashboard.address, TOKEN))


def test_a_job_is_submitted_asked_after_read_and_stopped(jobs, dashboard):
    jobs.submit("one", "python -m x", {"A": "1"})
    sent = dashboard.jobs["one"]
    assert sent["entrypoint"] == "python -m x"
    assert sent["runtime_env"] == {"env_vars": {"A": "1"}}
    assert TOKEN not in json.dumps(sent)
    assert jobs.status("one") == "PENDING"
    assert jobs.log("one") == "said\n"
    jobs.stop("one")
    assert dashboard.stopped == ["one"]
    assert jobs.status("other") is None


def test_a_wrong_token_is_refused_in_a_sentence_that_does_not_hold_it(dashboard):
    with pytest.raises(JobError, match="refuses the token: set RAY_AUTH_TOKEN") as caught:
        RayJobs(RayAccess(dashboard.address, "wrong-one")).submit("one", "x", {})
    assert "wrong-one" not in str(caught.value)
    assert dashboard.jobs == {}


def test_what_the_cluster_refuses_is_an_error(jobs):
    jobs.submit("one", "x", {})
    with pytest.raises(JobError, match="the error 500"):
        jobs.submit("one", "x", {})


def test_a_cluster_that_does_not_answer_is_named(dashboard):
    access = RayAccess(dashboard.address, TOKEN)
    dashboard.shutdown()
    dashboard.server_close()
    with pytest.raises(SilentCluster, match=f"The Ray cluster at {dashboard.address} does not answer"):
        RayJobs(access).status("one")


def test_the_token_is_taken_where_ray_takes_it_and_shown_nowhere(settings, tmp_path):
    named = replace(settings, ray_address="http://head:8265/")
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    for environ in ({"RAY_AUTH_TOKEN": TOKEN}, {"RAY_AUTH_TOKEN_PATH": str(path)}):
        access = RayAccess.from_environment(named, environ)
        assert access == RayAccess("http://head:8265", TOKEN)
        assert TOKEN not in f"{access} {access!r} {RayJobs(access)!r}"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "used with a token alone"),
        ({"RAY_AUTH_TOKEN": "a\nb"}, "used with a token alone"),
        ({"RAY_AUTH_TOKEN_PATH": "/nowhere/at/all"}, "RAY_AUTH_TOKEN_PATH names cannot be read"),
    ],
)
def test_without_a_token_no_cluster_is_used(settings, environ, message):
    with pytest.raises(OptionError, match=message):
        RayAccess.from_environment(replace(settings, ray_address="http://head:8265"), environ)


@pytest.mark.parametrize(
    "address", ["head:8265", "ftp://head", "http://", "http://user:word@head:8265", "ray://head:1"]
)
def test_an_address_is_that_of_a_dashboard(settings, address):
    with pytest.raises(OptionError, match="not the address of a Ray cluster") as caught:
        RayAccess.from_environment(replace(settings, ray_address=address), {"RAY_AUTH_TOKEN": TOKEN})
    assert "word" not in str(caught.value)


def test_no_cluster_is_set_up_by_default(settings):
    with pytest.raises(OptionError, match="No Ray cluster is set up: set LMSCOPE_RAY_ADDRESS"):
        RayAccess.from_environment(settings, {"RAY_AUTH_TOKEN": TOKEN})
