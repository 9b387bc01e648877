"""The key that the service gets: asked for without an echo, kept in a file of its own, shown nowhere.

The file has mode 0600. systemd hands it to the service as a credential;
under launchd a flag names it. Its name says whose key it is.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from rtvoiced.errors import ConfigError

VARIABLES = {"openai": "OPENAI_API_KEY", "azure": "AZURE_OPENAI_API_KEY"}
MAX_KEY = 4096
"""Characters; a whole file piped in by mistake is no key."""


def file_name(provider: str) -> str:
    """Return the name of the credential, and of the file that holds it."""
    return f"{provider}_api_key"


def kept(directory: Path) -> list[Path]:
    """Return the files of keys in *directory*, in order."""
    return sorted(path for path in directory.glob("*_api_key") if path.is_file())


def ask(provider: str, environ: Mapping[str, str]) -> str:
    """Return the key for *provider*: typed unseen, or a line of what is piped in.

    An empty answer takes the one of the shell's environment, where there is
    one: on a terminal it is offered, and not taken unasked. Raises `ConfigError`.
    """
    variable = VARIABLES.get(provider, "")
    offered = environ.get(variable, "").strip() if variable else ""
    hint = f" [Enter: the one in {variable}]" if offered else ""
    key = _given(f"Key for {provider}{hint}: ").strip() or offered
    if not key:
        pipe = f"or: printenv {variable or 'KEY'} | rtctl service install --provider {provider}"
        raise ConfigError(f"provider {provider} needs a key: run this on a terminal, {pipe}")
    if len(key) > MAX_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"that is no key for {provider}: a key is one word of letters and digits")
    return key


def _given(prompt: str) -> str:
    """Return what is typed or piped in; empty where nothing is."""
    if sys.stdin is None:
        return ""
    try:
        if sys.stdin.isatty():
            import getpass

            return getpass.getpass(prompt)
        # Nobody to ask: whoever starts this from a script pipes the key in, or has set the variable.
        return sys.stdin.readline(MAX_KEY + 2)
    except EOFError:
        # Ctrl-D: somebody was asked, and wants none of it.
        raise ConfigError("no key was given, and nothing is installed") from None
    except UnicodeDecodeError:
        raise ConfigError("that is no key: it is no text") from None
