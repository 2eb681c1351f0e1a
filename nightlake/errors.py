"""How a command ends: one table from an error's code to the process's exit code."""

from __future__ import annotations

from enum import IntEnum

from store.errors import NightlakeError


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    REFUSALS = 3
    NOTHING = 4
    INTERNAL = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130  # 128 + SIGINT, as shells say it
    BROKEN_PIPE = 141  # 128 + SIGPIPE


MEANING = {
    Exit.DONE: "done",
    Exit.ERROR: "an error; the archive is as it was",
    Exit.USAGE: "the command was not understood",
    Exit.REFUSALS: "done, but some inputs were refused",
    Exit.NOTHING: "nothing done: every input was refused, or what was asked for is not there",
    Exit.INTERNAL: "an internal error",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
    Exit.BROKEN_PIPE: "the reader of the output went away",
}

# Every other code is Exit.ERROR.
_EXIT_OF_CODE = {
    "bad_cone": Exit.USAGE,
    "bad_region": Exit.USAGE,
    "bad_selection": Exit.USAGE,
    "bad_parameter": Exit.USAGE,
    "missing_parameter": Exit.USAGE,
    "unknown_filter": Exit.USAGE,
    "bad_collection": Exit.USAGE,
    "unknown_parameter": Exit.USAGE,
    "unknown_query": Exit.USAGE,
    "unknown_format": Exit.USAGE,
    "simulate_plan": Exit.USAGE,
    "empty_archive": Exit.NOTHING,
    "no_catalogues": Exit.NOTHING,
    "not_built": Exit.NOTHING,
    "nothing_to_compact": Exit.NOTHING,
    "unknown_channel": Exit.NOTHING,
    "unknown_night": Exit.NOTHING,
    "unknown_import": Exit.NOTHING,
    "unknown_collection": Exit.NOTHING,
    "nothing_to_export": Exit.NOTHING,
    "unknown_object": Exit.NOTHING,
    "unknown_publication": Exit.NOTHING,
    "nothing_to_draw": Exit.NOTHING,
}


def exit_of(error: NightlakeError) -> Exit:
    """The exit code of a command that ends with `error`."""
    return _EXIT_OF_CODE.get(error.code, Exit.ERROR)
