"""Commands for gdb that show a stopped cow6 kernel's processes, address spaces and frames.

They read physical memory through QEMU's gdb stub, so they work whatever the harts are doing, and
take all layouts from the kernel's debug information. Nothing in the kernel runs for them.
"""
from __future__ import annotations

import contextlib
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import gdb

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
TABLE_ENTRIES = 512
LEVELS = 3
USER_ENTRIES = TABLE_ENTRIES // 2

# Sv39 entries; the kernel uses bit 8, one of two reserved for software, as its copy-on-write mark.
VALID, READ, WRITE, EXECUTE, COW = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 8
FLAG_LETTERS = "VRWXUGAD"
PROT_LETTERS = "rwx"  # PROT_ bits, from bit 0 on

NOT_ATTACHED = "cow6: no kernel is attached: start `make qemu-gdb` in another window first, then `make gdb` here"

USES = {
    "FRAME_FREE": "free",
    "FRAME_KERNEL": "kernel",
    "FRAME_TABLE": "page table",
    "FRAME_USER": "process memory",
    "FRAME_CACHE": "block cache",
    "FRAME_PIPE": "pipe",
}


class Entry(NamedTuple):
    """A present page-table entry of the lower half."""

    va: int
    level: int
    bits: int


class Kernel:
    """The kernel's memory, as structures of its own debug information."""

    def __init__(self) -> None:
        self.offset = address_of("kernel_start") - address_of("kernel_entry")
        self.ram_base = int(self.variable("kernel/mem/frame.c", "ram_base"))
        self.ram_frames = int(self.variable("kernel/mem/frame.c", "ram_frames"))
        if self.ram_frames == 0:
            raise gdb.GdbError(
                "cow6: the kernel has not set up its memory yet: let it run first (continue, Ctrl-C)"
            )

    def physical(self, va: int) -> int:
        """The physical address of a kernel address of the linear map."""
        return va - self.offset

    def read(self, pa: int, size: int) -> bytes:
        """Reads physical memory."""
        try:
            return bytes(gdb.selected_inferior().read_memory(pa, size))
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"cow6: there is no memory at physical address {pa:#x}") from error

    def object(self, va: int, kind: gdb.Type) -> gdb.Value:
        """The object of that type at a kernel address."""
        return gdb.Value(self.read(self.physical(va), kind.sizeof), kind)

    def target(self, pointer: gdb.Value) -> gdb.Value:
        """What a kernel pointer points to."""
        return self.object(int(pointer), pointer.type.target())

    def variable(self, file: str, name: str) -> gdb.Value:
        """A variable of one of the kernel's files."""
        return self.target(evaluate(f"&'{file}'::{name}"))

    def string(self, pointer: gdb.Value) -> str:
        """A constant string."""
        if int(pointer) == 0:
            return ""
        page_rest = PAGE_SIZE - int(pointer) % PAGE_SIZE
        return (
            self.read(self.physical(int(pointer)), min(64, page_rest))
            .split(b"\0")[0]
            .decode(errors="replace")
        )

    # Processes.

    def processes(self) -> List[gdb.Value]:
        """All processes, by pid."""
        table = self.variable("kernel/proc/table.c", "table")
        count = int(gdb.parse_and_eval("PROCS_MAX"))
        kind = table.type.target()
        slots = [self.object(int(table) + i * kind.sizeof, kind) for i in range(count)]
        return sorted((p for p in slots if int(p["pid"]) > 0), key=lambda p: int(p["pid"]))

    def process(self, pid: int) -> gdb.Value:
        """The process with that pid."""
        for p in self.processes():
            if int(p["pid"]) == pid:
                return p
        raise gdb.GdbError(f"cow6: there is no process {pid}; `cow6 ps` lists them")

    def space(self, p: gdb.Value) -> Optional[gdb.Value]:
        """The address space of a process, None if it has none any more."""
        return self.target(p["as"]) if int(p["as"]) != 0 else None

    def space_of(self, pid: int) -> gdb.Value:
        """The same for a pid, which must have one."""
        space = self.space(self.process(pid))
        if space is None:
            raise gdb.GdbError(f"cow6: process {pid} has exited and has no address space any more")
        return space

    # Page tables.

    def root(self, space: gdb.Value) -> int:
        """The physical address of a space's root table."""
        return self.physical(int(space["pt"]["root"]))

    def table(self, pa: int) -> List[int]:
        """The entries of the table at that address."""
        data = self.read(pa, PAGE_SIZE)
        return [int.from_bytes(data[i : i + 8], "little") for i in range(0, PAGE_SIZE, 8)]

    def entries(self, table: int, level: int = LEVELS - 1, va: int = 0) -> Iterator[Entry]:
        """All leaf entries below a table that serve addresses of the lower half."""
        count = USER_ENTRIES if level == LEVELS - 1 else TABLE_ENTRIES
        for index, bits in enumerate(self.table(table)[:count]):
            address = va + (index << (PAGE_SHIFT + 9 * level))
            if is_table(bits):
                yield from self.entries(entry_physical(bits), level - 1, address)
            elif bits & VALID:
                yield Entry(address, level, bits)

    # Frames.

    def frame_number(self, number: int) -> int:
        """The frame number of a frame number or physical address in RAM."""
        if number >= self.ram_base:
            number >>= PAGE_SHIFT
        first = self.ram_base >> PAGE_SHIFT
        if not first <= number < first + self.ram_frames:
            last = first + self.ram_frames - 1
            raise gdb.GdbError(
                f"cow6: there is no frame {number:#x}; RAM has frames {first:#x} to {last:#x}"
            )
        return number

    def frame(self, number: int) -> gdb.Value:
        """The struct of a frame."""
        frames = self.variable("kernel/mem/frame.c", "frames")
        kind = frames.type.target()
        return self.object(
            int(frames) + (number - (self.ram_base >> PAGE_SHIFT)) * kind.sizeof, kind
        )

    def was_used(self, number: int) -> bool:
        """Tells whether a frame has ever been handed out, so that its struct means something."""
        return number - (self.ram_base >> PAGE_SHIFT) < int(
            self.variable("kernel/mem/frame.c", "fresh")
        )


def evaluate(text: str) -> gdb.Value:
    """Evaluates an expression that reads no memory."""
    try:
        return gdb.parse_and_eval(text)
    except gdb.error as error:
        raise gdb.GdbError(
            f"cow6: {error}; does `file kernel/kernel` name the kernel that runs?"
        ) from error


def address_of(symbol: str) -> int:
    """The address of a symbol of the linker's."""
    return int(evaluate(f"(unsigned long)&{symbol}"))


def is_table(bits: int) -> bool:
    """Tells whether an entry points to the next table."""
    return bits & (VALID | READ | WRITE | EXECUTE) == VALID


def entry_physical(bits: int) -> int:
    """Where an entry points to."""
    return bits >> 10 << PAGE_SHIFT & (1 << 56) - 1


def flags(bits: int) -> str:
    """An entry's flags: a letter each that is set, and the mark."""
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
    """A region's rights as in rwx."""
    return "".join(letter if bits >> i & 1 else "-" for i, letter in enumerate(PROT_LETTERS))


def is_attached() -> bool:
    """Tells whether there is a machine to look at."""
    return gdb.selected_inferior().pid != 0 and len(gdb.selected_inferior().threads()) > 0


@contextlib.contextmanager
def physical_memory() -> Iterator[None]:
    """Makes the stub read physical memory meanwhile."""

    def switch(on: int) -> bool:
        return "OK" in gdb.execute(f"maintenance packet Qqemu.PhyMemMode:{on}", to_string=True)

    if not is_attached():
        raise gdb.GdbError(NOT_ATTACHED)
    try:
        works = switch(1)
    except gdb.error as error:
        raise gdb.GdbError(
            f"cow6: {error}; are the harts running? Stop them with Ctrl-C"
        ) from error
    if not works:
        raise gdb.GdbError(
            "cow6: what is attached is no QEMU: its stub cannot read physical memory"
        )
    try:
        yield
    finally:
        switch(0)


# The commands. Each gets the kernel and its arguments as numbers.


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
        pages = (
            str(sum(1 for _ in kernel.entries(kernel.root(space)))) if space is not None else "-"
        )
        print(f"{pid:>5} {parent:>6} {state:<8} {hart:>4} {pages:>6}  {name_of(p['name'])}")


def show_regions(kernel: Kernel, pid: int) -> None:
    """Lists the regions of an address space, and what is present and marked in each."""
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
        promised = ", promised" if r["promised"] else ""
        counts = f"{(end - start) // PAGE_SIZE:>6} {len(inside):>7} {marked:>5}"
        text = f"{kernel.string(r['name'])}, {backing}{promised}"
        print(f"{start:#12x} {end:#12x}  {protection(int(r['protection'])):<6} {counts}  {text}")
    print(
        f"heap ends at {int(space['heap_end']):#x}; {int(space['users'])} user(s) of this address space"
    )


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
            rights = protection(int(r["protection"]))
            return f"region {int(r['start']):#x} to {int(r['end']):#x} {rights} {kernel.string(r['name'])}"
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
    else:
        print(f"{where}: count {count}, {use_name(use)}")


def show_users(kernel: Kernel, number: int) -> None:
    """Shows every entry of every process that maps a frame."""
    n = kernel.frame_number(number)
    show_frame(kernel, number)
    found = 0
    seen: Dict[int, int] = {}
    for p in kernel.processes():
        space = kernel.space(p)
        if space is None:
            continue
        pid, name, at = int(p["pid"]), name_of(p["name"]), int(p["as"])
        if at in seen:
            print(f"  process {pid} ({name}) uses the address space of process {seen[at]}")
            continue
        seen[at] = pid
        for entry in kernel.entries(kernel.root(space)):
            if entry_physical(entry.bits) >> PAGE_SHIFT == n:
                found += 1
                print(f"  process {pid} ({name}) at {entry.va:#x}  {flags(entry.bits)}")
    print(f"{found} entries of processes name it")


def show_frames(kernel: Kernel) -> None:
    """Shows the totals."""

    def count(name: str) -> int:
        return int(kernel.variable("kernel/mem/frame.c", name))

    first = kernel.ram_base >> PAGE_SHIFT
    print(f"RAM: {kernel.ram_frames} frames, {first:#x} to {first + kernel.ram_frames - 1:#x}")
    print(
        f"for processes: {count('total_count')}, free {count('free_count')}, promised {count('promised_count')}"
    )
    used = kernel.variable("kernel/mem/frame.c", "used_count")
    low, high = used.type.range()
    for use in range(low, high + 1):
        if int(used[use]) > 0:
            print(f"  {use_name(use)}: {int(used[use])}")


COMMANDS: Dict[str, Tuple[Callable[..., None], List[str], str]] = {
    "ps": (show_processes, [], "the processes"),
    "regions": (show_regions, ["PID"], "the regions of a process's address space"),
    "walk": (show_walk, ["PID", "ADDRESS"], "an address on its way through the page table"),
    "frame": (
        show_frame,
        ["FRAME"],
        "a frame's count and use; FRAME: its number or an address in it",
    ),
    "users": (show_users, ["FRAME"], "the page-table entries that name a frame"),
    "frames": (show_frames, [], "how many frames are free, promised, used for what"),
}


def usage() -> str:
    """The list of commands."""
    lines = [
        f"cow6 {' '.join([name, *parameters]):<22} {text}"
        for name, (_, parameters, text) in COMMANDS.items()
    ]
    return "\n".join(lines)


class Cow6Command(gdb.Command):
    """Shows processes and memory of the cow6 kernel that is attached. Without arguments: the list of commands."""

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

    def complete(self, text: str, word: str) -> List[str]:
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
