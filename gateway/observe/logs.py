"""Log lines: for people on a terminal, JSON elsewhere. No secret, token, query string or path is ever written.

The standard library's ``logging`` is the front (uvicorn and psycopg speak it), structlog is the pen.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

_EXTRA = structlog.stdlib.ExtraAdder()
_QUIET = ("uvicorn.access", "watchfiles", "psycopg.pool", "asyncio")


def configure(form: str, level: str, stream: TextIO = sys.stderr) -> None:
    """``form`` is auto, console or json; auto is console on a terminal."""
    console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _EXTRA,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain tracebacks: where rich is installed, structlog would print the variables too, passwords among them.
    plain = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = plain if console else structlog.processors.JSONRenderer()
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not console:
        last.append(structlog.processors.format_exc_info)
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*last, renderer])
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
