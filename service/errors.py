"""What can go wrong when the service is asked, and what a client is told of it.

store.errors.NightlakeError
└── ServiceError                  base
    ├── SettingError              a variable of the environment that is no such setting
    ├── BadRequestError           a parameter that is none, or not of its kind
    ├── LimitError                more is asked for than one request may
    ├── TimeLimitError            the answer takes longer than one may
    ├── BusyError                 too many wait already
    ├── PrivateError              an answer that would tell of programmes that are not shown
    ├── NotAcceptableError        no format that the client takes
    ├── UnreadableUploadError     an uploaded table that cannot be read
    └── ClientGoneError           nobody waits for the answer any more

One table maps codes to HTTP. Paths, SQL and the like stay inside: of an error that is not listed
here a client hears nothing but that it happened.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from store.errors import NightlakeError


class ServiceError(NightlakeError):
    """Something is wrong with a request."""

    code = "service"


class SettingError(ServiceError, ValueError):
    """A variable of the environment that is no such setting."""

    code = "setting"

    def __init__(self, name: str, value: str, form: str) -> None:
        super().__init__(f"{name} cannot be {value!r}", hint=f"Give {form}.")


class AddressError(ServiceError, OSError):
    """No socket can be opened where the service is to listen."""

    code = "address"

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"cannot listen at {host}, port {port} ({reason})",
            hint="Give another --port or --host; another service may run there.",
        )


class NoWorkerError(ServiceError):
    """Workers end one after the other, and none has come up."""

    code = "no_worker"

    def __init__(self) -> None:
        super().__init__(
            "workers end before they can answer",
            hint="What ends them stands above; if nothing does, it is the system: is there memory?",
        )


class BadRequestError(ServiceError, ValueError):
    """A parameter that there is not, or that is not of its kind."""

    code = "bad_request"

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)


class LimitError(ServiceError):
    """More is asked for than one request may."""

    code = "limit"

    def __init__(self, what: str, most: float, unit: str = "") -> None:
        super().__init__(
            f"{what}: {most:,.0f}{unit} are the most", hint="Ask for less at once, several times."
        )


class TimeLimitError(ServiceError):
    """An answer that takes longer than one may."""

    code = "time_limit"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the answer takes more than {seconds:g} s of work", hint="Ask for less at once."
        )


class BusyError(ServiceError):
    """Too many requests wait already."""

    code = "busy"

    def __init__(self) -> None:
        super().__init__("too many requests are waiting", hint="Try again in a few seconds.")


class PrivateError(ServiceError):
    """An answer that would tell of programmes that are not shown."""

    code = "private"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} would tell of images of programmes that are not shown here",
            hint="Ask for light curves, images or nights.",
        )


class NotAcceptableError(ServiceError):
    """No format that the client takes."""

    code = "not_acceptable"

    def __init__(self, wanted: str, known: list[str]) -> None:
        super().__init__(f"there is no format {wanted!r}", hint=f"Choose {', '.join(known)}.")


class UnreadableUploadError(ServiceError):
    """A table that was uploaded and cannot be read."""

    code = "unreadable_table"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the table cannot be read ({reason})",
            hint="Send CSV, VOTable or Parquet with columns ra and dec in degrees (ICRS), "
            'or JSON as {"positions": [{"ra": 255.577, "dec": 12.284}]}.',
        )


class ClientGoneError(ServiceError):
    """Nobody waits for the answer any more."""

    code = "client_gone"

    def __init__(self) -> None:
        super().__init__("the client went away")


@dataclass(frozen=True)
class Told:
    """What a client hears of an error; a hint of None is the error's own."""

    status: int
    hint: str | None = None


# What may be told, by code. A path may stand in `where`, which is never told, and in some hints.
TOLD = {
    "bad_request": Told(400),
    "bad_cone": Told(400, "Give ra and dec in degrees (ICRS) and a radius above 0."),
    "bad_region": Told(400),
    "bad_selection": Told(400),
    "bad_parameter": Told(400),
    "missing_parameter": Told(400, "See GET /api/v1/queries for what it takes."),
    "unknown_parameter": Told(400),
    "unknown_filter": Told(400),
    "unreadable_table": Told(400),
    "limit": Told(400),
    "time_limit": Told(400),
    "no_period": Told(400),
    "private": Told(403),
    "unknown_object": Told(404, "Look around its place, with ra, dec and radius."),
    "unknown_query": Told(404),
    "unknown_collection": Told(404),
    "unknown_night": Told(404, "GET /api/v1/nights lists them."),
    "nothing_to_draw": Told(404),
    "not_built": Told(404, "This archive has no light-curve product: ask its keeper to build it."),
    "not_acceptable": Told(406),
    "busy": Told(503),
    "client_gone": Told(499),
    "out_of_memory": Told(400, "Ask for less at once."),
}
_LOG = logging.getLogger("nightlake.service")


@dataclass(frozen=True)
class Problem:
    """An error as a client sees it: the one shape of all."""

    status: int
    code: str
    message: str
    hint: str = ""

    def document(self) -> dict[str, str]:
        """Its JSON."""
        return {"code": self.code, "message": self.message, "hint": self.hint}

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


INTERNAL = Problem(500, "internal", "something went wrong inside; it is in the log")


def problem_of(error: NightlakeError) -> Problem:
    """What a client is told of an error; one that it hears nothing of goes to the log."""
    told = TOLD.get(error.code)
    if told is None:
        _LOG.error("%s", error, exc_info=error)
        return INTERNAL
    hint = error.hint if told.hint is None else told.hint
    return Problem(told.status, error.code, error.what, hint)
