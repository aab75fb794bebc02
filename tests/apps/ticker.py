"""An app with server-sent events, made with sse-starlette, as such apps are made. It runs in the apps' own environment.

What is posted to ``/say`` is an event for everybody who listens at ``/events``; ``/left`` answers as soon as nobody does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent  # type: ignore[import-not-found]  # theirs, not ours
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

listening: dict[int, asyncio.Queue[str]] = {}
news = asyncio.Condition()


async def page(request: Request) -> HTMLResponse:
    return HTMLResponse("<!doctype html><title>Events</title><ul></ul>")


async def events(request: Request) -> EventSourceResponse:
    last = int(request.headers.get("last-event-id", "0"))

    async def forever() -> AsyncIterator[ServerSentEvent]:
        heard: asyncio.Queue[str] = asyncio.Queue()
        listening[id(heard)] = heard
        await tell()
        try:
            number = last
            yield ServerSentEvent(comment="listening")
            while True:
                number += 1
                yield ServerSentEvent(await heard.get(), id=str(number))
        finally:
            del listening[id(heard)]
            await asyncio.shield(tell())

    return EventSourceResponse(forever(), ping=3600)


async def say(request: Request) -> PlainTextResponse:
    said = (await request.body()).decode()
    for heard in listening.values():
        heard.put_nowait(said)
    return PlainTextResponse(str(len(listening)))


async def left(request: Request) -> PlainTextResponse:
    async with news:
        await news.wait_for(lambda: not listening)
    return PlainTextResponse("nobody listens")


async def tell() -> None:
    async with news:
        news.notify_all()


app = Starlette(
    routes=[
        Route("/", page),
        Route("/events", events),
        Route("/say", say, methods=["POST"]),
        Route("/left", left),
    ]
)
