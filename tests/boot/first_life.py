"""The user's service: installed, spoken to, killed, hanging, stopped, without a key; it stays installed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from house import (
    KEY,
    PATH,
    UNIT,
    answers,
    done,
    files,
    home,
    rtctl,
    run,
    shown,
    status,
    systemctl,
    told,
    uid,
    until,
)
from support.virtual_card import DEFAULT_PA

UNITS = home() / ".config/systemd/user"
RUNTIME = Path(f"/run/user/{uid()}/rtvoice")
BACK_S = 5.0
"""The issue's own bound."""


def the_machine_is_up() -> None:
    """a lingering user has a service manager, and no sound server yet"""
    until(
        lambda: systemctl("is-system-running").stdout.strip() in ("running", "degraded"), "the user's systemd"
    )
    done(systemctl("mask", "--now", "pulseaudio.socket", "pulseaudio.service"))
    (home() / ".config/pulse").mkdir(parents=True, exist_ok=True)
    (home() / ".config/pulse/default.pa").write_text(DEFAULT_PA)
    (home() / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
    done(run("chown", "-R", "owner:", str(home()), user="root"))
    (Path(__file__).parent / "before").write_text(json.dumps(sorted(files(home()))))


def installs() -> None:
    """rtctl service install: names each file; it answers, systemd is its supervisor, it starts by itself"""
    said = done(rtctl("service", "install", "--provider", "local"))
    unit = UNITS / UNIT

    assert f"write {unit}\n" in said, said
    assert "ExecStart=/opt/rtvoice/bin/rtvoiced --provider local\n" in unit.read_text()
    found = status()
    assert (found["supervisor"], found["connection"]["provider"]) == ("systemd", "local")
    assert str(found["pid"]) == shown("MainPID")
    assert shown("UnitFileState") == "enabled"
    assert "microphone unavailable" in shown("StatusText"), shown("StatusText")
    assert rtctl("service", "status").returncode == 0


def sound_server_comes_late() -> None:
    """a sound server that is started late: the microphone opens within 5 s, without a restart"""
    before = status()
    assert before["input"]["status"] == "unavailable"
    done(systemctl("unmask", "pulseaudio.socket", "pulseaudio.service"))
    done(systemctl("start", "pulseaudio.service"))
    took = until(lambda: status()["input"]["status"] == "open", "an open microphone", BACK_S)
    told("the microphone opened after", took)

    assert (status()["pid"], status()["output"]["status"]) == (before["pid"], "open")


def spoken_turn() -> None:
    """a spoken question is heard and answered aloud"""
    until(lambda: status()["connection"]["status"] == "up", "the connection")
    session = {"XDG_RUNTIME_DIR": f"/run/user/{uid()}"}
    done(run("flite", "-voice", "slt", "-t", "what is seven plus five", "-o", "question.wav"))
    events = subprocess.Popen(
        ["runuser", "-u", "owner", "--", "rtctl", "--json", "events", "assistant_transcript", "--count", "1"],
        env={"PATH": PATH, "HOME": str(home()), **session},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: status()["subscribers"] >= 1, "the subscriber")
        done(run("paplay", "--device=micsink", "question.wav", environ=session))
        out, _ = events.communicate(timeout=30)
    finally:
        events.kill()
    answer = json.loads(out)["data"]

    assert "12" in answer["heard"], answer
    assert answer["heard"] == answer["text"]


def diagnosed() -> None:
    """rtctl doctor finds nothing that makes a conversation impossible; logs and config are the service's"""
    told = json.loads(done(rtctl("--json", "doctor")))
    verdicts = {each["check"]: each["verdict"] for each in told["findings"]}
    session = (*("service", "key", "daemon"), *("sound server", "microphone", "speaker", "session"))

    assert [check for check in session if verdicts[check] != "ok"] == [], told
    assert "audio.open" in done(rtctl("logs"))
    settings = json.loads(done(rtctl("--json", "config", "--service")))["settings"]
    assert settings["session.provider"] == {"value": "local", "origin": "flag --provider"}


def killed() -> None:
    """SIGKILL: it is back within 5 s"""
    before = status()["pid"]
    os.kill(before, 9)
    took = until(lambda: (found := answers()) and found["pid"] != before, "another daemon", BACK_S)
    told("it was back after", took)

    assert shown("NRestarts") == "1"


def _hang(trigger: str) -> str:
    """Have the service hang in this way; return why systemd ended it."""
    before = status()["pid"]
    (home() / trigger).touch()
    os.chown(home() / trigger, uid(), -1)
    until(lambda: shown("MainPID") != str(before), "its end", 30)
    result = done(run("journalctl", "--no-pager", "-o", "cat", f"_SYSTEMD_USER_UNIT={UNIT}", user="root"))
    (home() / trigger).unlink(missing_ok=True)
    until(lambda: (found := answers()) and found["pid"] != before, "another daemon")
    return result


def loop_hangs() -> None:
    """a loop that hangs is killed by the watchdog, with a traceback in the log, and is back"""
    drop_in = UNITS / f"{UNIT}.d/hanging.conf"
    drop_in.parent.mkdir(exist_ok=True)
    program = f"/opt/rtvoice/bin/python {Path(__file__).parent}/hanging.py --provider local"
    drop_in.write_text(f"[Service]\nWatchdogSec=3\nExecStart=\nExecStart={program}\n")
    done(run("chown", "-R", "owner:", str(drop_in.parent), user="root"))
    done(systemctl("daemon-reload"))
    done(rtctl("service", "restart"))
    begun = time.monotonic()
    log = _hang("block-the-loop")
    told("it was back after", time.monotonic() - begun)

    assert "Fatal Python error: Aborted" in log
    assert shown("NRestarts") == "1"


def audio_thread_ends() -> None:
    """an audio thread that is dead: the watchdog is not fed, it ends and is back"""
    begun = time.monotonic()
    _hang("end-the-audio-thread")
    told("it was back after", time.monotonic() - begun)

    assert shown("NRestarts") == "2"
    (UNITS / f"{UNIT}.d/hanging.conf").unlink()
    done(systemctl("daemon-reload"))
    done(rtctl("service", "restart"))


def reloads() -> None:
    """systemctl reload reads the configuration again, in the same process"""
    before = status()["pid"]
    config = home() / ".config/rtvoice/config.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text("[audio]\nvolume_percent = 55\n")
    done(run("chown", "-R", "owner:", str(config.parent), user="root"))
    done(systemctl("reload", UNIT))
    until(lambda: status()["volume_percent"] == 55, "the new volume")

    assert (status()["pid"], shown("ActiveState")) == (before, "active")


def stops() -> None:
    """stop: the sockets are gone and rtctl ends with 69; start: it answers again"""
    done(rtctl("service", "stop"))
    assert not list(RUNTIME.glob("*.sock"))
    assert rtctl("status").returncode == 69
    assert rtctl("service", "status").returncode == 69
    done(rtctl("service", "start"))
    assert status()["supervisor"] == "systemd"


def another_daemon() -> None:
    """a daemon that is no service's keeps its sockets when the service finds it there"""
    done(rtctl("service", "stop"))
    foreign = subprocess.Popen(
        ["runuser", "-u", "owner", "--", "rtvoiced", "--provider", "local", "--audio", "none"],
        env={"PATH": PATH, "HOME": str(home()), "XDG_RUNTIME_DIR": f"/run/user/{uid()}"},
        stderr=subprocess.DEVNULL,
    )
    until(answers, "the other daemon")
    refused = rtctl("service", "start")

    assert (refused.returncode, "another rtvoiced has" in refused.stderr) == (75, True), refused
    assert (status()["supervisor"], shown("NRestarts")) == (None, "0")
    assert "not the service's" in rtctl("service", "status").stdout
    done(rtctl("stop"))
    foreign.wait(timeout=10)
    done(rtctl("service", "start"))


def hardened() -> None:
    """install --hardened: the same, and it can write nothing but its state"""
    done(rtctl("service", "install", "--hardened"))
    until(lambda: status()["input"]["status"] == "open", "an open microphone")
    done(rtctl("mute"))
    mounts = Path(f"/proc/{status()['pid']}/mounts").read_text().splitlines()
    (top,) = [line.split() for line in mounts if line.split()[1] == "/"]
    done(rtctl("service", "restart"))

    assert top[3].split(",")[0] == "ro"
    assert (status()["muted"], shown("PrivateUsers")) == (True, "yes")
    done(rtctl("unmute"))


def no_key() -> None:
    """provider openai without a key: refused by install; the service ends with 78 and is not tried again"""
    refused = rtctl("service", "install", "--provider", "openai")
    assert (refused.returncode, status()["connection"]["provider"]) == (78, "local"), refused

    done(rtctl("service", "install", "--provider", "openai", given=f"{KEY}\n"))
    (UNITS / f"{UNIT}.d/key.conf").rename(home() / "key.conf")
    done(systemctl("daemon-reload"))
    failed = rtctl("service", "restart")
    assert (failed.returncode, shown("NRestarts"), shown("ExecMainStatus")) == (78, "0", "78"), failed

    (home() / "key.conf").rename(UNITS / f"{UNIT}.d/key.conf")
    (home() / ".config/rtvoice/keys/openai_api_key").rename(home() / "key")
    done(systemctl("daemon-reload"))
    failed = rtctl("service", "restart")
    assert (failed.returncode, shown("NRestarts"), shown("ExecMainStatus")) == (78, "0", "243"), failed
    (home() / "key").rename(home() / ".config/rtvoice/keys/openai_api_key")


def key_is_nowhere() -> None:
    """the key is in its file of mode 0600, and in no unit, argv, environment, log, event or answer"""
    done(rtctl("service", "start"))
    until(lambda: status()["connection"]["status"] in ("lost", "failed"), "a try to connect")
    kept = home() / ".config/rtvoice/keys/openai_api_key"
    assert (kept.read_text(), oct(kept.stat().st_mode & 0o777)) == (f"{KEY}\n", "0o600")

    said = {
        "systemctl show": done(systemctl("show", UNIT)) + done(systemctl("show")),
        "systemctl cat": done(systemctl("cat", UNIT)),
        "journal": done(run("journalctl", "--no-pager", "-o", "json", user="root")),
    }
    for words in (("status",), ("stats",), ("history",), ("service", "status"), ("service", "print")):
        said |= {
            " ".join(words): done(rtctl(*words)),
            " ".join(("--json", *words)): done(rtctl("--json", *words)),
        }
    events = ("events", "--since", "0", "--count", str(status()["seq"]))
    for looks in (events, ("doctor",), ("config", "--service")):
        # What the doctor finds is a server that can't be reached from here.
        ended = rtctl("--json", *looks)
        assert ended.stdout.startswith("{"), ended
        said[" ".join(looks)] = ended.stdout + ended.stderr
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == uid():
                for name in ("cmdline", "environ"):
                    said[f"{process}/{name}"] = (process / name).read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
    assert [where for where, text in said.items() if KEY in text] == []
    done(rtctl("service", "install", "--provider", "local"))


CASES = (
    the_machine_is_up,
    installs,
    sound_server_comes_late,
    spoken_turn,
    diagnosed,
    killed,
    loop_hangs,
    audio_thread_ends,
    reloads,
    stops,
    another_daemon,
    hardened,
    no_key,
    key_is_nowhere,
)
