"""The command `rtvoiced`: what the command line says, and the exit status.

It starts one of four things, and each is imported only when it is asked for, so that
``--version`` and ``--check`` load neither PyAudio nor ZeroMQ:

* the daemon itself: `rtvoiced.app.build.process.run`,
* ``--check``: `rtvoiced.app.check`, what would be used,
* ``--doctor``: `rtvoiced.doctor.examine`, whether a conversation is possible,
* ``serve``: `rtvoiced_server.serve`, the embedded Realtime server.

Nothing is built here. Expected errors (`RtvoiceError`) become one line on stderr and
their exit status; bugs keep their traceback.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

# Before numpy is loaded: its threads cost every start 80 ms of work, and nothing here is large enough.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rtvoiced import __version__, errors
from rtvoiced.errors import ConfigError, RtvoiceError
from rtvoiced.host import paths
from rtvoiced.settings import reading

if TYPE_CHECKING:
    from rtvoiced.app.build.launch import Parts
    from rtvoiced.settings.schema import Settings

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
    """Return the function that reads the value of *flag*, as (section.key, text, flag)."""
    return lambda text: (FLAGS[flag][0], text, flag)


def assignment(text: str) -> tuple[str, str, str]:
    """Return what ``--set`` was given, as (section.key, text, flag); argparse tells a wrong one."""
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


def main(argv: Sequence[str] | None = None, parts: Parts | None = None) -> int:
    """Run rtvoiced; return its exit status.

    *argv* is the command line without the program's name. *parts* replaces what of
    the machine the daemon stands on: only tests give it.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["serve"]:
        from rtvoiced_server.serve import main as serve

        return serve(arguments[1:])
    options = parser().parse_args(arguments)
    environ = dict(os.environ)
    refuse_odd(options)
    try:
        if options.doctor:
            return examine(options, environ)
        config = load(options, environ)
        if options.check:
            from rtvoiced.app import check

            where = file(options, environ)
            return check.run(config, environ, where, as_json=options.json, quick=options.quick)
        return run(config, options, environ, parts)
    except RtvoiceError as error:
        if options.check and options.json:
            from rtvoiced.app import check

            check.print_refusal(error, file(options, environ))
        else:
            print(f"rtvoiced: {error}", file=sys.stderr)
        # launchd starts again whatever did not end with 0, and trying again mends no configuration.
        mended_by_hand = options.supervisor == "launchd" and isinstance(error, ConfigError)
        return errors.OK if mended_by_hand else error.status
    except KeyboardInterrupt:
        # Before the loop has its own handler, or in --check.
        return errors.INTERRUPTED


def refuse_odd(options: argparse.Namespace) -> None:
    """End the process with status 2 where flags do not go together."""
    if options.check and options.doctor:
        parser().error("--check and --doctor exclude each other")
    if options.json and not (options.check or options.doctor):
        parser().error("--json goes with --check and --doctor")
    if options.quick and not options.check:
        parser().error("--quick goes with --check")
    if options.sound and not options.doctor:
        parser().error("--sound goes with --doctor")


def load(options: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Return the settings from the flags, the environment and the file; raises `ConfigError`."""
    named = bool(options.config or environ.get("RTVOICE_CONFIG"))
    return reading.load(options.given or [], environ, file(options, environ), must_exist=named)


def file(options: argparse.Namespace, environ: Mapping[str, str]) -> Path:
    """Return the path of the configuration; unless it was named, the file need not exist."""
    return Path(options.config).absolute() if options.config else paths.config_file(environ)


def run(
    config: Settings, options: argparse.Namespace, environ: Mapping[str, str], parts: Parts | None
) -> int:
    """Run one daemon until it is asked to stop; *parts* are a test's in place of the machine's own."""
    from rtvoiced.app.build import process
    from rtvoiced.app.build.launch import REAL, Launch

    withdraw_keys()
    launch = Launch(
        config,
        lambda: load(options, environ),
        environ,
        runtime_dir=options.runtime_dir,
        system=options.system,
        supervisor=options.supervisor,
    )
    return process.run(launch, parts or REAL)


def examine(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Look at all that a conversation needs, and print what was found."""
    from rtvoiced.doctor import examine as doctor

    withdraw_keys()
    return doctor.run(
        lambda: load(options, environ),
        environ,
        options.runtime_dir,
        system=options.system,
        sound=options.sound,
        as_json=options.json,
    )


def withdraw_keys() -> None:
    """Take the keys and settings out of the process's environment, which its children would inherit."""
    for name in list(os.environ):
        if name.startswith(reading.PREFIX) or name.endswith("_API_KEY"):
            del os.environ[name]


if __name__ == "__main__":
    sys.exit(main())
