"""Plays scenarios.mjs with the simulator as a WebAssembly module: in Node, or in a Worker."""
from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Callable

from browser import Browser
from command import make, run
from paths import ROOT
from products import product, target
from simulated import simulator

FOLDER = Path(__file__).parent
TYPES = {".html": "text/html", ".mjs": "text/javascript"}
SOURCES = ("sim/wasm", "tests/simulator")
Play = Callable[..., Any]


def has_wasm_linker() -> bool:
    """Returns whether there is what builds the module."""
    return bool(shutil.which("clang") and shutil.which("wasm-ld"))


@functools.lru_cache(maxsize=None)
def built() -> dict[str, Path]:
    """Builds the module, the kernel and the image; returns where they are."""
    simulator()
    make(target("build/sim.wasm"))
    return {
        "wasm": product("build/sim.wasm"), "kernel": product("kernel/kernel"),
        "image": product("fs.img"),
    }


def node_command(
    scenario: str, settings: Mapping[str, object], kernel: Path | None = None
) -> list[str]:
    """Returns the command that plays the scenario in Node."""
    files = {**built(), **({"kernel": kernel} if kernel else {})}
    words = ["node", FOLDER / "play.mjs", scenario, json.dumps(settings), *files.values()]
    return [str(word) for word in words]


def play_in_node(scenario: str, kernel: Path | None = None, **settings: object) -> Any:
    """Returns what the scenario returns."""
    done = run(node_command(scenario, settings, kernel), seconds=600)
    assert done.succeeded, done.output
    return json.loads(done.output)


# ---- A browser ----

class Handler(BaseHTTPRequestHandler):
    """Serves sources of the tree, and what was built, with no other headers than these."""

    def do_GET(self) -> None:  # pylint: disable=invalid-name
        """Answers with a file."""
        place = Path(self.path.lstrip("/"))
        found = built().get(place.name) if place.parent.name == "files" else ROOT / place
        is_served = place.parent.name == "files" or str(place.parent) in SOURCES
        if found is None or not is_served or not found.is_file():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", TYPES.get(found.suffix, "application/octet-stream"))
        self.end_headers()
        self.wfile.write(found.read_bytes())

    def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
        """Says nothing."""


@contextmanager
def served() -> Iterator[str]:
    """Yields the address of a server of these files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def worker() -> Iterator[tuple[Play, int]]:
    """Yields a function that plays a scenario in a Worker of a page in Chromium, and the number of
    Chromium's first process."""
    built()
    with served() as address, Browser() as browser:
        browser.go(f"{address}/tests/simulator/worker.html")

        def play(scenario: str, **settings: object) -> Any:
            words = ", ".join(map(json.dumps, (scenario, settings)))
            said = browser.value(f"play({words})")
            assert said["isWorker"] and not said["shares"], said
            return said["result"]

        yield play, browser.process.pid
