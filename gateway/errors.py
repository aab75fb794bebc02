"""The whole error tree on one page.

Exceptions mean that the world failed or that somebody asked for the impossible; a denial is a value and lives in
``model``. Each class has a stable code and an HTTP status; its message is written for whoever reads it. Codes: G0xx
configuration, G1xx malformed or untrusted, G2xx refused use case, G3xx unavailable, G4xx an app failed (proxy mode).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration file: where, what, and what was probably meant."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.where}: {self.what}{hint}"


class GatewayError(Exception):
    """Whatever this program raises on purpose."""

    code = "G000"
    status = 503


class ConfigurationInvalid(GatewayError):
    """The configuration cannot be used; carries every problem at once."""

    code = "G001"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class CannotStart(GatewayError):
    """The server cannot start here: port taken, database absent, schema newer, keys of another installation."""

    code = "G002"


class Refused(GatewayError):
    """A use case that may not happen as asked (a bad name, an empty password)."""

    code = "G201"
    status = 422


class NotFound(Refused):
    """What was named does not exist."""

    code = "G202"
    status = 404


class Conflict(Refused):
    """What was named exists already, or was used before."""

    code = "G203"
    status = 409


class Unavailable(GatewayError):
    """Cannot know now; try again after ``retry_after`` seconds."""

    code = "G301"
    retry_after = 1


class StoreBusy(Unavailable):
    """The database answers, but not to this question now: pool full, too many connections, read only, time out."""

    code = "G302"


class StoreSilent(Unavailable):
    """The database does not answer at all: refused, silent, or starting up."""

    code = "G303"


class CommitUnknown(Unavailable):
    """The answer to a COMMIT was lost: it may or may not have happened, and is not tried again."""

    code = "G304"


class NestedCheckout(GatewayError):
    """A second connection was asked for while one was held: the shape of a pool deadlock, so it is a bug."""

    code = "G305"


class UpstreamFailed(GatewayError):
    """An app could not be asked, or did not answer. The message is for whoever asked; ``detail`` is for the log."""

    code = "G400"
    status = 502

    def __init__(self, detail: str = "") -> None:
        super().__init__((self.__doc__ or "").partition("\n")[0])
        self.detail = detail


class Unreachable(UpstreamFailed):
    """The app cannot be reached."""

    code = "G401"


class Resting(UpstreamFailed):
    """The app could not be reached a moment ago, and is not asked again yet."""

    code = "G402"


class Unverified(UpstreamFailed):
    """The app's certificate cannot be verified."""

    code = "G403"


class Garbled(UpstreamFailed):
    """The app's answer cannot be read."""

    code = "G404"


class ClosedEarly(UpstreamFailed):
    """The app closed the connection before it answered."""

    code = "G405"


class BadHandshake(UpstreamFailed):
    """The app did not answer the WebSocket handshake as it must."""

    code = "G406"


class SlowToConnect(UpstreamFailed):
    """The app does not take the connection."""

    code = "G410"
    status = 504


class Silent(UpstreamFailed):
    """The app did not answer in time."""

    code = "G411"
    status = 504


class Overloaded(UpstreamFailed):
    """The app has as many requests to answer as it may have at once."""

    code = "G420"
    status = 503


class Leaving(UpstreamFailed):
    """The gateway is restarting; try again in a moment."""

    code = "G421"
    status = 503
