"""Where the daemon and its clients meet, and where files are (docs/ipc.md, "Where").

Daemon and clients call the same functions, so they agree. The first place that is set wins; nothing is
searched. platformdirs is imported only where nothing else is left, because it costs ``rtctl`` 10 ms.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Mapping
from pathlib import Path

from rtvoiced.errors import ConfigError, PermissionRefusedError

SYSTEM_RUNTIME_DIR = Path("/run/rtvoice")
"""The runtime directory of the machine's service."""
SERVICE_USER = "rtvoice"
"""The user that the machine's service runs as."""
MAX_SOCKET_PATH_BYTES = 103
"""``sun_path`` holds 104 bytes on macOS and 108 on Linux, one of them the closing NUL."""


def runtime_dir(
    explicit: str | None, environ: Mapping[str, str], *, daemon: bool = False, system: bool = False
) -> Path:
    """Return the absolute directory of the lock and the sockets; an empty string counts as not set.

    *explicit* is ``--runtime-dir``. With *daemon*, systemd's ``$RUNTIME_DIRECTORY``
    counts; *system* (``--system``) means the machine's service. Raises
    `PermissionRefusedError` where the last resort, a directory under /tmp, was taken
    by somebody else.
    """
    if named := explicit or environ.get("RTVOICE_RUNTIME_DIR"):
        return Path(named).absolute()
    # systemd separates several directories by colons (systemd.exec(5)); ours is the first.
    if daemon and (given := environ.get("RUNTIME_DIRECTORY", "").split(":")[0]):
        return Path(given).absolute()
    if system:
        return SYSTEM_RUNTIME_DIR
    if session := environ.get("XDG_RUNTIME_DIR"):
        return Path(session).absolute() / "rtvoice"
    session_dir = Path(f"/run/user/{os.getuid()}")
    if session_dir.is_dir():
        return session_dir / "rtvoice"
    from platformdirs import user_runtime_path

    try:
        # It warns on stderr that XDG_RUNTIME_DIR is not set, which is why it was asked.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return user_runtime_path("rtvoice", appauthor=False)
    except PermissionError as error:
        raise PermissionRefusedError(f"{error}; choose a --runtime-dir") from None


def lock_file(directory: Path) -> Path:
    """Return the file whose ``flock`` the daemon holds for life."""
    return directory / "lock"


def control_socket(directory: Path) -> Path:
    """Return the path of the socket that takes commands; raises `ConfigError` where it is too long."""
    return _socket_path(directory / "control.sock")


def events_socket(directory: Path) -> Path:
    """Return the path of the socket that publishes events; raises `ConfigError` where it is too long."""
    return _socket_path(directory / "events.sock")


def config_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the configuration; the file need not exist."""
    if named := environ.get("RTVOICE_CONFIG"):
        return Path(named).absolute()
    from platformdirs import user_config_path

    return user_config_path("rtvoice", appauthor=False) / "config.toml"


def state_dir(environ: Mapping[str, str]) -> Path:
    """Return the directory of what survives a restart; it need not exist."""
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given).absolute()
    from platformdirs import user_state_path

    return user_state_path("rtvoice", appauthor=False)


def check_runtime_dir_of_daemon(directory: Path, system: bool = False) -> None:
    """Raise `PermissionRefusedError` where a client can't trust that its daemon made *directory*.

    Whoever owns the directory reads every command, so a link and a stranger's
    directory are refused. One that is not there is not refused: connecting
    tells that better. With *system*, root and the service's user are trusted, too.
    """
    try:
        found = directory.lstat()
    except PermissionError:
        raise PermissionRefusedError(f"no permission to enter {directory}") from None
    except OSError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise PermissionRefusedError(f"{directory} is a link; name the directory itself with --runtime-dir")
    if found.st_uid not in ({0, *_service_uids()} if system else set()) | {os.getuid()}:
        hint = "" if system else "; rtctl --system reaches the system's service"
        raise PermissionRefusedError(f"{directory} belongs to another user (uid {found.st_uid}){hint}")


def _service_uids() -> set[int]:
    import pwd

    try:
        return {pwd.getpwnam(SERVICE_USER).pw_uid}
    except KeyError:
        return set()


def _socket_path(path: Path) -> Path:
    size = len(os.fsencode(path))
    if size > MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            f"the path of a socket is at most {MAX_SOCKET_PATH_BYTES} bytes long and {path} has {size}; "
            "choose a shorter --runtime-dir"
        )
    return path
