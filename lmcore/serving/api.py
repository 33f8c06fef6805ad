"""The HTTP application: one builder for uvicorn, its ``--factory``, and Ray Serve's ingress."""

import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

import lmcore
from lmcore.errors import InputError, OptionError, ServerError
from lmcore.models.load import LoadedModel, load_model
from lmcore.serving.batcher import MAX_WAITING
from lmcore.serving.body import SCHEMA, Limits, TooLarge, parse_texts, read_body
from lmcore.serving.monitor import records_file
from lmcore.serving.predictor import Predictor
from lmcore.serving.service import PredictionService
from lmcore.settings import Settings, Workspace
from lmcore.types import ModelRef

RETRY_SECONDS = 1
_OPEN = {"/health"}
_SCHEME = re.compile("^bearer ", re.IGNORECASE)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": '{"predictions": [{"label": …, "probabilities": {…}, "version": …}]}'},
    401: {"description": "the key is missing or wrong"},
    413: {"description": "the body is too large"},
    422: {"description": 'the request cannot be used: {"error": "one sentence"}'},
    503: {"description": "too many texts wait; Retry-After says when to come again"},
}


def build_app(
    source: "Predictor | LoadedModel | ModelRef | str",
    *,
    workspace: Workspace | None = None,
    settings: Settings | None = None,
    limits: Limits | None = None,
    api_key_sha256: str = "",
    max_waiting: int = MAX_WAITING,
) -> FastAPI:
    """Build the prediction server's application.

    ``POST /predict`` takes ``{"text": …}`` or ``{"texts": […]}``, ``GET /health`` says what is loaded, ``GET /stats``
    what was answered since the start, ``GET /metrics`` the same for Prometheus.

    Args:
        source: what answers: a predictor, a loaded model, or a reference to load, such as ``models:/name@champion``.
        workspace: where requests are recorded (never their texts), and registered models are found; None keeps the
            records in memory.
        settings: device and registry for loading a reference; None takes the workspace with the defaults, or the
            environment's where there is none either.
        limits: how much one request may hold.
        api_key_sha256: hexadecimal SHA-256 of the key that callers send as ``Authorization: Bearer …``; empty asks
            for none.
        max_waiting: most texts that may wait for the model before requests are answered with 503.

    Raises:
        InputError: the model cannot be loaded or has no trained head.
        OptionError: the key's hash is not a SHA-256.
    """
    if api_key_sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", api_key_sha256):
        raise OptionError("The API key's hash is not a SHA-256: give 64 hexadecimal digits, as sha256sum prints them.")
    place = workspace or (settings.workspace if settings else None)
    service = PredictionService(
        _predictor(source, settings or (Settings(place) if place else None)),
        records=records_file(place) if place else None,
        max_waiting=max_waiting,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(title="LMScope", version=lmcore.__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    _add_predict(app, service, limits or Limits())
    _add_reports(app, service)
    _add_errors(app, service)
    if api_key_sha256:
        _add_key(app, service, api_key_sha256.lower())
    return app


def _predictor(source: "Predictor | LoadedModel | ModelRef | str", settings: Settings | None) -> Predictor:
    if isinstance(source, Predictor):
        return source
    return Predictor(source if isinstance(source, LoadedModel) else load_model(source, settings=settings))


def _add_predict(app: FastAPI, service: PredictionService, limits: Limits) -> None:
    @app.post("/predict", responses=_ANSWERS, openapi_extra={"requestBody": SCHEMA})
    async def predict(request: Request) -> JSONResponse:
        """Predict one text or several."""
        try:
            texts = parse_texts(await read_body(request, limits), limits, service.predictor.reads)
            entries = await service.answer(texts)
        except InputError as error:
            status = 413 if isinstance(error, TooLarge) else 422
            service.refuse(status)
            return JSONResponse({"error": str(error)}, status)
        except ServerError as error:
            service.refuse(503)
            return JSONResponse({"error": str(error)}, 503, {"Retry-After": str(RETRY_SECONDS)})
        if all("error" in entry for entry in entries):
            return JSONResponse(entries[0], 422)
        return JSONResponse({"predictions": entries})


def _add_reports(app: FastAPI, service: PredictionService) -> None:
    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Say what is loaded."""
        loaded = service.predictor.loaded
        return {"status": "ok", "model_loaded": True, "version": service.version, "task": loaded.task}

    @app.get("/stats")
    def stats() -> dict[str, Any]:
        """Say what was answered since the start."""
        found = service.stats()
        return {
            "version": service.version,
            "since": found.since,
            "requests": found.requests,
            "errors": found.errors,
            "texts": found.texts,
            "latency_ms": dict(found.latency_ms),
            "labels": dict(found.labels),
        }

    @app.get("/metrics")
    def metrics() -> Response:
        """Return the same for Prometheus."""
        return Response(generate_latest(service.metrics), media_type=CONTENT_TYPE_LATEST)


def _add_errors(app: FastAPI, service: PredictionService) -> None:
    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": f"{error.detail}: {request.url.path}."}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        service.refuse(500)
        return JSONResponse({"error": f"The server failed with {type(error).__name__}: see its log."}, 500)


def _add_key(app: FastAPI, service: PredictionService, wanted: str) -> None:
    @app.middleware("http")
    async def check_key(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        given = _SCHEME.sub("", request.headers.get("authorization", "")).strip()
        digest = hashlib.sha256(given.encode()).hexdigest()
        if request.url.path in _OPEN or hmac.compare_digest(digest, wanted):
            return await answer(request)
        service.refuse(401)
        message = "The key is missing or wrong: send it as Authorization: Bearer <key>."
        return JSONResponse({"error": message}, 401, {"WWW-Authenticate": "Bearer"})
