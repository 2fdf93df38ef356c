"""A library for grading scripts: tests that give points, kernels that run in QEMU, and checks of
what they print. A script made for the library of this name that MIT's operating system
course uses runs with this one unchanged:

    from gradelib import *
    r = Runner(save("xv6.out"))

    @test(10, "it says hello")
    def test_hello():
        r.run_qemu(shell_script(["hello"]))
        r.match("^hello, world$")

    run_tests()

As there, a test knows whether it is `complete` and `ok`, and the module has the TESTS, the points
so far (TOTAL, POSSIBLE) and the command line's `options`; scripts may set all of them.

A script runs in the folder of the tree that it grades. Two runs share nothing, even of one tree:
each has its own copies of the kernel and of the disk image (changes to the disk last until
run_tests ends), and QEMU's debugger stub is a unix socket. Time limits are in seconds of the
machine's time: the time that QEMU waits for a processor on a busy host does not count.

This file travels alone: it needs nothing but Python's standard library.
"""
from __future__ import annotations

import argparse
import atexit
import ctypes
import fcntl
import json
import os
import random
import re
import select
import selectors
import shlex
import shutil
import signal
import socket
import string
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

__all__ = [
    "test", "end_part", "run_tests", "get_current_test", "TESTS",
    "make", "maybe_unlink", "reset_fs", "color", "random_str", "check_time", "check_answers",
    "assert_equal", "assert_lines_match",
    "QEMU", "GDBClient", "Runner", "TerminateTest",
    "save", "stop_breakpoint", "call_on_line", "stop_on_line", "shell_script",
]

BUILD_SECONDS = 900.0  # for one make
START_SECONDS = 30.0  # of the machine's time, for QEMU to listen
OVERLOAD = 10  # a run may take this many times its limit of the host's time
OUTPUT_BYTES_MAX = 1 << 24
TICK_SECONDS = 0.05
PROMPT = re.compile(rb"(?:\$ )+")
PROMPT_SECONDS = 0.2  # of silence after the last prompt
LATE_PROMPT_SECONDS = 2.0  # the same if the prompt is not alone on the last line
PANIC = re.compile(r"panic\b|.*\bpanic: ")
PANIC_SECONDS = 0.3  # of silence after the message
SHELL_OPERATOR = re.compile(r"(\|{1,2}|&{1,2}|;|[012&]?[<>].*)$")  # ends a command
TAIL_BYTES = 1 << 14
PANIC_LINES = 64  # that may follow the message, as a backtrace does
CONTEXT_LINES = 3
COLORS = re.compile(r"(\033\[(?:0|31|32)m)")  # as color() gives them


# ---- Tests and their points ----

# Scripts read these as variables of the module, and some set them.
TESTS: list[Test | Part] = []
TOTAL = POSSIBLE = 0  # points, of the tests so far
PART_TOTAL = PART_POSSIBLE = 0  # the same where the current part began
GRADES: dict[str, int] = {}  # the points of each test that gives any, by its title
CURRENT_TEST: Test | None = None
options: Any = argparse.Namespace(verbose=False, color="auto", results=None)


class Test:
    """A function of the script that is worth points; called, it runs at most once and tells whether
    it passed."""

    def __init__(
        self, body: Callable[[], Any], points: int, title: str, parent: Test | None
    ) -> None:
        self.body = body
        self.points = points
        self.title = f"  {title}" if parent else title
        self.parent = parent
        self.complete = self.ok = False  # has it begun, did it pass
        self.on_finish: list[Callable[[str | None], Any]] = []
        self.remarks: list[str] = []  # how machines ended, if not as they should
        self.panic = ""  # the kernel's message, unless the test asked for it
        self.__name__ = body.__name__
        self.__doc__ = body.__doc__

    def __call__(self) -> bool:
        if not self.complete:
            self.complete = True
            self.ok = self._run()
        return self.ok

    def _run(self) -> bool:
        global CURRENT_TEST
        failed_parent = self.parent if self.parent and not self.parent() else None
        CURRENT_TEST = self
        _report.begin(self)
        start = time.monotonic()
        if failed_parent:
            failure: str | None = f"Parent failed: {failed_parent.title.strip()}"
        else:
            failure = self._failure()
        judged = failure is None  # as far as the script is concerned
        if failure is None:
            failure = self.panic or None
        elif not failed_parent:
            failure = "\n".join([failure, *self._all_remarks()])
        _report.end(self, failure, time.monotonic() - start)
        self._count(self.points if failure is None else 0)
        for callback in self.on_finish:
            callback(failure)
        CURRENT_TEST = None
        # What was printed before a panic counts: the tests below one without points look at it
        # themselves.
        return failure is None or (judged and not self.points)

    def _failure(self) -> str | None:
        """Runs the body and returns what went wrong."""
        try:
            self.body()
        except AssertionError as error:
            return str(error) or "an assertion failed" + _place(error)
        except SystemExit as error:
            return f"the test called sys.exit({error.code!r})"
        except Exception as error:  # pylint: disable=broad-except
            trace = f"\n{traceback.format_exc()}" if _is_verbose() else _place(error)
            return f"{type(error).__name__}: {error}{trace}"
        return None

    def _all_remarks(self) -> list[str]:
        return [*(self.parent._all_remarks() if self.parent else []), *self.remarks]

    def _count(self, points: int) -> None:
        """Adds the points of the test to the sums and to the file of results."""
        global TOTAL, POSSIBLE
        TOTAL += points
        POSSIBLE += self.points
        if self.points:
            title = self.title.strip()
            GRADES[title] = GRADES.get(title, 0) + points
        _write_results()


def _place(error: BaseException) -> str:
    """Returns where in the script the error occurred."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if frame.filename != __file__]
    return f" ({os.path.basename(outside[-1].filename)}:{outside[-1].lineno})" if outside else ""


class Part:
    """A part of the lab; called, it prints the points since the part before."""

    title = ""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self) -> bool:
        global PART_TOTAL, PART_POSSIBLE
        points, possible = TOTAL - PART_TOTAL, POSSIBLE - PART_POSSIBLE
        print(f"Part {self.__name__} score: {points}/{possible}\n", flush=True)
        PART_TOTAL, PART_POSSIBLE = TOTAL, POSSIBLE
        return True


class Report:
    """What is printed about tests."""

    def __init__(self) -> None:
        self.midline = False  # the heading of a test was printed and nothing since

    def begin(self, current: Test) -> None:
        """A test starts."""
        print(f"== Test {current.title} == ", end="", flush=True)
        self.midline = True

    def say(self, text: str) -> None:
        """Prints lines while a test runs."""
        print(f"\n{text}" if self.midline else text, flush=True)
        self.midline = False

    def end(self, done: Test, failure: str | None, seconds: float) -> None:
        """A test has ended."""
        took = f" ({seconds:.1f}s)" if seconds >= 0.05 else ""
        verdict = color("green", "OK") if failure is None else color("red", "FAIL")
        self.midline = False
        if failure is None and not done.points:
            print(took.strip())
        else:
            print(f"{done.title}: {verdict}{took}")
        for line in (failure or "").splitlines():
            parts = COLORS.split(line) if _is_colored() else [line]
            shown = [part if COLORS.fullmatch(part) else _escape(part) for part in parts]
            print("    " + "".join(shown))
        sys.stdout.flush()


_report = Report()


def _is_verbose() -> bool:
    return bool(getattr(options, "verbose", False))  # a script's own options may lack some


def _write_results() -> None:
    """Writes the points so far to the file that the command line names."""
    file = getattr(options, "results", None)
    if file:
        _write(Path(file), (json.dumps(GRADES, indent=1) + "\n").encode())


def test(
    points: int, title: str | None = None, parent: Test | None = None
) -> Callable[[Callable[[], Any]], Test]:
    """Makes a function a test. It passes unless it raises an error; without its parent it fails."""

    def register(body: Callable[[], Any]) -> Test:
        name = re.sub(r"^test_", "", body.__name__).replace("_", " ")
        made = Test(body, points, title or name, parent)
        TESTS.append(made)
        return made

    return register


def end_part(name: str) -> None:
    """Ends a part of the lab: the points of its tests are printed here."""
    TESTS.append(Part(name))


def get_current_test() -> Test:
    """Returns the test that runs."""
    if CURRENT_TEST is None:
        raise RuntimeError("no test runs now")
    return CURRENT_TEST


def run_tests() -> None:
    """Reads the command line, runs the tests and prints the score; ends the script with status 1
    unless it is full."""
    global options
    options = _parse_command_line()
    words = [word.lower() for word in options.words + options.test]
    chosen = [item for item in TESTS if any(word in item.title.lower() for word in words or [""])]
    if not chosen:
        sys.exit(f"no test has {' or '.join(map(repr, words))} in its title; there are: "
                 + ", ".join(item.title.strip() for item in TESTS if item.title))
    _heed_signals()
    try:
        _first_build()
        reset_fs()
        for item in chosen:
            item()
        print(f"Score: {TOTAL}/{POSSIBLE}", flush=True)
    except KeyboardInterrupt:
        print("\ninterrupted")
        _clean_up()
        sys.exit(130)
    except BrokenPipeError:  # the reader of the output has ended, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    _clean_up()
    if TOTAL < POSSIBLE:
        sys.exit(1)


def _parse_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Runs all tests, or those with one of the words in their titles."
    )
    add = parser.add_argument
    add("words", nargs="*", metavar="word", help="part of a test's title")
    add("-t", "--test", action="append", default=[], metavar="WORD", help="another such word")
    add("-v", "--verbose", action="store_true", help="show commands, and where errors come from")
    add("--color", choices=["never", "always", "auto"], default="auto", help="color the verdicts")
    add("--results", metavar="FILE", help="write the points of each test there, as JSON")
    return parser.parse_intermixed_args()


def _heed_signals() -> None:
    """Lets signals that end the script end its machines first."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            with suppress(ValueError):  # only the main thread may ask for this
                signal.signal(number, _end_by_signal)


def _first_build() -> None:
    """Shows errors of the build once, before the tests; those that need no kernel can still
    pass."""
    try:
        make()
    except AssertionError as error:
        print(_escape(str(error)), flush=True)


# ---- Assertions and other helpers ----


def assert_equal(got: Any, expect: Any, msg: str = "") -> None:
    """Fails the test unless both are equal."""
    if got == expect:
        return
    heading = f"{msg}\n" if msg else ""
    got_text, expect_text = (_escape(str(value)).replace("\n", "\n  ") for value in (got, expect))
    raise AssertionError(f"{heading}got:\n  {got_text}\nexpected:\n  {expect_text}")


def assert_lines_match(text: str, *regexps: str, no: Sequence[str] = ()) -> None:
    """Fails the test unless each regular expression matches some line, and none of `no` any.

    Like re.match they begin at the line's beginning.
    """
    lines = text.splitlines()
    good = {i for i, line in enumerate(lines) if any(re.match(regexp, line) for regexp in regexps)}
    bad = {i for i, line in enumerate(lines) if any(re.match(regexp, line) for regexp in no)}
    missing = [regexp for regexp in regexps if not any(re.match(regexp, line) for line in lines)]
    if not bad and not missing:
        return
    shown = [
        _mark(line, i in good, i in bad) if i >= 0 else "..."
        for i, line in _excerpt(lines, good | bad)
    ]
    shown += [f"{color('red', 'MISSING')} {regexp!r}" for regexp in missing]
    raise AssertionError("\n".join(shown))


def _mark(line: str, good: bool, bad: bool) -> str:
    label = color("red", "    BAD") if bad else color("green", "   GOOD") if good else " " * 7
    return f"{label} {_escape(line)}"


def _excerpt(lines: Sequence[str], wanted: set[int]) -> Iterator[tuple[int, str]]:
    """Yields the last lines and those around the wanted ones, with their numbers; number -1 where
    some are left out."""
    last = -1
    for i, line in enumerate(lines):
        near = range(i - CONTEXT_LINES, i + CONTEXT_LINES + 1)
        if i >= len(lines) - 2 * CONTEXT_LINES or not wanted.isdisjoint(near):
            if i > last + 1:
                yield -1, ""
            yield i, line
            last = i


def color(name: str, text: str) -> str:
    """Returns the text in a color, "red", "green" or "default", if the output is to be colored."""
    codes = {"default": "\033[0m", "red": "\033[31m", "green": "\033[32m"}
    return f"{codes[name]}{text}{codes['default']}" if _is_colored() else text


def _is_colored() -> bool:
    when = getattr(options, "color", "auto")
    is_terminal = getattr(sys.stdout, "isatty", bool)  # a script may have put anything there
    return when == "always" or (when == "auto" and is_terminal())


def _escape(text: str) -> str:
    """Returns text of a kernel or a compiler so that it can be shown: it moves no cursor and hides
    nothing."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def random_str(n: int = 8) -> str:
    """Returns n random letters and digits."""
    return "".join(random.choice(string.ascii_letters + string.digits) for _ in range(n))


def check_time() -> None:
    """Fails the test unless time.txt holds one whole number."""
    if not re.fullmatch(r"\d+", _read("time.txt").strip()):
        raise AssertionError(
            "time.txt does not contain a single number: the hours that the lab took"
        )


def check_answers(file: str, n: int = 10) -> None:
    """Fails the test unless the file holds at least n characters."""
    if len(_read(file).strip()) < n:
        raise AssertionError(f"{file} is too short: at least {n} characters are expected")


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise AssertionError(f"Cannot read {file}: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    """Replaces the file in one step."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        maybe_unlink(partial)
        _report.say(f"    cannot write {path}: {error.strerror}")


def maybe_unlink(*paths: str | Path) -> None:
    """Removes those of the files that exist."""
    for path in paths:
        Path(path).unlink(missing_ok=True)


# ---- Processes and files that do not outlive the run ----

_children: set[subprocess.Popen[bytes]] = set()
_folders: list[Path] = []  # at most one


def _die_with_parent() -> Callable[[], None] | None:
    """Returns what a child does first so that it dies with this process, however that ends; only on
    Linux."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(1, int(signal.SIGKILL), 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)

    return ask


@contextmanager
def _child(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a command in a session of its own, which is killed when the context is left."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
        start_new_session=True,
        preexec_fn=_die_with_parent(), **options,
    )
    _children.add(process)
    try:
        yield process
    finally:
        _kill(process)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills the process with all of its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:  # all are gone
        pass
    process.wait()
    _children.discard(process)


def _folder() -> Path:
    """Returns the private folder of this script, for sockets and copies."""
    if not _folders:
        # The name of a socket cannot be long.
        where = "/tmp" if len(tempfile.gettempdir()) > 60 else None
        _folders.append(Path(tempfile.mkdtemp(prefix="gradelib-", dir=where)))
    return _folders[0]


def _clean_up() -> None:
    """Ends all children and removes the private folder."""
    for process in list(_children):
        _kill(process)
    reset_fs()
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


def _end_by_signal(number: int, _frame: FrameType | None) -> NoReturn:
    _clean_up()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)


atexit.register(_clean_up)


# ---- The tree ----


@contextmanager
def _locked_tree() -> Iterator[None]:
    """Locks the tree, so that no other script builds it meanwhile."""
    handle = os.open(".", os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def make(*target: str) -> None:
    """Makes the targets, the default one without any; fails the test if that fails."""
    with _locked_tree():
        _make(*target)


def _make(*arguments: str) -> str:
    """Runs make and returns what it prints."""
    command = ["make", "--no-print-directory", *arguments]
    if _is_verbose():
        _report.say(f"$ {' '.join(['make', *arguments])}")
    with _child(command, stdin=subprocess.DEVNULL) as process:
        try:
            output, _ = process.communicate(timeout=BUILD_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"`{' '.join(command)}` did not end in {BUILD_SECONDS:.0f} s"
            ) from None
    text = output.decode(errors="replace")
    if process.returncode:
        tail = "\n".join(text.splitlines()[-20:])
        raise AssertionError(f"`{' '.join(['make', *arguments])}` failed:\n{tail}")
    return text


def _qemu_command(target: str, make_args: Sequence[str]) -> list[str]:
    """Asks the tree's Makefile with which command it runs QEMU."""
    questions = [["-n", target]]
    if target == "qemu":
        questions.insert(0, ["-s", "print-qemu"])
    failures = []
    for question in questions:
        try:
            command = _find_qemu(_make(*question, *make_args))
        except AssertionError as error:
            failures.append(str(error))
            continue
        if command:
            return command
    why = f"the Makefile does not say how it runs QEMU for `make {target}`"
    raise AssertionError("\n".join([why, *failures[-1:]]))


def _find_qemu(text: str) -> list[str]:
    """Returns the command among the lines that runs QEMU."""
    for line in reversed(text.replace("\\\n", " ").splitlines()):
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        for i, word in enumerate(words):
            if os.path.basename(word).startswith("qemu-system-") and "-kernel" in words[i:]:
                rest = words[i:]
                ends = [n for n, word in enumerate(rest) if SHELL_OPERATOR.match(word)]
                return rest[: ends[0]] if ends else rest
    return []


class Copies:
    """The private copies of the files that QEMU opens, by the files' names."""

    def __init__(self) -> None:
        self.made: dict[str, tuple[tuple[int, ...], Path]] = {}

    def get(self, name: str) -> Path:
        """Returns the copy; makes it again if the file was."""
        status = os.stat(name)
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        if name not in self.made or self.made[name][0] != state:
            copy = _folder() / f"{len(self.made)}-{os.path.basename(name)}"
            shutil.copyfile(name, copy)
            self.made[name] = (state, copy)
        return self.made[name][1]


_copies = Copies()


def reset_fs() -> None:
    """Undoes what the tests did to the disk."""
    _copies.made.clear()


def _opened_files(command: Sequence[str]) -> dict[int, str]:
    """Returns the kernel and the disk images that the command names, each with the place of its
    word."""
    found = {}
    for i in range(1, len(command)):
        is_drive = command[i - 1] == "-drive"
        drive = re.search(r"(?:^|,)file=([^,]+)", command[i]) if is_drive else None
        if command[i - 1] == "-kernel":
            found[i] = command[i]
        elif drive:
            found[i] = drive.group(1)
    return found


def _build(target: str, make_args: Sequence[str]) -> tuple[list[str], Path]:
    """Builds what QEMU needs; returns its command, which opens copies, and the copy of the
    kernel."""
    with _locked_tree():
        command = _qemu_command(target, make_args)
        files = _opened_files(command)
        _make(*dict.fromkeys(files.values()), *make_args)
        for i, name in files.items():
            command[i] = command[i].replace(name, str(_copies.get(name)), 1)
    return command, Path(command[command.index("-kernel") + 1])


def _symbol(kernel: Path, name: str) -> int:
    """Returns the address of a symbol of a 64-bit little-endian ELF file."""
    data = kernel.read_bytes()
    start, = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, start + i * size) for i in range(count)]
    wanted = name.encode() + b"\0"
    for _, kind, _, _, offset, length, link, _, _, entry in sections:
        if kind != 2:  # SHT_SYMTAB
            continue
        names = sections[link][4]
        for at in range(offset, offset + length, entry):
            text, _, _, section, value = struct.unpack_from("<IBBHQ", data, at)
            if section and data.startswith(wanted, names + text):
                return int(value)
    raise AssertionError(f"the kernel has no symbol {name!r}")


# ---- The machine ----


class TerminateTest(Exception):
    """Raised by a monitor to end the run."""


class Clock:
    """The machine's time: the host's, without the time that QEMU waited for a processor."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.start = self.looked = time.monotonic()
        self.passed = 0.0
        self.waits = self._waits()
        self.used = self._used()

    def seconds(self) -> float:
        """Returns the machine's seconds since the clock was made."""
        now = time.monotonic()
        span = now - self.looked
        if span < (TICK_SECONDS if self.waits else 1.0):
            return self.passed
        self.looked = now
        self.passed += max(0.0, span - self._lost(span))
        return self.passed

    def host_seconds(self) -> float:
        """Returns the host's seconds since the clock was made."""
        return time.monotonic() - self.start

    def _lost(self, span: float) -> float:
        """Returns how long the thread that waited longest has waited in this span."""
        before = self.waits
        self.waits = self._waits()
        if self.waits:
            return max(waited - before.get(thread, 0.0) for thread, waited in self.waits.items())
        # The host does not say. A process that hardly uses its processor has nothing to do.
        used = self._used()
        used, self.used = used - self.used, used
        return 0.0 if used < span / 20 else max(0.0, span - used)

    def _waits(self) -> dict[str, float]:
        """Returns how long each thread of QEMU has waited for a processor, as far as the host
        says."""
        waits = {}
        for file in Path(f"/proc/{self.pid}/task").glob("*/schedstat"):
            try:
                waits[file.parent.name] = int(file.read_text().split()[1]) / 1e9
            except (OSError, IndexError, ValueError):
                continue
        return waits

    def _used(self) -> float:
        """Returns QEMU's processor time, 0 if the host does not say."""
        if self.waits:
            return 0.0
        with suppress(OSError):
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        asked = subprocess.run(
            ["ps", "-o", "time=", "-p", str(self.pid)], stdout=subprocess.PIPE, check=False
        )
        days, _, rest = asked.stdout.decode().strip().rpartition("-")
        try:
            parts = [float(part) for part in rest.split(":")]
        except ValueError:
            return 0.0
        return float(days or 0) * 86400 + sum(
            part * 60**i for i, part in enumerate(reversed(parts))
        )


class QEMU:
    """A running machine and what its console has printed; a context, which ends it."""

    def __init__(self, command: Sequence[str]) -> None:
        if _is_verbose():
            _report.say(f"$ {' '.join(map(shlex.quote, command))}")
        self.outbytes = bytearray()
        self.on_output: list[Callable[[bytes], Any]] = []
        self.on_quiet: list[Callable[[float], Any]] = []  # with the seconds of silence
        self.on_end: list[Callable[[], Any]] = []
        self.ended = False
        try:
            self._context = _child(command, stdin=subprocess.PIPE)
            self.proc = self._context.__enter__()
        except OSError as error:
            raise AssertionError(f"cannot run {command[0]}: {error.strerror}") from None
        self.clock = Clock(self.proc.pid)
        self.heard_at = 0.0

    def __enter__(self) -> QEMU:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    @property
    def output(self) -> str:
        """All that the console has printed; lines end in a newline alone."""
        return self.outbytes.decode(errors="replace")

    @staticmethod
    def get_gdb_port() -> int:
        """Returns the port that `make print-gdbport` prints; the machines here do not use it."""
        return int(_make("-s", "print-gdbport"))

    def fileno(self) -> int:
        """The console, to wait for."""
        assert self.proc.stdout is not None
        return self.proc.stdout.fileno()

    def handle_read(self) -> None:
        """Reads what the console has printed, and tells the monitors line by line: all hear one
        before any the next."""
        data = os.read(self.fileno(), 65536)
        self.ended = not data
        data = data.replace(b"\r", b"")
        self.outbytes += data
        self.heard_at = self.clock.seconds()
        for line in data.splitlines(keepends=True):
            for callback in list(self.on_output):
                callback(line)

    def write(self, text: str | bytes) -> None:
        """Types the text."""
        assert self.proc.stdin is not None
        try:
            self.proc.stdin.write(text.encode() if isinstance(text, str) else text)
        except BrokenPipeError:
            raise TerminateTest from None

    def silence(self) -> float:
        """Returns the machine's seconds since it printed last."""
        return self.clock.seconds() - self.heard_at

    def wait(self) -> int:
        """Waits for QEMU to end and returns its status."""
        return self.proc.wait()

    def kill(self) -> None:
        """Ends QEMU, after having read what it has printed already."""
        while not self.ended and self.proc.stdout and select.select([self], [], [], 0)[0]:
            data = os.read(self.fileno(), 65536)
            self.outbytes += data.replace(b"\r", b"")
            self.ended = not data or len(self.outbytes) > OUTPUT_BYTES_MAX
        self._context.__exit__(None, None, None)
        self.ended = True
        while self.on_end:
            self.on_end.pop()()

    def panic(self) -> str:
        """Returns the kernel's last words, "" if it has none; after them there is no prompt."""
        tail = self.outbytes[-TAIL_BYTES:].decode(errors="replace")
        lines = re.split(r"^\$ .*", tail, flags=re.MULTILINE)[-1].splitlines()[-PANIC_LINES:]
        return next((line.strip() for line in lines if PANIC.match(line)), "")


class GDBClient:
    """What is needed of gdb's protocol: breakpoints on a machine that is stopped, and its stops."""

    def __init__(
        self, address: str, qemu: QEMU | None = None, timeout: float = START_SECONDS
    ) -> None:
        """Connects to the stub's unix socket as soon as there is one."""
        self.on_stop: list[Callable[[], Any]] = []
        self.received = bytearray()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(OVERLOAD * timeout)
        clock = qemu.clock if qemu else Clock(os.getpid())
        while self.socket.connect_ex(address):
            if (qemu and qemu.proc.poll() is not None) or clock.seconds() > timeout:
                raise ConnectionError("no process listens")
            time.sleep(0.01)

    def fileno(self) -> int:
        """The connection, to wait for."""
        return self.socket.fileno()

    def handle_read(self) -> None:
        """Reads what came; tells the monitors if the machine has stopped."""
        self._receive()
        for packet in self._packets():
            if packet[:1] in b"TS":
                for callback in list(self.on_stop):
                    callback()

    def breakpoint(self, address: int) -> None:
        """Makes the machine stop when it reaches the address."""
        answer = self._ask(f"Z1,{address:x},4")
        if answer != b"OK":
            raise AssertionError(f"QEMU refuses a breakpoint at {address:#x}: {answer.decode()!r}")

    def cont(self) -> None:
        """Lets the machine run."""
        self._send("c")

    def close(self) -> None:
        """Ends the connection."""
        self.socket.close()

    def _ask(self, text: str) -> bytes:
        self._send(text)
        while True:
            for answer in self._packets():
                return answer
            self._receive()

    def _send(self, text: str) -> None:
        self.socket.sendall(f"${text}#{sum(text.encode()) & 255:02x}".encode())

    def _receive(self) -> None:
        data = self.socket.recv(4096)
        if not data:
            raise ConnectionError("QEMU has closed the connection")
        self.received += data

    def _packets(self) -> Iterator[bytes]:
        """Takes the whole packets from what came."""
        while True:
            found = re.search(rb"\$([^#]*)#..", self.received, re.DOTALL)
            if not found:
                return
            packet = bytes(found.group(1))
            del self.received[: found.end()]
            self.socket.sendall(b"+")
            yield packet


Monitor = Callable[["Runner"], Any]


class Runner:
    """Runs the tree's kernel, watched by monitors: functions that get the runner just before the
    machine starts."""

    def __init__(self, *default_monitors: Monitor) -> None:
        self._default_monitors = default_monitors
        self.qemu: Any = None  # of the last run; scripts read qemu.output
        self.gdb: Any = None
        self.kernel: Path | None = None

    def run_qemu(
        self, *monitors: Monitor, target_base: str = "qemu", make_args: Sequence[str] = (),
        timeout: float = 30
    ) -> None:
        """Builds the kernel and runs it until a monitor ends the run, it panics, QEMU ends or time
        is out.

        None of these fails the test by itself, except that a test with points fails if the kernel
        panics, unless it has matched the message.
        """
        self.qemu = self.gdb = None
        command, self.kernel = _build(target_base, make_args)
        address = str(_folder() / "gdb")
        maybe_unlink(address)
        command += [
            "-S", "-chardev", f"socket,id=grader,path={address},server=on,wait=off", "-gdb",
            "chardev:grader"
        ]
        with QEMU(command) as self.qemu:
            self.gdb = self._connect(address)
            try:
                for monitor in [*self._default_monitors, *monitors]:
                    monitor(self)
                self.gdb.cont()
                remark = self._watch(timeout)
            finally:
                self.gdb.close()
        self._conclude(remark)

    def user_test(
        self, binary: str, *monitors: Monitor, snapshot: bool = True, **more: Any
    ) -> None:
        """Runs QEMU as `make run-BINARY` does; the disk keeps nothing unless snapshot is False."""
        if snapshot:
            more["make_args"] = [*more.get("make_args", ()), "QEMUEXTRA+=-snapshot"]
        self.run_qemu(*monitors, target_base=f"run-{binary}", **more)

    def match(self, *regexps: str, no: Sequence[str] = ()) -> None:
        """Fails the test unless the console's lines match, as assert_lines_match says."""
        assert_lines_match(self.qemu.output, *regexps, no=no)
        panic = self.qemu.panic()
        if CURRENT_TEST and panic and any(re.match(regexp, panic) for regexp in regexps):
            CURRENT_TEST.panic = ""

    def _connect(self, address: str) -> GDBClient:
        try:
            return GDBClient(address, self.qemu)
        except ConnectionError:
            self.qemu.kill()
            rest = self.qemu.output
            raise AssertionError(
                f"QEMU does not start (status {self.qemu.wait()}): {_escape(rest)}"
            ) from None

    def _watch(self, limit: float) -> str:
        """Serves the machine until the run is over; returns what there is to say about its end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.qemu, selectors.EVENT_READ)
            selector.register(self.gdb, selectors.EVENT_READ)
            try:
                while not self.qemu.ended:
                    self._serve(selector)
                    remark = self._limit_reached(limit)
                    if remark:
                        return remark
            except TerminateTest:
                return ""
        return f"QEMU ended by itself with status {self.qemu.wait()}"

    def _serve(self, selector: selectors.BaseSelector) -> None:
        ready = [key.fileobj for key, _ in selector.select(TICK_SECONDS)]
        if self.qemu in ready:
            self.qemu.handle_read()
        else:
            silence = self.qemu.silence()
            for callback in list(self.qemu.on_quiet):
                callback(silence)
        if self.gdb in ready and not self.qemu.ended:
            try:
                self.gdb.handle_read()
            except ConnectionError:  # QEMU is about to end, the console's end will tell
                selector.unregister(self.gdb)
        if self.qemu.silence() >= PANIC_SECONDS and self.qemu.panic():
            raise TerminateTest

    def _limit_reached(self, limit: float) -> str:
        printed = ""
        if not self.qemu.outbytes:
            printed = "; nothing was printed: perhaps this QEMU cannot run the kernel"
        if self.qemu.clock.seconds() >= limit:
            return f"timed out: the machine has run for {limit:g} s{printed}"
        if self.qemu.clock.host_seconds() >= OVERLOAD * limit:
            wall = f"{OVERLOAD * limit:g} s"
            return f"the host is overloaded: in {wall} the machine could not run for {limit:g} s"
        if len(self.qemu.outbytes) > OUTPUT_BYTES_MAX:
            return f"the console printed more than {OUTPUT_BYTES_MAX >> 20} MiB"
        return ""

    def _conclude(self, remark: str) -> None:
        """Adds to the test what a reader of its verdict should know."""
        if CURRENT_TEST is None:
            return
        panic = self.qemu.panic()
        if panic:
            remark = CURRENT_TEST.panic = f"the kernel panicked: {_escape(panic)}"
        if remark:
            CURRENT_TEST.remarks.append(remark)


# ---- Monitors ----


def save(path: str) -> Monitor:
    """Returns a monitor that writes the console's output to the file; if the test fails it stays in
    FILE.TEST."""
    target = Path(path)

    def set_up(runner: Runner) -> None:
        qemu = runner.qemu
        current = get_current_test()
        kept = target.with_name(f"{target.name}.{re.sub(r'^test_', '', current.__name__)}")

        def finish(failure: str | None) -> None:
            if qemu is not runner.qemu:
                return  # the test has run another machine since
            if failure is not None:
                _write(kept, bytes(qemu.outbytes))
                print(f"    QEMU output saved to {kept}")
            elif kept.exists():
                maybe_unlink(kept)
                print(f"    (Old {kept} failure log removed)")

        qemu.on_end.append(lambda: _write(target, bytes(qemu.outbytes)))
        current.on_finish.append(finish)

    return set_up


def stop_breakpoint(addr: int | str) -> Monitor:
    """Returns a monitor that ends the run when the machine reaches an address or a function of the
    kernel."""

    def stop() -> NoReturn:
        raise TerminateTest

    def set_up(runner: Runner) -> None:
        if isinstance(addr, str) and not re.match(r"0x|\d", addr):
            assert runner.kernel is not None
            address = _symbol(runner.kernel, addr)
        else:
            address = int(addr, 0) if isinstance(addr, str) else addr
        runner.gdb.breakpoint(address)
        runner.gdb.on_stop.append(stop)

    return set_up


def call_on_line(regexp: str, callback: Callable[[str], Any]) -> Monitor:
    """Returns a monitor that calls the function with each line whose beginning matches."""

    def set_up(runner: Runner) -> None:
        begun = bytearray()

        def heard(data: bytes) -> None:
            begun.extend(data)
            *lines, begun[:] = bytes(begun).split(b"\n")
            for line in lines:
                text = line.decode(errors="replace")
                if re.match(regexp, text):
                    callback(text)

        runner.qemu.on_output.append(heard)

    return set_up


def stop_on_line(regexp: str) -> Monitor:
    """Returns a monitor that ends the run after a line whose beginning matches."""

    def stop(_line: str) -> NoReturn:
        raise TerminateTest

    return call_on_line(regexp, stop)


def shell_script(script: str | Sequence[str], terminate_match: str | None = None) -> Monitor:
    """Returns a monitor that types the lines, each at a prompt of the shell, and ends the run at
    the next prompt.

    With terminate_match the end is instead a line whose beginning, after prompts, matches.
    """
    lines = [script] if isinstance(script, str) else list(script)

    def set_up(runner: Runner) -> None:
        typist = Typist(runner.qemu, lines, terminate_match)
        runner.qemu.on_output.append(typist.heard)
        runner.qemu.on_quiet.append(typist.quiet)

    return set_up


class Typist:
    """Plays a script to the shell.

    A prompt is "$ " at the beginning of a line that is not yet ended. If the machine then stays
    silent for long, a prompt after a line that a program did not end, or before what one in the
    background prints, is one, too.
    """

    def __init__(self, qemu: QEMU, script: Sequence[str], terminate_match: str | None) -> None:
        self.qemu = qemu
        self.script = list(script)
        self.terminate_match = terminate_match
        self.line = bytearray()  # the line that is not yet ended
        self.listening = True  # the machine has printed since the last line was typed
        self.prompted = False  # and a prompt
        self.echoing = False  # the line has a prompt and what was typed there

    def heard(self, data: bytes) -> None:
        """Looks for prompts and for the end in what was printed."""
        self.listening = True
        self.line += data
        *ended, self.line[:] = bytes(self.line).split(b"\n")
        for line in ended:
            self._line_ended(line)
        if PROMPT.fullmatch(self.line):
            self.prompted = True
            if self.script:
                self._type()

    def quiet(self, seconds: float) -> None:
        """Decides by silence whether a prompt was the last one."""
        if not self.listening:
            return
        soon = seconds >= PROMPT_SECONDS and PROMPT.fullmatch(self.line)
        late = seconds >= LATE_PROMPT_SECONDS and (self.prompted or self.line.endswith(b"$ "))
        if late and self.script:
            self._type()
        elif (soon or late) and not self.script and self.terminate_match is None:
            raise TerminateTest

    def _line_ended(self, line: bytes) -> None:
        prompt = PROMPT.match(line)
        self.prompted |= prompt is not None and not self.echoing
        self.echoing = False
        text = line[prompt.end() if prompt else 0 :].decode(errors="replace")
        if self.terminate_match is not None and not self.script and re.match(
            self.terminate_match, text
        ):
            raise TerminateTest

    def _type(self) -> None:
        self.listening = self.prompted = False
        self.echoing = True
        self.qemu.write(self.script.pop(0) + "\n")
