"""The simulator as a WebAssembly module, in Node."""
from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import make, run
from paths import ROOT
from products import product, target
from simulated import run_kernel, simulator

pytestmark = pytest.mark.skipif(
    not shutil.which("node") or not shutil.which("wasm-ld"), reason="needs node and wasm-ld"
)
PROGRAM = Path(__file__).parent / "run.mjs"
BYTES_MAX = 200_000
STOP = re.compile(r"^ +(?:STOP_)?([A-Z_]+)(?:: (\d+))?,", re.MULTILINE)


def run_module(kernel: Path, **settings: object) -> dict[str, Any]:
    """Runs a kernel to its end, twice from a snapshot."""
    simulator()
    make(target("build/sim.wasm"))
    files = [product("build/sim.wasm"), kernel, product("fs.img")]
    done = run(["node", PROGRAM, *files, json.dumps(settings)], seconds=600)
    assert done.succeeded, done.output
    result: dict[str, Any] = json.loads(done.output)
    return result


@pytest.mark.parametrize("harts", [1, 3])
def test_module_comes_to_the_same_state(harts: int, tmp_path: Path) -> None:
    """As the command does, and again after a snapshot was restored."""
    append = "init=/cowtest,simple,three,file"
    ran = run_module(product("kernel/kernel"), harts=harts, append=append)
    native = run_kernel("--harts", harts, "--append", append, folder=tmp_path)
    assert (ran["first"]["hash"], ran["first"]["time"]) == (native.state, native.time)
    assert ran["first"]["exitStatus"] == native.status == 0
    assert ran["first"] == ran["second"]
    assert "three: ok" in ran["first"]["output"]


def test_module_says_what_is_wrong(tmp_path: Path) -> None:
    """With a kernel, or with settings."""
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"\x7fELF")
    assert "too short" in run_module(kernel)["error"]
    assert "settings are wrong" in run_module(product("kernel/kernel"), harts=9)["error"]


def test_module_is_small() -> None:
    """A page can load it at once."""
    make(target("build/sim.wasm"))
    assert product("build/sim.wasm").stat().st_size < BYTES_MAX


def test_module_names_the_same_reasons_to_stop() -> None:
    """In the order of the library."""
    header, module = (ROOT / "sim/machine.h").read_text(), (ROOT / "sim/wasm/sim.mjs").read_text()
    reasons = STOP.findall(header[header.index("enum machine_stop {"):].partition("}")[0])
    stops = STOP.findall(module[module.index("export const Stop"):].partition("}")[0])
    assert stops == [(name, str(number)) for number, (name, _) in enumerate(reasons)]
    assert len(stops) == 8
