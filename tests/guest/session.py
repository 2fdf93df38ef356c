"""A session at the shell's prompt, typed key by key as a user would."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from guest.disk import fsck
from guest.runs import Run, kernel_and_image
from outcome import Outcome
from qemu import Guest, GuestFailure

PROMPT = r"^\$ \Z"
UP, DOWN, LEFT = "\x1b[A", "\x1b[B", "\x1b[D"
HOME, END, DELETE = "\x1b[H", "\x1bOF", "\x1b[3~"
CTRL_A = "\x01\x01"  # QEMU takes one of them
CTRL_C, CTRL_D, CTRL_K, CTRL_L, CTRL_P = "\x03", "\x04", "\x0b", "\x0c", "\x10"
CTRL_U, CTRL_W, BACKSPACE = "\x15", "\x17", "\x7f"
QUESTION = re.escape("\x1b[6n\x1b7\x1b[999C\x1b[6n\x1b8")
LINE_MAX = 511
FAMILY, FLAG = "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1f0\U0001f1f7"


@dataclass(frozen=True)
class Step:
    """Typed text, and a pattern for each line that is printed for it.

    A line that begins with a prompt shows the command again.
    """

    name: str
    typed: str
    lines: tuple[str, ...] = ()


STEPS: list[Step] = [
    Step("echo", "echo hello world", ("hello world",)),
    Step("arguments", "echo  a   b", ("a b",)),
    Step("quotes", "echo \"a  b\" 'c | d'", (r"a  b c \| d",)),
    Step("comment", "echo one # two", ("one",)),
    Step("write", "echo first > made; cat made", ("first",)),
    Step("append", "echo second >> made; cat made", ("first", "second")),
    Step("overwrite", "echo third > made; cat made", ("third",)),
    Step("read", "cat < made", ("third",)),
    Step("pipe", "echo through | cat | cat", ("through",)),
    Step("pipe-count", "cat README | grep -c . | wc -l", (r"\s*1",)),
    Step("list", "echo a; echo b", ("a", "b")),
    Step("and", "true && echo yes; false && echo no", ("yes", "false: exit status 1")),
    Step("or", "false || echo no; true || echo never", ("no",)),
    Step("subshell", "(echo x; echo y) | cat", ("x", "y")),
    Step("background", "sleep 1 & echo now", ("now",)),
    Step("status", "false", ("false: exit status 1",)),
    Step("unknown", "nosuchprogram", (r"sh: nosuchprogram: .+",)),
    Step("missing-file", "cat nosuchfile", (r"cat: nosuchfile: .+", "cat: exit status 1")),
    Step(
        "directory",
        "mkdir dir; cd dir; echo in > file; cat ../dir/file; cd ..; ls dir",
        ("in", ".*file.*"),
    ),
    Step("dot-dot-at-root", "cd ../../..; ls README", (".*README.*",)),
    Step("link", "ln made other; rm made; cat other; rm other", ("third",)),
    Step("backspace", f"echo abX{BACKSPACE}c", ("abc",)),
    Step("erase-line", f"echo wrong{CTRL_U}echo right", ("right",)),
    Step("erase-word", f"echo one two{CTRL_W}three", ("one three",)),
    Step("arrow-left", f"echo ac{LEFT}b", ("abc",)),
    Step("delete", f"echo aXbc{LEFT}{LEFT}{LEFT}{DELETE}", ("abc",)),
    Step("home-end", f"cho a{HOME}e{END}b{CTRL_A}{DELETE}e", ("ab",)),
    Step("erase-rest", f"echo abc def{LEFT * 4}{CTRL_K}", ("abc",)),
    Step("unknown-keys", "echo a\x1b[15~b\x1bOP\x1b[[A\x1b[24;80Rc", ("abc",)),
    Step("korean", f"echo 가나다{LEFT}{BACKSPACE}", ("가다",)),
    Step("combining", f"echo e\u0301x{LEFT}{BACKSPACE}", ("x",)),
    Step("family", f"echo a{FAMILY}{BACKSPACE}x{FAMILY}{LEFT}y", (f"axy{FAMILY}",)),
    Step("flag", f"echo {FLAG}{FLAG}{LEFT}{BACKSPACE}", (FLAG,)),
    Step("skin-tone", f"echo a\U0001f44d\U0001f3fdb{LEFT}{BACKSPACE}", ("ab",)),
    Step("clear", f"echo {CTRL_L}abc", ("abc",)),
    Step("history", UP, ("abc",)),
    Step("history-two-back", f"{UP}{UP}{DOWN}", ("abc",)),
    Step("tab-program", "ech\tabc", ("abc",)),
    Step("tab-path", "ls ./REA\t", (r"\./README",)),
    Step("tab-argument", "echo REA\tx", ("README x",)),
    Step("tab-files", "mkdir tabs tabs/one.d; echo a > tabs/one; echo b > 'tabs/one b'"),
    Step("tab-directory", "echo ta\tone", ("tabs/one",)),
    Step("tab-lists", "cat ta\to\t\t\\ \t", (r"one +one b +one\.d/", r"\$ cat tabs/one\\ b ", "b")),
    Step("tab-quote", 'cat "tabs/one \t; rm -r tabs', ("b",)),
    Step("tab-nothing", "echo nosuch\t\t", ("\x07*nosuch",)),
    Step("longest-line", f"echo {'x' * (LINE_MAX - 5)}", ("x" * (LINE_MAX - 5),)),
    Step(
        "too-long-line",
        f"echo {'x' * (LINE_MAX - 4)}",
        (f"sh: line not run: it is longer than {LINE_MAX} bytes",),
    ),
    Step(
        "much-too-long-line",
        f"echo {'x' * 5000}",
        (f"sh: line not run: it is longer than {LINE_MAX} bytes",),
    ),
    Step(
        "kill-init",
        "kill 1",
        ("kill: 1: the first process cannot be killed .*", "kill: exit status 1"),
    ),
    Step(
        "kill-wrong",
        "kill 12x 0 -1 abc 1000000",
        (
            r"(kill: \S+: not a pid\n){4}" "kill: 1000000: no such process",
            "kill: exit status 1",
        ),
    ),
    Step("init-lives", "ps | grep init", (r" *1 +0 .* init",)),
    Step("help", "help | grep -c Ctrl-C; help echo", ("1", "echo .*prints its arguments")),
    Step("help-knows-all", "help | grep 'not part of'", ("grep: exit status 1",)),
    Step("script", "echo 'echo from a script' > script; sh script; rm script", ("from a script",)),
    Step(
        "head",
        "seq 9 | head -n 2; seq 9 | head -n1; seq 9 | head -3",
        ("1", "2", "1", "1", "2", "3"),
    ),
    Step("head-nothing", "seq 9 | head -0; echo end", ("end",)),
    Step("head-wrong", "head -x", (r"usage: head .*", "head: exit status 2")),
    Step("ps-wrong", "ps -z", ("usage: ps", "ps: exit status 2")),
    Step("bench-wrong", "bench -z", ("usage: bench .*", "bench: exit status 2")),
    Step(
        "test-wrong",
        "forktest nosuch",
        (r"nosuch: no such test \(forktest -l lists them\)", "forktest: exit status 2"),
    ),
    Step("test-wrong-option", "forktest -z", (r"usage: forktest .*", "forktest: exit status 2")),
    Step("many-processes", "echo 1 | cat | cat | cat | cat | cat | cat | cat | cat", ("1",)),
]


def converse(guest: Guest, step: Step) -> str:
    """Types a step's text and returns what is wrong with the answer, "" if nothing is."""
    shown_again = sum(line.startswith(r"\$ ") for line in step.lines)
    guest.send(step.typed + "\n")
    answer = guest.expect(rf"(?:^\$ .*\n(?:.*\n)*){{{shown_again}}}{PROMPT}").splitlines()[1:-1]
    if re.fullmatch("\n".join(step.lines), "\n".join(answer)):
        return ""
    return f"{step.name}: expected the lines {list(step.lines)}, saw {answer}"


def end_of_input(guest: Guest) -> None:
    """Ctrl-D ends the input of the foreground job."""
    guest.send("sh -c 'echo ready; cat'\n")
    guest.expect(r"^ready$")
    guest.send("typed\n")
    guest.expect(r"^typed\ntyped$")
    guest.send(CTRL_D)
    guest.expect(PROMPT)


def background_reader(guest: Guest) -> None:
    """A background job gets no input, even if it waited for some before; a foreground job does."""
    guest.send("cat /console & cat\n")
    guest.expect(r"^cat: /console: input/output error$")
    guest.send("typed\n")
    guest.expect(r"^typed\ntyped$")
    guest.send(CTRL_D)
    guest.expect(PROMPT)


def interrupt(guest: Guest) -> None:
    """Ctrl-C ends the foreground job and not the shell."""
    guest.send("sh -c 'echo ready; cat'\n")
    guest.expect(r"^ready$")
    guest.send(CTRL_C)
    guest.expect(PROMPT)


def interrupt_prompt(guest: Guest) -> None:
    """Ctrl-C discards what was typed, even over several lines, and the prompt returns."""
    guest.send("echo never")
    guest.expect(r"echo never\Z")
    guest.send(CTRL_C)
    guest.expect(r"\^C\n\$ \Z")
    guest.send("(echo never\n")
    guest.expect(r"^> \Z")
    guest.send(CTRL_C)
    guest.expect(r"\^C\n\$ \Z")
    guest.send("echo fine\n")
    guest.expect(r"^fine\n\$ \Z")


def inner_shell(guest: Guest) -> None:
    """In a shell started by the shell, Ctrl-C does the same and ends neither."""
    guest.send("sh\n")
    guest.expect(r"sh\n\$ \Z")
    guest.send(CTRL_C)
    guest.expect(r"\^C\n\$ \Z")
    guest.send("sh -c 'echo ready; cat'\n")
    guest.expect(r"^ready$")
    guest.send(CTRL_C)
    guest.expect(r"^\^C\nsh: killed\n\$ \Z")
    guest.send("exit 3\n")
    guest.expect(r"^sh: exit status 3\n\$ \Z")


def type_ahead(guest: Guest) -> None:
    """Input typed while a job runs is shown at the next prompt, and Ctrl-C discards it."""
    guest.send("sh -c 'echo ready; sleep 1; echo done'\n")
    guest.expect(r"^ready$")
    guest.send("echo 가나다 typed\necho more\n")
    guest.expect(r"^done\n\$ echo 가나다 typed\n가나다 typed\n\$ echo more\nmore\n\$ \Z")
    guest.send("sh -c 'echo ready; cat'\n")
    guest.expect(r"^ready$")
    guest.send(f"line\n{CTRL_C}")
    guest.expect(r"^\^C\nsh: killed\n\$ \Z")


def paste(guest: Guest) -> None:
    """Many lines sent at once arrive, each at its own prompt."""
    guest.send("".join(f"echo line {i}\n" for i in range(200)))
    for i in range(200):
        guest.expect(rf"echo line {i}\nline {i}\n\$ ")


def long_history(guest: Guest) -> None:
    """Up recalls the last 100 lines, here of those that were pasted."""
    guest.send(UP * 101 + "\n")
    guest.expect(r"^line 100\n\$ \Z")


def wide_line(guest: Guest) -> None:
    """A long line is edited in the width that the terminal reports."""
    guest.send("echo 0123456789012345678901234567890123456789")
    guest.expect(r"456789\Z")
    guest.send(LEFT)
    guest.expect(rf"{QUESTION}\Z")
    guest.send("\x1b[9;8R\x1b[9;40R")
    guest.send(f"{LEFT * 9}{BACKSPACE}X\n")  # back over the right edge
    guest.expect(r"\x1b\[1A(.|\n)*\n01234567890123456789012345678X0123456789\n\$ \Z")


def resize(guest: Guest) -> None:
    """After a resize, Ctrl-L draws the line for the new width."""
    guest.send("echo 0123456789abcdefghijklmnopqrst")
    guest.expect(r"rst\Z")
    guest.send(LEFT)
    guest.expect(rf"{QUESTION}\Z")
    guest.send("\x1b[9;38R\x1b[9;40R")
    guest.expect(r"\x08\Z")
    guest.send(CTRL_L)
    guest.expect(rf"{QUESTION}\Z")
    guest.send("\x1b[9;18R\x1b[9;20R")
    guest.expect(r"\$ echo 0123456789abc\ndefghijklmnopqrst\x08\Z")
    guest.send("X\n")
    guest.expect(r"^0123456789abcdefghijklmnopqrsXt\n\$ \Z")


def too_long_line(guest: Guest) -> None:
    """A program that reads lines gets whole lines only."""
    guest.send("wc\n")
    guest.expect(r"wc\n\Z")
    guest.send("z" * 600 + "\n")
    guest.expect(rf"^console: line not read: it is longer than {LINE_MAX} bytes\n\Z")
    guest.send(f"one line\n{CTRL_D}")
    guest.expect(r"^one line\n *1 +2 +9\n\$ \Z")


def process_table(guest: Guest) -> None:
    """Ctrl-P lists the processes, and a shell that waits for input shows its prompt again."""
    guest.expect_rest()
    guest.send(CTRL_P)
    guest.expect(r"\binit\b")
    guest.expect(r"\bsh\b")
    guest.expect(PROMPT)


SPECIALS = (
    end_of_input, background_reader, interrupt, interrupt_prompt, inner_shell, type_ahead, paste,
    long_history, wide_line, resize, too_long_line, process_table,
)


def talk(guest: Guest) -> tuple[int, list[str]]:
    """Types all steps at the prompt, powers off; returns how many passed, and what is wrong."""
    problems: list[str] = []
    guest.expect(r"^cow6: (1 hart|3 harts), 128 MiB of memory$")
    guest.send("echo early\n")
    guest.expect(r'^Type "help" .*\n\n\$ echo early\nearly\n\$ \Z')
    for step in STEPS:
        problem = converse(guest, step)
        problems += [problem] if problem else []
    for special in SPECIALS:
        special(guest)
    guest.send("poweroff\n")
    status = guest.wait()
    problems += [f"poweroff: expected exit status 0, saw {status}"] if status else []
    return 2 + len(STEPS) + len(SPECIALS) - len(problems), problems


def end_first(guest: Guest) -> tuple[int, list[str]]:
    """Ctrl-C ends process 1, and with it the machine, unless that process is a shell."""
    guest.expect(r"^simple: ok$")
    guest.send(CTRL_C)
    status = guest.wait()
    problems = [] if status == 255 else [f"Ctrl-C: expected exit status 255, saw {status}"]
    if not re.search(r"^killing process 1 \(cowtest\)", guest.text(), re.MULTILINE):
        problems.append("Ctrl-C: expected a message, saw none")
    return 2 - len(problems), problems


def check_talk(
    name: str, cpus: int, words: str, play: Callable[[Guest], tuple[int, list[str]]]
) -> Outcome:
    """Boots with these words on the kernel's command line, and plays a session."""
    run = Run(name, "")
    kernel, image = kernel_and_image(run)
    problems: list[str] = []
    passed = 0
    with Guest(run.name, cpus=cpus, mem="128M", words=words, kernel=kernel, image=image) as guest:
        try:
            passed, problems = play(guest)
        except GuestFailure as failure:
            problems.append(str(failure))
    problems += [f"fsck: {line}" for line in fsck(guest.image)]
    if not problems:
        guest.image.unlink()
        return Outcome(passed)
    return Outcome(passed, len(problems), 0, "\n".join([*problems, *guest.evidence()]))


def check_session() -> Outcome:
    """The shell on 3 harts and on 1, and Ctrl-C without a shell."""
    outcome = check_talk("session", 3, "", talk)
    outcome += check_talk("session-1", 1, "", talk)
    return outcome + check_talk("session-first", 3, "init=/cowtest", end_first)
