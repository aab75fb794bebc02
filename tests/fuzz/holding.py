"""What must hold behind everything that happened between a client, the relay and its apps: nobody was told or asked more
than one strict reading of what was said allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fuzz import strictly
from fuzz.memory import MARK, Memory
from fuzz.strictly import Message

Told = dict[int, list[Message]]
"""What each request was answered, by its number: by an app, or by two where it was asked again."""


def told(asked: Sequence[Memory], apps: Sequence[Memory]) -> Told:
    """What the apps answered; ``asked`` says of each request, by its number, which client's it was."""
    left = {who: iter(strictly.requests(bytes(who.heard))) for who in asked}
    allowed = [next(left[who], None) for who in asked]
    assert None not in allowed, "a request that is none, read strictly"
    found: Told = {}
    for app in apps:
        for number, message in _answered(app, [message for message in allowed if message]):
            found.setdefault(number, []).append(message)
    return found


def seen(client: Memory, numbers: Sequence[int], told: Told, *, ended: bool) -> list[int]:
    """The statuses that a client saw, whose requests have these numbers; ``ended``: its connection was closed well."""
    methods = [message.head.first[0] for message in strictly.requests(bytes(client.heard))]
    found = list(strictly.answers(bytes(client.said), [*methods, b"GET"], ended=ended))
    for at, message in enumerate(found):
        if message.head.values(b"content-type") != [b"application/problem+json"]:
            assert _is_of(message, told.get(numbers[at], [])), (at, message, told)
    return [int(message.head.first[1]) for message in found]


def _answered(app: Memory, allowed: list[Message]) -> Iterator[tuple[int, Message]]:
    numbers = _arrived(bytes(app.said), len(app.asked), allowed)
    methods = [allowed[number].head.first[0] for number in numbers]
    found = list(strictly.answers(bytes(app.heard), methods, ended=app.ended))
    _reused_well(app, found)
    return zip(numbers, found, strict=False)


def _arrived(said: bytes, count: int, allowed: list[Message]) -> list[int]:
    """The numbers of the requests on one app's connection: each stands in it as it was read from the client."""
    found = strictly.requests(said)
    assert len(found) == count, "a request that is no request to the app"
    numbers = [int(message.head.values(MARK.lower())[0]) for message in found]
    for number, message in zip(numbers, found, strict=True):
        asked = allowed[number]
        assert message.head.first[:2] == asked.head.first[:2]
        assert asked.content.startswith(message.content)
        assert asked.complete or not message.complete, "the end of a body that has none"
    return numbers


def _reused_well(app: Memory, found: list[Message]) -> None:
    """Each request but the first began when exactly the answers before it had come."""
    come = 0
    for before, message in zip(app.asked[1:], found, strict=False):
        come += message.size
        assert message.complete
        assert come == before, "a connection that was used again behind bytes that are nobody's"
    assert len(app.asked) <= len(found) + 1


def _is_of(message: Message, told: list[Message]) -> bool:
    """Whether this is what an app answered: not another's, no more, and no end that it did not have."""
    return any(
        message.head.first[1] == one.head.first[1]
        and one.content.startswith(message.content)
        and (one.complete or not message.complete)
        for one in told
    )
