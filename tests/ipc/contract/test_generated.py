"""What is made of the declarations is fresh; what is stale is found, named and written anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import generate
from generate import mdoc
from generate.texts import between

TREES = ("docs/man", "ctl/rtctl", "daemon/rtvoiced/ipc/contract")


def test_everything_that_is_generated_is_fresh() -> None:
    assert list(generate.stale()) == [], "run: make generate"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A source tree with what the generators read and write."""
    for path in TREES:
        shutil.copytree(generate.ROOT / path, tmp_path / path)
    for page in ("ipc.md", "architecture.md"):
        shutil.copy(generate.ROOT / "docs" / page, tmp_path / "docs")
    return tmp_path


SPOILT = {
    "daemon/rtvoiced/ipc/contract/schemas.json": ("Silence the assistant", "Silence it"),
    "ctl/rtctl/cli/generated_verbs.py": ("switch the microphone off", "switch it off"),
    "ctl/rtctl/client/commands.py": ("Silence the assistant", "Silence it"),
    "ctl/rtctl/client/async_commands.py": ("Silence the assistant", "Silence it"),
    "docs/architecture.md": ("Idle --> Listening", "Idle --> Speaking"),
    "docs/ipc.md": ("| `interrupt` | – |", "| `interrupt` | `at_once` |"),
    "docs/man/rtctl.1": (".It Cm mute Oo Fl -for", ".It Cm mute Oo Fl -until"),
    "docs/man/rtvoice-ipc.7": (".Pq item_id, text, final", ".Pq item_id, text"),
    "docs/man/rtvoiced.1": ("default 500", "default 501"),
    "ctl/rtctl/cli/completions/rtctl.bash": ("is-muted", "is-quiet"),
}


@pytest.mark.parametrize("path", SPOILT)
def test_what_is_stale_is_named_and_written_anew(copy: Path, path: str) -> None:
    fresh = (copy / path).read_text("utf-8")
    (copy / path).write_text(fresh.replace(*SPOILT[path]), "utf-8")

    assert list(generate.stale(copy)) == [path]
    assert list(generate.stale(copy, write=True)) == [path]
    assert (copy / path).read_text("utf-8") == fresh


def test_a_page_without_its_marks_is_no_page() -> None:
    with pytest.raises(ValueError, match="no marks"):
        between("text", "events", "row", ("<!-- ", " -->"))


@pytest.mark.parametrize(
    ("markdown", "made"),
    [
        ("One. Two.", "One.\nTwo.\n"),
        ("With `--wait`, later.", "With\n.Fl -wait ,\nlater.\n"),
        ("See `rtvoiced(1)`.", "See\n.Xr rtvoiced 1 .\n"),
        ("At most `N` of them (`mute`).", "At most\n.Ar N\nof them\n.Li ( mute ) .\n"),
        ("**Still** *for_s* of ``key``", "Still\n.Li for_s\nof\n.Li key\n"),
    ],
)
def test_markdown_becomes_the_language_of_the_manual_pages(markdown: str, made: str) -> None:
    assert mdoc.text(markdown) == made
