"""Serving a model: the predictor, the HTTP application, its process and its records."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.analysis.served.attribution import ServedAttribution, attribute_served
    from lmcore.serving.api import build_app
    from lmcore.serving.client import ask_server, send, server_client
    from lmcore.serving.failed import FailedPrediction
    from lmcore.serving.monitor import ServingStats, read_stats
    from lmcore.serving.predictor import Predictor
    from lmcore.serving.server import ServerState, server_state, start_server, stop_server

_EXPORTS = {
    "FailedPrediction": "lmcore.serving.failed",
    "Predictor": "lmcore.serving.predictor",
    "ServedAttribution": "lmcore.analysis.served.attribution",
    "ServerState": "lmcore.serving.server",
    "ServingStats": "lmcore.serving.monitor",
    "ask_server": "lmcore.serving.client",
    "attribute_served": "lmcore.analysis.served.attribution",
    "build_app": "lmcore.serving.api",
    "read_stats": "lmcore.serving.monitor",
    "send": "lmcore.serving.client",
    "server_client": "lmcore.serving.client",
    "server_state": "lmcore.serving.server",
    "start_server": "lmcore.serving.server",
    "stop_server": "lmcore.serving.server",
}

__all__ = [
    "FailedPrediction",
    "Predictor",
    "ServedAttribution",
    "ServerState",
    "ServingStats",
    "ask_server",
    "attribute_served",
    "build_app",
    "read_stats",
    "send",
    "server_client",
    "server_state",
    "start_server",
    "stop_server",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
