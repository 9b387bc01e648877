"""The command `rtvoiced`: arguments, logging, exit status; builds the objects. Nothing else does."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Before numpy is loaded: its threads cost every start 80 ms of work, and nothing here is large enough.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rtvoiced import __version__, errors
from rtvoiced.errors import ConfigError, RtvoiceError
from rtvoiced.host import logs, paths
from rtvoiced.settings import reading

if TYPE_CHECKING:
    from rtvoiced.app.transcript import Transcript
    from rtvoiced.audio.cards.device_watch import DeviceWatch
    from rtvoiced.audio.playback.queue import PlaybackQueue
    from rtvoiced.audio.thread.duplex import Duplex, Report
    from rtvoiced.dsp.pcm import Card
    from rtvoiced.realtime.providers import Provider
    from rtvoiced.settings.runtime import RuntimeSettings
    from rtvoiced.settings.schema import Settings
    from rtvoiced.vocabulary import Direction

MOST_COLUMNS = 110
"""Longer lines are hard to read, however wide the terminal."""
FLAGS = {
    "--provider": ("session.provider", "NAME", "openai, azure, custom or local"),
    "--url": ("session.url", "URL", "WebSocket URL of a custom server, taken verbatim"),
    "--model": ("session.model", "M", "the model, or Azure's name for it"),
    "--voice": ("session.voice", "V", "the assistant's voice"),
    "--audio": ("audio.card", "SPEC", "auto, portaudio, none, or wav:IN,OUT"),
    "--input": ("audio.input", "NAME", "microphone: part of the device's name"),
    "--output": ("audio.output", "NAME", "speaker: part of the device's name"),
    "--log-format": ("log.format", "FORMAT", "auto, console or json"),
    "--log-level": ("log.level", "LEVEL", "debug, info, warning or error"),
}


def given(flag: str) -> Callable[[str], tuple[str, str, str]]:
    """Return what reads the value of *flag*, as (section.key, text, flag)."""
    return lambda text: (FLAGS[flag][0], text, flag)


def assignment(text: str) -> tuple[str, str, str]:
    """Read the value of ``--set``."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"wants section.key=value, not {text!r}")
    return key, value, "--set"


def parser() -> argparse.ArgumentParser:
    """Return the parser of rtvoiced's command line."""
    made = argparse.ArgumentParser(
        prog="rtvoiced",
        description="Keeps a microphone, a speaker and a Realtime session alive; rtctl commands it.",
        epilog="rtvoiced serve runs the embedded Realtime server alone: rtvoiced serve --help",
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=f"rtvoiced {__version__}")
    made.add_argument(
        "--config", metavar="FILE", help="configuration (default: the user's rtvoice/config.toml)"
    )
    made.add_argument("--runtime-dir", metavar="DIR", help="directory of the sockets")
    made.add_argument(
        "--system", action="store_true", help="be the machine's service: in /run/rtvoice, for its group too"
    )
    made.add_argument("--supervisor", choices=("systemd", "launchd"), help="who keeps it running")
    for flag, (_, metavar, text) in FLAGS.items():
        # One list for all of them: the last on the line wins, whichever way it is written.
        made.add_argument(flag, dest="given", action="append", type=given(flag), metavar=metavar, help=text)
    text = "any key of the configuration"
    made.add_argument("--set", dest="given", action="append", type=assignment, metavar="KEY=VALUE", help=text)
    made.add_argument("--check", action="store_true", help="print what would be used and found, and exit")
    made.add_argument("--quick", action="store_true", help="with --check: look at no device")
    made.add_argument("--doctor", action="store_true", help="look at all that a conversation needs, and exit")
    made.add_argument("--sound", action="store_true", help="with --doctor: play a chime, and listen for it")
    made.add_argument("--json", action="store_true", help="with --check and --doctor: as JSON")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run rtvoiced; return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["serve"]:
        from rtvoiced_server.serve import main as serve

        return serve(arguments[1:])
    options = parser().parse_args(arguments)
    environ = dict(os.environ)
    refuse_odd(options)
    try:
        if options.doctor:
            from rtvoiced.doctor.examine import run as examine

            withdraw_keys()
            return examine(
                lambda: load(options, environ),
                environ,
                options.runtime_dir,
                system=options.system,
                sound=options.sound,
                as_json=options.json,
            )
        config = load(options, environ)
        if options.check:
            from rtvoiced.app.check import report

            return report(config, environ, file(options, environ), as_json=options.json, quick=options.quick)
        return run(config, options, environ)
    except RtvoiceError as error:
        if options.check and options.json:
            from rtvoiced.app.check import refusal, tell

            tell(json.dumps(refusal(error, file(options, environ))))
        else:
            print(f"rtvoiced: {error}", file=sys.stderr)
        # launchd starts again whatever did not end with 0, and trying again mends no configuration.
        mended_by_hand = options.supervisor == "launchd" and isinstance(error, ConfigError)
        return errors.OK if mended_by_hand else error.status
    except KeyboardInterrupt:
        # Before the loop has its own handler, or in --check.
        return errors.INTERRUPTED


def refuse_odd(options: argparse.Namespace) -> None:
    """End with 2 where flags do not go together."""
    if options.check and options.doctor:
        parser().error("--check and --doctor exclude each other")
    if options.json and not (options.check or options.doctor):
        parser().error("--json goes with --check and --doctor")
    if options.quick and not options.check:
        parser().error("--quick goes with --check")
    if options.sound and not options.doctor:
        parser().error("--sound goes with --doctor")


def load(options: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Return the settings from the flags, the environment and the file."""
    named = bool(options.config or environ.get("RTVOICE_CONFIG"))
    return reading.load(options.given or [], environ, file(options, environ), must_exist=named)


def file(options: argparse.Namespace, environ: Mapping[str, str]) -> Path:
    """Return where the configuration is; unless it was named, it need not exist."""
    return Path(options.config).absolute() if options.config else paths.config_file(environ)


def run(config: Settings, options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run one daemon until it is asked to stop."""
    from rtvoiced.audio.cards.portaudio import quiet_stderr
    from rtvoiced.ipc.server.runtime import claim
    from rtvoiced.realtime.providers import choose

    provider = choose(config, environ)
    directory = paths.runtime_dir(options.runtime_dir, environ, daemon=True, system=options.system)
    lock = claim(directory, for_group=options.system)
    try:
        quiet_stderr()
        withdraw_keys()
        logs.configure(config.log.level, config.log.format)
        return asyncio.run(serve(config, provider, directory, options, environ))
    finally:
        lock.release()


def withdraw_keys() -> None:
    """Take out of the environment what a child process needs none of: a key is nobody else's."""
    for name in list(os.environ):
        if name.startswith(reading.PREFIX) or name.endswith("_API_KEY"):
            del os.environ[name]


async def serve(
    config: Settings,
    provider: Provider,
    directory: Path,
    options: argparse.Namespace,
    environ: Mapping[str, str],
) -> int:
    """Build the daemon in the running loop, run it, and take it apart."""
    import zmq

    from rtvoiced.app import status
    from rtvoiced.app.daemon import Daemon, Shells
    from rtvoiced.app.embedded_server import EmbeddedServer
    from rtvoiced.app.mute_file import MuteFile
    from rtvoiced.app.session_config import interruption_rules, session_config
    from rtvoiced.audio.playback.queue import PlaybackQueue
    from rtvoiced.conversation.machine import Conversation
    from rtvoiced.host.notify import ServiceNotifier
    from rtvoiced.ipc.server.control import Control
    from rtvoiced.ipc.server.publisher import Publisher
    from rtvoiced.realtime.backoff import Backoff
    from rtvoiced.realtime.link import Link
    from rtvoiced.realtime.providers import choose
    from rtvoiced.settings.runtime import RuntimeSettings

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    run_id = uuid.uuid4().hex[:8]
    control_path, events_path = paths.control_socket(directory), paths.events_socket(directory)
    publisher = Publisher(context, events_path, run_id, replay_events=config.ipc.replay_events)
    server = EmbeddedServer(config.log.level)
    asked = session_config(config, provider)
    conversation = Conversation(asked, provider.name, provider.model, interruption_rules(config))
    playback = PlaybackQueue(24_000, config.interruption.fade_ms, config.audio.volume_percent)
    onlooker = transcript(config)
    mute_file = MuteFile(paths.state_dir(environ) / "mute.json")

    def usable() -> Settings:
        # What a restart would refuse is refused now.
        fresh = load(options, environ)
        choose(fresh, environ)
        return fresh

    live = RuntimeSettings(config, usable)

    async def where() -> Any:
        return provider.endpoint or await server.endpoint()

    shells = Shells(
        control=lambda take: Control(context, control_path, take, lambda: (run_id, publisher.seq)),
        link=lambda post: Link(
            where, post, Backoff(config.link.retry_first_s, config.link.retry_max_s), config.link.ping_s
        ),
        audio=lambda post: audio(live, playback, post, onlooker, lambda: conversation.session.up),
    )
    daemon = Daemon(
        conversation,
        playback,
        publisher,
        shells,
        server,
        mute_file,
        status.DaemonFacts(
            time.monotonic(),
            time.time(),
            round(time.time(), 3),
            supervisor=status.supervisor(environ, options.supervisor),
        ),
        {"control": str(control_path), "events": str(events_path)},
        live,
        lambda settings: session_config(settings, provider),
        device_watch(config),
        onlooker or (lambda _event: None),
        ServiceNotifier(environ),
    )
    try:
        return await daemon.run(mute_file.read(config.audio.start_muted, time.time()))
    finally:
        context.term()


def transcript(config: Settings) -> Transcript | None:
    """Return what shows the conversation to whoever watches the terminal; None with a JSON log."""
    from rtvoiced.app.transcript import Transcript

    if not logs.is_console(config.log.format):
        return None

    def show(line: str) -> None:
        # A terminal that went away, or has no such letters, is no reason to end.
        with contextlib.suppress(OSError, UnicodeEncodeError):
            print(line, flush=True)

    columns = shutil.get_terminal_size((MOST_COLUMNS, 24)).columns
    return Transcript(show, color=sys.stdout.isatty(), columns=min(columns, MOST_COLUMNS))


def audio(
    live: RuntimeSettings,
    playback: PlaybackQueue,
    post: Callable[[Report], None],
    onlooker: Transcript | None,
    ready: Callable[[], bool],
) -> Duplex:
    """Return the audio thread with the card of the configuration, not yet started."""
    from rtvoiced.audio.capture.front_end import FrontEnd
    from rtvoiced.audio.thread.duplex import Duplex

    kind, rest = reading.card(live.now)
    in_a_room = kind not in ("none", "wav")
    front = FrontEnd(live.now.echo, live.now.vad, lambda: playback.audible, room=in_a_room)
    if kind == "none":
        return Duplex(no_card, playback, post, front)
    if kind == "wav":
        open_wav = wav_card(rest, playback, onlooker, ready)
        return Duplex(open_wav, playback, post, front, chimes=live.now.echo.chime)
    from rtvoiced.audio.cards import portaudio

    def open_card() -> Card:
        # Each time anew: set-device changes the names.
        wanted = live.now.audio
        return portaudio.open_card(wanted.input or "", wanted.output or "")

    return Duplex(open_card, playback, post, front, chimes=live.now.echo.chime)


def device_watch(config: Settings) -> DeviceWatch:
    """Return the watch for missing devices; without a real card it has nothing to look for."""
    from rtvoiced.audio.cards.device_list import BACKGROUND, DeviceList
    from rtvoiced.audio.cards.device_watch import LOOK_S, DeviceWatch

    wanted: dict[Direction, str] = {}
    if reading.card(config)[0] not in ("none", "wav"):
        wanted = {"input": config.audio.input or "", "output": config.audio.output or ""}
    return DeviceWatch(DeviceList(BACKGROUND, LOOK_S), wanted)


def no_card() -> Card:
    """Refuse: there is to be no card, and answers go by as text."""
    raise errors.AudioError('audio.card = "none"')


def wav_card(
    spec: str, playback: PlaybackQueue, onlooker: Transcript | None, ready: Callable[[], bool]
) -> Callable[[], Card]:
    """Return what opens the WAV card of *spec*, ``IN,OUT``; a bad file or script is told now."""
    from rtvoiced.audio.cards.script_voice import speak
    from rtvoiced.audio.cards.wav import WavCard, parse_spec

    named = parse_spec(f"wav:{spec}")
    card = WavCard(named, lambda: playback.sounding, speak, ready=ready)
    if onlooker and named.output:
        onlooker.note(f"what a listener hears goes to {named.output}")
    return lambda: card


if __name__ == "__main__":
    sys.exit(main())
