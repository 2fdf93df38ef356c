"""The table of guest runs: each boots one program as process 1 and judges how the machine ended."""
from __future__ import annotations

import re
import threading
from dataclasses import dataclass

from command import make
from guest.disk import fsck
from outcome import Outcome, counts
from products import target
from qemu import Guest, GuestFailure

FOREIGN_IMAGE = "foreign"  # the image that holds the programs of tests/foreign, too
VARIANTS: dict[str, list[str]] = {
    "": [], "llvm": ["LLVM=1"], "debug": ["DEBUG=1"], "O0": ["OPT=-O0"],
    "llvm/Os": ["LLVM=1", "OPT=-Os"],
}
build_lock = threading.Lock()
built: set[str] = set()  # images, with the kernels of their variants


@dataclass(frozen=True)
class Run:
    """A boot with init=`init`; `words` follow on the kernel's command line.

    The run is good if QEMU ends with `status` (None: any but 0), every pattern is found in the
    console's text, there is a line "N passed, 0 failed" if `counted`, and fsck finds no fault in
    the image.
    """

    name: str
    init: str
    cpus: int = 3
    mem: str = "128M"
    words: str = ""
    status: int | None = 0
    patterns: tuple[str, ...] = ()
    counted: bool = False
    variant: str = ""
    image: str = ""
    extra: str = ""  # options of QEMU


COW = r"^ALL COW TESTS PASSED$"
FOREIGN = r"^ALL FOREIGN TESTS PASSED$"


def suite(name: str, init: str, cpus: int = 3, mem: str = "128M", **more: object) -> Run:
    """Returns a run of a program that counts its tests."""
    return Run(name, init, cpus, mem, counted=True, **more)  # type: ignore[arg-type]


RUNS: list[Run] = [
    suite("usertests-full", "/usertests"),
    suite("usertests-1", "/usertests,-q", 1),
    # On harts that leave their timer to the firmware.
    suite("usertests-eager", "/usertests,-q", words="fork=eager", extra="-cpu rv64,sstc=off"),
    suite("usertests-llvm", "/usertests,-q", variant="llvm"),
    # With few slots in the block cache, and a disk so slow that all readers wait at once.
    suite(
        "usertests-slow-disk",
        "/usertests,together",
        3,
        "32M",
        extra="-set drive.x0.throttling.iops-read=300",
    ),
    suite("usertests-debug", "/usertests,-q", variant="debug"),
    *[
        suite(f"cowtest-{cpus}-{mem}", "/cowtest", cpus, mem, patterns=(COW,))
        for cpus in (1, 3, 8)
        for mem in ("32M", "128M")
    ],
    suite("cowtest-3-8G", "/cowtest", 3, "8G", patterns=(COW,)),
    suite("cowtest-llvm", "/cowtest", 3, patterns=(COW,), variant="llvm"),
    suite("cowtest-debug", "/cowtest", 8, patterns=(COW,), variant="debug"),
    suite("cowtest-O0", "/cowtest,-q", patterns=(COW,), variant="O0"),
    suite("cowtest-llvm-Os", "/cowtest,-q", patterns=(COW,), variant="llvm/Os"),
    suite("cowtest-frames", "/cowtest", 3, words="frames=6000", patterns=(COW,)),
    *[suite(f"harts-{cpus}", f"/harts,{cpus}", cpus) for cpus in (1, 3, 8)],
    # Counts instructions, which are exact with -icount.
    suite("manyfiles", "/manyfiles", 1, extra="-icount shift=0,sleep=off"),
    suite("forktest", "/forktest"),
    suite("forktest-frames", "/forktest", 8, words="frames=2000"),
    suite("forktest-eager", "/forktest", words="fork=eager frames=4000"),
    # Tests that hang on purpose: the watchdog ends each of them and says why.
    Run(
        "hangs",
        "/hangs,-q",
        status=1,
        patterns=(
            r"^reads_its_own_pipe: FAIL waited for itself to write; nothing came: a deadlock: "
            r".*\(1 for a pipe",
            r"^waits_for_a_child_that_waits: FAIL waited for a child to end; nothing came: "
            r"a deadlock: .*\(1 .*, 1 ",
            r"^leaves_an_orphan_that_waits: FAIL .*: a deadlock: .*\(1 for a pipe, 0 for a child\)",
            r"^vfork_child_waits: FAIL hangs: a deadlock: .*\(1 for a pipe, 1 for a child\)",
            r"^reads_the_keyboard: FAIL hangs: a deadlock: .*keyboard",
            r"^hundred_processes_wait: FAIL .*\(100 for a pipe, 1 for a child\)",
            r"^3 passed, 7 failed$",
        ),
    ),
    # Programs built by other projects' rules, linked as xv6 and its descendants are.
    *[
        suite(
            f"foreign-{kind}", f"/foreign-{kind},one,two", patterns=(FOREIGN,), image=FOREIGN_IMAGE
        )
        for kind in ("omagic", "paged")
    ],
    # Programs that show copy-on-write and what is related to it.
    Run(
        "cowmap-demo",
        "/cowmap,--demo",
        patterns=(r"^The frames tell the story: three pages were shared, one was copied\.$",),
    ),
    Run(
        "cowmap-demo-eager",
        "/cowmap,--demo",
        words="fork=eager",
        status=1,
        patterns=(r"^WRONG: page A of the child",),
    ),
    Run(
        "cowmap-once", "/cowmap,--once", patterns=(r"^   address  pages 1 cowmap$", r"^W writable")
    ),
    Run("cowmap-usage", "/cowmap,--demo,1", status=2, patterns=(r"^usage: cowmap ",)),
    Run("cowmap-gone", "/cowmap,99", status=1, patterns=(r"^cowmap: no process 99$",)),
    Run(
        "shmdemo-1",
        "/shmdemo",
        1,
        patterns=(r"^Private memory became two pages, shared memory stayed one\.$",),
    ),
    Run("shmdemo-8", "/shmdemo", 8, patterns=(r"^The parent writes 3\. The child reads +2 +3$",)),
    Run(
        "forkcmp-cow",
        "/forkcmp",
        3,
        "64M",
        patterns=(r"^ 64 exec +not measured +not enough memory", r"APPEND=fork=eager"),
    ),
    Run(
        "forkcmp-eager",
        "/forkcmp",
        1,
        "64M",
        words="fork=eager",
        patterns=(r"^  4 100%  1033     0  1028 ",),
    ),
    # What the kernel says about a program that it kills, and what it calls the fault.
    *[
        Run(
            f"crash-{what}",
            f"/crash,{what}",
            1,
            status=255,
            patterns=(rf"^crash \(pid 1\): killed at pc .*: {said}",),
        )
        for what, said in (
            ("null", r"load from 0x0: a null pointer, no region$"),
            ("text", r"store to 0x\w+: the text allows only r-x$"),
            ("stack", r"store to 0x\w+: no region, but just below the stack: stack overflow$"),
            ("data", r"jump to 0x\w+: the data allows only rw-$"),
            ("ill", r"illegal instruction 0x\w+$"),
            ("priv", r"illegal instruction 0x10200073$"),
            ("break", r"breakpoint instruction, but no debugger"),
            (
                "align",
                r"access to 0x\w+: misaligned, the address is not a multiple of the access's size$",
            ),
        )
    ],
    # How the machine ends.
    Run("exit-status", "/foreign-omagic,exit,7", status=7, image=FOREIGN_IMAGE),
    Run("exit-status-0", "/echo,hello", patterns=(r"^hello$",)),
    Run("exit-status-false", "/false", status=1),
    Run(
        "no-such-init",
        "/nosuch",
        status=1,
        patterns=(r"^cannot start: running /nosuch: no such file$",),
    ),
    Run(
        "init-no-program",
        "/README",
        status=1,
        patterns=(r"^cannot start: running /README: not a program$",),
    ),
    Run(
        "init-directory",
        "/.",
        status=1,
        patterns=(r"^cannot start: running /\.: a directory or a device$",),
    ),
    Run(
        "unknown-word", "/echo,hello", words="blah=1 foo", patterns=(r"blah=1", r"foo", r"^hello$")
    ),
    Run("too-little-memory", "/echo,hello", words="frames=1", status=None, patterns=(r"/echo",)),
    Run("no-frame-left", "/echo,hello", words="failframe=1+", status=None),
]


def kernel_and_image(run: Run) -> tuple[str, str]:
    """Builds the kernel and the image that the run boots, if needed; returns make's names."""
    folder = target("/".join(["build", run.variant] if run.variant else ["build"]))
    kernel = f"{folder}/kernel/kernel"
    image = "/".join([folder, run.image, "fs.img"] if run.image else [folder, "fs.img"])
    with build_lock:
        if image not in built:
            make(*VARIANTS[run.variant], kernel, image)
            built.add(image)
    return kernel, image


def judge(run: Run, status: int, guest: Guest) -> list[str]:
    """Returns what is wrong with how the machine ended."""
    text = guest.text()
    problems = []
    if run.status is None and status == 0:
        problems.append("expected a failing exit status, saw 0")
    if run.status is not None and status != run.status:
        problems.append(f"expected exit status {run.status}, saw {status}")
    if guest.panicked and not any("panic" in pattern for pattern in run.patterns):
        problems.append("the kernel panicked")
    problems += [
        f"expected a line with {p!r}" for p in run.patterns if not re.search(p, text, re.MULTILINE)
    ]
    problems += [f"fsck: {line}" for line in fsck(guest.image)]
    return problems


def run_guest(run: Run) -> Outcome:
    """Boots, waits for the end, and judges it."""
    kernel, image = kernel_and_image(run)
    words = f"init={run.init} {run.words}".strip()
    with Guest(
        run.name,
        cpus=run.cpus,
        mem=run.mem,
        words=words,
        kernel=kernel,
        image=image,
        extra=run.extra,
    ) as guest:
        try:
            problems = judge(run, guest.wait(), guest)
        except GuestFailure as failure:
            problems = [str(failure)]
    passed, failed, skipped = (counts(guest.text()) if run.counted else None) or (0, 0, 0)
    if run.counted and passed == 0:
        problems.append('expected a line "N passed, M failed"')
    if not problems and not failed:
        guest.image.unlink()
        return Outcome(passed + 1, 0, skipped)
    problems += guest.evidence()
    return Outcome(passed, failed + 1, skipped, "\n".join(problems))
