"""The expected errors: each has an exit status, and says in one line what is wrong and what to do.

They are raised where something is found out, and shown by ``rtvoiced`` or ``rtctl`` at the very end, as
one line on the standard error. A bug is none of these: it crashes with a traceback and status 70.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from rtvoiced.vocabulary import Direction

# Exit statuses, after sysexits.h where that has one (docs/ipc.md, "Exit codes").
OK = 0
NO = 1
USAGE = 2
DATA = 65
UNAVAILABLE = 69
INTERNAL = 70
AUDIO = 74
TEMPORARY = 75
PROTOCOL = 76
NO_PERMISSION = 77
CONFIG = 78
INTERRUPTED = 130

STATUS_OF_CODE = {
    "bad_request": PROTOCOL,
    "unknown_command": PROTOCOL,
    "unsupported_protocol": PROTOCOL,
    "bad_args": DATA,
    "device_not_found": DATA,
    "expired": TEMPORARY,
    "timeout": TEMPORARY,
    "busy": TEMPORARY,
    "not_connected": TEMPORARY,
    "rate_limited": TEMPORARY,
    "auth_failed": NO_PERMISSION,
    "not_allowed": NO_PERMISSION,
    "audio_unavailable": AUDIO,
    "shutting_down": UNAVAILABLE,
    "internal": INTERNAL,
    "gap_too_old": NO,
}
"""The exit status of ``rtctl`` for each error code of the IPC contract."""


class RtvoiceError(Exception):
    """An error that the user can do something about."""

    status: ClassVar[int] = INTERNAL
    """The exit status of the process that ends with it."""


class ConfigError(RtvoiceError):
    """The configuration can't be used as it is."""

    status = CONFIG


class MissingKeyError(ConfigError):
    """The *provider* needs a key, and there is none."""

    def __init__(self, provider: str, message: str) -> None:
        super().__init__(message)
        self.provider = provider


class PermissionRefusedError(RtvoiceError):
    """A file or directory belongs to somebody else, or is open to others."""

    status = NO_PERMISSION


class AlreadyRunningError(RtvoiceError):
    """Another daemon holds the lock of this runtime directory."""

    status = TEMPORARY


class AudioError(RtvoiceError):
    """A card can't be opened or was lost, or a part of the sound can't be loaded.

    *problems* says by direction why each can't be had, where that is known.
    """

    status = AUDIO

    def __init__(self, message: str, problems: Mapping[Direction, str] | None = None) -> None:
        super().__init__(message)
        self.problems = problems or {}


class NotRunningError(RtvoiceError):
    """No daemon answers at this runtime directory."""

    status = UNAVAILABLE


class ServiceError(RtvoiceError):
    """The service manager is not there, or did not do what it was asked for."""

    status = UNAVAILABLE


class CommandError(RtvoiceError):
    """The daemon refuses a command, with an error code of the IPC contract.

    *retryable* tells that the same command may succeed later; *details* are for programs.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False, details: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.details = details if isinstance(details, dict) else {}
