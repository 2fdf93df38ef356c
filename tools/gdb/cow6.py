"""Commands for gdb that show a stopped cow6 kernel's processes, address spaces and frames."""
from __future__ import annotations

import os
import sys
from collections.abc import Callable

import gdb

sys.dont_write_bytecode = True  # gdb may be started by anyone, in any tree
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # gdb looks elsewhere for modules

from cow6_kernel import (  # noqa: E402
    COW, LEVELS, NOT_ATTACHED, PAGE_SHIFT, PAGE_SIZE, TABLE_ENTRIES, VALID, Entry, Kernel,
    entry_physical, is_attached, is_table, physical_memory,
)

FLAG_LETTERS = "VRWXUGAD"
PROT_LETTERS = "rwx"  # PROT_ bits, from bit 0 on

USES = {
    "FRAME_FREE": "free",
    "FRAME_KERNEL": "kernel",
    "FRAME_TABLE": "page table",
    "FRAME_USER": "process memory",
    "FRAME_CACHE": "block cache",
    "FRAME_PIPE": "pipe",
}


def flags(bits: int) -> str:
    """An entry's flags: a letter for each that is set, and COW."""
    letters = " ".join(letter if bits >> i & 1 else "-" for i, letter in enumerate(FLAG_LETTERS))
    return letters + (" COW" if bits & COW else "")


def name_of(value: gdb.Value) -> str:
    """The text in an array of characters."""
    return value.string(errors="replace")


def use_name(value: int) -> str:
    """What a frame is used for, in words."""
    for field in gdb.lookup_type("enum frame_use").fields():
        if field.enumval == value:
            return USES.get(field.name, field.name)
    return f"use {value}"


def protection(bits: int) -> str:
    """A region's rights, such as r-x."""
    return "".join(letter if bits >> i & 1 else "-" for i, letter in enumerate(PROT_LETTERS))


# The commands. Each gets the kernel, and its arguments as numbers.


def show_processes(kernel: Kernel) -> None:
    """Lists the processes."""
    processes = kernel.processes()
    by_address = {int(p["pid"]): p for p in processes}
    print(f"{'pid':>5} {'parent':>6} {'state':<8} {'hart':>4} {'pages':>6}  name")
    for pid, p in by_address.items():
        task = p["task"]
        state = "zombie" if p["zombie"] else str(task["state"]).replace("TASK_", "").lower()
        hart = str(int(task["thread"]["hart"])) if state == "running" else ""
        parent = str(int(kernel.target(p["parent"])["pid"])) if int(p["parent"]) else "-"
        space = kernel.space(p)
        pages = "-"
        if space is not None:
            pages = str(sum(1 for _ in kernel.entries(kernel.root(space))))
        print(f"{pid:>5} {parent:>6} {state:<8} {hart:>4} {pages:>6}  {name_of(p['name'])}")


def show_regions(kernel: Kernel, pid: int) -> None:
    """Lists the regions of an address space, with the pages of each that are present and COW."""
    space = kernel.space_of(pid)
    present = list(kernel.entries(kernel.root(space)))
    print(
        f"{'start':>12} {'end':>12}  rights {'pages':>6} {'present':>7} {'COW':>5}  name, backing"
    )
    for i in range(int(space["region_count"])):
        r = space["regions"][i]
        start, end = int(r["start"]), int(r["end"])
        inside = [entry for entry in present if start <= entry.va < end]
        marked = sum(1 for entry in inside if entry.bits & COW)
        backing = kernel.string(kernel.target(r["backing"])["name"])
        reserved = ", reserved" if r["promised"] else ""
        counts = f"{(end - start) // PAGE_SIZE:>6} {len(inside):>7} {marked:>5}"
        text = f"{kernel.string(r['name'])}, {backing}{reserved}"
        print(f"{start:#12x} {end:#12x}  {protection(int(r['protection'])):<6} {counts}  {text}")
    users = int(space["users"])
    print(f"heap ends at {int(space['heap_end']):#x}; {users} user(s) of this address space")


def show_walk(kernel: Kernel, pid: int, va: int) -> None:
    """Follows an address through the page table."""
    space = kernel.space_of(pid)
    if not -(1 << 38) <= signed(va) < 1 << 38:
        raise gdb.GdbError(
            f"cow6: {va:#x} is no Sv39 address: bits 63 to 39 must be copies of bit 38"
        )
    table = kernel.root(space)
    for level in range(LEVELS - 1, -1, -1):
        shift = PAGE_SHIFT + 9 * level
        index = va >> shift & TABLE_ENTRIES - 1
        bits = int.from_bytes(kernel.read(table + 8 * index, 8), "little")
        where = f"level {level}: entry {index:3} of table {table:#x} = {bits:#018x}"
        if not bits & VALID:
            print(f"{where}  not present")
            break
        target = entry_physical(bits)
        if is_table(bits) and level > 0:
            print(f"{where}  {flags(bits)}  next table {target:#x}")
            table = target
            continue
        physical = target + (va & (1 << shift) - 1)
        print(f"{where}  {flags(bits)}  frame {target >> PAGE_SHIFT:#x}")
        print(f"{va:#x} is physical address {physical:#x}")
        break
    print(region_text(kernel, space, va))


def signed(va: int) -> int:
    """A 64-bit address as a signed number."""
    return va - (1 << 64) if va >> 63 else va


def region_text(kernel: Kernel, space: gdb.Value, va: int) -> str:
    """Which region covers the address."""
    if va >> 63:
        return "the kernel's half"
    for i in range(int(space["region_count"])):
        r = space["regions"][i]
        if int(r["start"]) <= va < int(r["end"]):
            span = f"{int(r['start']):#x} to {int(r['end']):#x}"
            return f"region {span} {protection(int(r['protection']))} {kernel.string(r['name'])}"
    return "no region covers it"


def show_frame(kernel: Kernel, number: int) -> None:
    """Shows a frame's count and use."""
    n = kernel.frame_number(number)
    where = f"frame {n:#x} (physical address {n << PAGE_SHIFT:#x})"
    if not kernel.was_used(n):
        print(f"{where}: free, never used")
        return
    f = kernel.frame(n)
    count, use = int(f["count"]), int(f["use"])
    if count == 0:
        print(f"{where}: count 0, free, or set aside for the kernel at boot")
        return
    sharers = kernel.sharers(n)
    more = f", {sharers} sharers because of shared leaf tables" if sharers != count else ""
    print(f"{where}: count {count}{more}, {use_name(use)}")


def show_users(kernel: Kernel, number: int) -> None:
    """Shows every entry of every process that maps a frame."""
    n = kernel.frame_number(number)
    show_frame(kernel, number)
    found: list[Entry] = []
    pids: dict[int, int] = {}
    for p in kernel.processes():
        pid, name, at = int(p["pid"]), name_of(p["name"]), int(p["as"])
        if at in pids:
            print(f"  process {pid} ({name}) uses the address space of process {pids[at]}")
        elif at != 0:
            pids[at] = pid
    for p, entry in kernel.entries_for(n):
        found.append(entry)
        owners = kernel.owners(entry.table)
        where = f", in a leaf table that {owners} share" if owners > 1 else ""
        print(f"  process {int(p['pid'])} ({name_of(p['name'])}) at {entry.va:#x}  "
              f"{flags(entry.bits)}{where}")
    print(f"{len(found)} entries of processes name it")


def show_frames(kernel: Kernel) -> None:
    """Shows the totals."""

    def count(name: str) -> int:
        return int(kernel.variable("kernel/mem/frame.c", name))

    first = kernel.ram_base >> PAGE_SHIFT
    print(f"RAM: {kernel.ram_frames} frames, {first:#x} to {first + kernel.ram_frames - 1:#x}")
    total, free, reserved = (count(f"{name}_count") for name in ("total", "free", "promised"))
    print(f"for processes: {total}, free {free}, reserved {reserved}")
    used = kernel.variable("kernel/mem/frame.c", "used_count")
    low, high = used.type.range()
    for use in range(low, high + 1):
        if int(used[use]) > 0:
            print(f"  {use_name(use)}: {int(used[use])}")


COMMANDS: dict[str, tuple[Callable[..., None], list[str], str]] = {
    "ps": (show_processes, [], "the processes"),
    "regions": (show_regions, ["PID"], "the regions of a process's address space"),
    "walk": (show_walk, ["PID", "ADDRESS"], "an address on its way through the page table"),
    "frame": (
        show_frame,
        ["FRAME"],
        "a frame's count and use; FRAME: its number or an address in it",
    ),
    "users": (show_users, ["FRAME"], "the page-table entries that name a frame"),
    "frames": (show_frames, [], "how many frames are free, reserved, used for what"),
}


def usage() -> str:
    """The list of commands."""
    lines = [
        f"cow6 {' '.join([name, *parameters]):<22} {text}"
        for name, (_, parameters, text) in COMMANDS.items()
    ]
    return "\n".join(lines)


class Cow6Command(gdb.Command):
    """Shows processes and memory of the attached cow6 kernel; without arguments, the commands."""

    def __init__(self) -> None:
        super().__init__("cow6", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        words = gdb.string_to_argv(argument)
        if not words:
            print(usage())
            return
        if words[0] not in COMMANDS:
            raise gdb.GdbError(f"cow6: unknown command {words[0]}\n{usage()}")
        function, parameters, _ = COMMANDS[words[0]]
        if len(words) - 1 != len(parameters):
            raise gdb.GdbError(f"usage: cow6 {' '.join([words[0], *parameters])}")
        numbers = [number(word) for word in words[1:]]
        with physical_memory():
            function(Kernel(), *numbers)

    def complete(self, text: str, word: str) -> list[str]:
        """Completes the name of the command."""
        return [name for name in COMMANDS if name.startswith(word)] if text == word else []


def number(text: str) -> int:
    """The value of an expression, as an unsigned number."""
    try:
        return int(gdb.parse_and_eval(text)) & (1 << 64) - 1
    except gdb.error as error:
        raise gdb.GdbError(f"cow6: {text}: {error}") from error


Cow6Command()
if not is_attached():
    print(NOT_ATTACHED)
