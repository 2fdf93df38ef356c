"""The simulator as a WebAssembly module, in Node and in a Worker of a browser."""
from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import find_browser
from modules import Play, built, has_wasm_linker, play_in_node, worker
from paths import ROOT
from simulated import run_kernel

pytestmark = pytest.mark.skipif(not has_wasm_linker(), reason="needs clang and wasm-ld")
BYTES_MAX = 200_000
STOP = re.compile(r"^ +(?:STOP_)?([A-Z_]+)(?:: (\d+))?,", re.MULTILINE)
TESTS = "init=/cowtest,simple,three,file"
FORKS = "init=/sh,-c,ls"
KEYS = "echo one; echo two\npoweroff\n"


@pytest.fixture(name="play", scope="module", params=["node", "chromium"])
def fixture_play(request: pytest.FixtureRequest) -> Iterator[Play]:
    """Plays a scenario there."""
    if request.param == "node":
        if not shutil.which("node"):
            pytest.skip("needs node")
        yield play_in_node
        return
    if find_browser() is None:
        pytest.skip("needs chromium")
    with worker() as (play, _):
        yield play


@pytest.mark.parametrize("harts", [1, 3])
def test_module_comes_to_the_same_state(play: Play, harts: int, tmp_path: Path) -> None:
    """As the command does, and again after a snapshot was restored."""
    ran = play("ends", harts=harts, append=TESTS)
    native = run_kernel("--harts", harts, "--append", TESTS, folder=tmp_path)
    first = ran["first"]
    assert (first["hash"], first["time"]) == (native.state, native.time)
    assert first["exitStatus"] == native.status == 0
    assert "three: ok" in first["output"] and first["output"].endswith(ran["second"]["output"])
    assert {**first, "output": ""} == {**ran["second"], "output": ""}


def test_keys_reach_the_guest(play: Play) -> None:
    """And what it prints comes out."""
    ran = play("types", keys=KEYS)
    assert "one\ntwo\n$ poweroff" in ran["output"].replace("\r", "")
    assert (ran["stop"], ran["exitStatus"]) == (1, 0)


@pytest.mark.parametrize("profile", ["kind", "all"])
def test_events_tell_all_and_change_nothing(play: Play, profile: str, tmp_path: Path) -> None:
    """The state at the end is the same as without them, and whoever applies the changes of page
    tables knows all that can be reached, at any time."""
    ran = play("watches", harts=3, append="init=/cowtest,simple", profile=profile)
    assert ran["plain"] == ran["watched"] and "simple: ok" in ran["plain"]["output"]
    assert ran["mistakes"] == 0 and ran["tables"] > 10
    counts, stopped = ran["counts"], ran["stopped"]
    assert stopped.pop("stops") == counts["trap"] + counts["switch"]
    assert stopped.pop("late") == 0 and stopped == ran["plain"]
    assert counts.keys() >= {"entry store", "entry found", "fence translations", "switch"}
    words = ["--append", "init=/cowtest,simple", "--profile", profile, "--harts", 3]
    run_kernel(*words, "--trace-traps", "--trace", tmp_path / "trace", folder=tmp_path)
    traps = (tmp_path / "trace").read_text().splitlines()
    assert counts["trap"] + counts["fault"] == len(traps)
    assert counts["fault"] == len([line for line in traps if "page fault" in line])


def test_events_show_a_copy_on_write(play: Play, tmp_path: Path) -> None:
    """fork protects a page, a program writes it, and gets a copy; and one can go back to it."""
    told = play("copies", append=FORKS)
    protects, copies = told["names"]
    assert protects.startswith("share+") and copies.startswith("pt_replace+")
    assert told["isCopy"] and told["isSameFault"] and told["atHandler"]
    assert told["faultFrom"] == [0, "user"] and told["stopped"] == [6, "cow_break"]
    native = run_kernel("--append", FORKS, "--stop-at", "cow_break", folder=tmp_path)
    assert told["stopHash"] == native.state


@pytest.mark.parametrize("profile", ["kind", "all"])
def test_past_can_be_reached_exactly(play: Play, profile: str) -> None:
    """Each state is what it was the first time, and so is the end; nothing is printed twice."""
    times = [1, 100_000, 250_001, 251_000, 1_999_999, 2_000_000, 5_000_001]
    settings = {"harts": 3, "append": "init=/cowtest,simple", "profile": profile}
    ran = play("seeks", times=times, **settings)
    assert ran["right"]
    assert "simple: ok" in ran["end"]["output"] and ran["again"] == {**ran["end"], "output": ""}


def test_module_says_what_is_wrong(play: Play) -> None:
    """With settings, and with arguments."""
    assert "settings are wrong" in play("complains", harts=9)["error"]
    assert play("complains") == [
        "time 0 was not reached, or there is no history",
        "faults: must be one of trap, fault, entry, fence, switch",
        "no_such_function: this is no instruction, or there are too many",
        "there is no register x99",
        "there is no snapshot 5, or not enough memory",
    ]


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_module_refuses_a_damaged_kernel(tmp_path: Path) -> None:
    """With a message."""
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"\x7fELF")
    assert "too short" in play_in_node("complains", kernel=kernel)["error"]


def test_module_is_small() -> None:
    """A page can load it at once."""
    assert built()["wasm"].stat().st_size < BYTES_MAX


def test_module_names_the_same_reasons_to_stop() -> None:
    """In the order of the library."""
    header, module = (ROOT / "sim/machine.h").read_text(), (ROOT / "sim/wasm/sim.mjs").read_text()
    reasons = STOP.findall(header[header.index("enum machine_stop {"):].partition("}")[0])
    stops = STOP.findall(module[module.index("export const Stop"):].partition("}")[0])
    assert stops == [(name, str(number)) for number, (name, _) in enumerate(reasons)]
    assert len(stops) == 8
