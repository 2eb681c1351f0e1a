"""Run a command that the kernel lets write only where it may, and open no socket at all.

    python sandbox.py --write FOLDER [--write FOLDER …] -- COMMAND …

Landlock refuses every write, creation and removal outside the named folders, root's too, and is
inherited by all processes that the command starts; a seccomp filter ends whoever asks for a
socket. Linux, x86-64 or aarch64.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
RULE_PATH_BENEATH = 1
# linux/landlock.h: write, remove, make, refer and truncate; reading stays free.
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
WRITES = WRITE_FILE | sum(1 << bit for bit in range(4, 13)) | 1 << 13 | TRUNCATE
TO_FILES = WRITE_FILE | TRUNCATE
# (audit architecture, number of the socket call)
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW = 0x80000000, 0x7FFF0000
AF_UNIX_DEVICES = ("/dev/null", "/dev/tty", "/dev/shm")  # shm: locks between worker processes


def available() -> bool:
    """Whether this kernel has what is needed."""
    return platform.machine() in MACHINES and LIBC.syscall(CREATE_RULESET, None, 0, 1) >= 3


def _call(*arguments: object) -> int:
    result = LIBC.syscall(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def allow_writes_only_in(folders: list[str]) -> None:
    """Refuse every write outside `folders`, for this process and those it starts."""
    handled = struct.pack("=Q", WRITES)
    ruleset = _call(CREATE_RULESET, ctypes.c_char_p(handled), len(handled), 0)
    for path in (*folders, *AF_UNIX_DEVICES):
        if not Path(path).exists():
            continue
        handle = os.open(path, os.O_PATH)
        rights = WRITES if Path(path).is_dir() else TO_FILES
        rule = struct.pack("=Qi", rights, handle)
        _call(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.c_char_p(rule), 0)
        os.close(handle)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call(RESTRICT_SELF, ruleset, 0)


def end_whoever_opens_a_socket() -> None:
    """A filter of system calls: socket() ends the process at once."""
    architecture, socket_call = MACHINES[platform.machine()]
    load, jump_equal, give_back = 0x20, 0x15, 0x06

    def step(code: int, true: int, false: int, value: int) -> bytes:
        return struct.pack("=HBBI", code, true, false, value)

    program = b"".join(
        (
            step(load, 0, 0, 4),  # the call's architecture
            step(jump_equal, 0, 3, architecture),
            step(load, 0, 0, 0),  # its number
            step(jump_equal, 0, 1, socket_call),
            step(give_back, 0, 0, SECCOMP_RET_KILL_PROCESS),
            step(give_back, 0, 0, SECCOMP_RET_ALLOW),
        )
    )
    kept = ctypes.create_string_buffer(program)
    filter_ = struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(filter_), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def main(arguments: list[str]) -> None:
    cut = arguments.index("--")
    options, command = arguments[:cut], arguments[cut + 1 :]
    folders = [options[i + 1] for i in range(0, len(options), 2)]
    allow_writes_only_in(folders)
    end_whoever_opens_a_socket()
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
