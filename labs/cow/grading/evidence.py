"""What can be seen of copy-on-write in page tables and memory; each check raises Failure."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grader import sv39
from grader.run import Failure
from labs.cow.grading.process import EAGERLY, PAGE, SBRK, Process, page_of, pattern
from labs.cow.grading.session import Session
from labs.cow.grading.visits import prove

W, SOFTWARE_BITS, ACCESSED_DIRTY = 1 << 2, 3 << 8, 3 << 6
MAY_CHANGE_AT_FORK = W | SOFTWARE_BITS | ACCESSED_DIRTY
FRAME_BITS = ((1 << 44) - 1) << 10

INVARIANTS: dict[str, str] = {
    "alive": "the kernel keeps running, and every process that did nothing wrong returns from its "
    "system calls and faults",
    "user": "test programs run in user mode",
    "identity": "a process keeps its page table until exec or exit",
    "result": "system calls return what they promise",
    "present": "a process can access its own pages",
    "shared": "after fork both processes have the same frame for a page",
    "read_only": "a frame that several processes share is writable for none of them",
    "sole_writer": "a frame that a process can write to belongs to no other process",
    "steady": "page tables change only in system calls and faults, not because they are inspected",
    "used": "a process loads from the frames that its page table maps",
    "contents": "a process reads what was written to its memory, by it or before the fork",
    "untouched": "a write by one process changes nothing for the others",
    "copied": "a write gives the writer a frame of its own, writable, with the old contents and "
    "the new bytes",
    "stale": "no hart uses a stale TLB entry after the kernel has changed the page table",
    "neighbours": "a write breaks the sharing only of the pages that it touches",
    "kept": "the last owner of a frame writes without a copy",
    "marks": "the copy-on-write bit is one of the two that Sv39 leaves to software (8 and 9)",
    "execute": "a copied page has the permissions of the original",
    "text": "program text is never changed and never becomes writable",
    "hidden": "page tables and kernel memory cannot be accessed from user mode",
    "cost": "fork allocates frames for page tables, not for pages",
    "killed": "a process that cannot continue is killed, with status -1, and no other is affected",
    "refused": "the kernel does not write where the process itself may not",
    "free_pages": "every page is freed when its last owner is gone",
    "counts": "reference counts stay right when harts change them at the same time",
}


def fail(
    invariant: str, expected: str, seen: str, process: Process, va: int, **facts: object
) -> Failure:
    """Returns a failure that is about a page of a process."""
    return Failure(
        invariant, expected, seen, page=page_of(va), process=process.name, **facts
    )


# ---- A page ----


def check_shared(processes: Sequence[Process], vas: Iterable[int]) -> None:
    """The processes have one frame for each of the pages, which none of them can write to."""
    tables = {process: process.leaves() for process in processes}
    for va in vas:
        entries = {
            process: leaves.get(va) or process.entry(va) for process, leaves in tables.items()
        }
        frames = {process.name: entry.pa for process, entry in entries.items()}
        if len(set(frames.values())) > 1:
            seen = ", ".join(f"{name}: {frame:#x}" for name, frame in frames.items())
            expected = "one frame for " + ", ".join(frames)
            raise fail("shared", expected, seen, processes[-1], va)
        writable = [process for process, entry in entries.items() if entry.w]
        if writable:
            names = ", ".join(process.name for process in writable)
            raise fail(
                "read_only", "the shared page to be writable for no process",
                f"writable for {names}", writable[0], va, parent_writable=processes[0] in writable,
                child_writable=processes[-1] in writable,
            )


def check_bytes(process: Process, va: int, expected: bytes, invariant: str, what: str) -> None:
    """The process has these bytes at va."""
    seen = process.read(va, len(expected))
    if seen == expected:
        return
    at = next(i for i in range(len(expected)) if seen[i] != expected[i])
    wrong = sum(a != b for a, b in zip(seen, expected))
    raise fail(
        invariant, f"{process.name} to have {what}: {expected[at:at + 8].hex()} at {va + at:#x}",
        f"{seen[at:at + 8].hex()}; {wrong} of {len(expected)} bytes differ", process, va + at,
    )


def check_own(
    process: Process, va: int, others: Sequence[Process], invariant: str = "copied"
) -> None:
    """The process can write to the page, and no other process has its frame."""
    if not process.entry(va).w:
        expected = "the page to be writable for the writer"
        raise fail(invariant, expected, "it is not", process, va)
    check_alone(process, va, others, "sole_writer" if invariant != "copied" else invariant)


def check_alone(
    process: Process, va: int, others: Sequence[Process], invariant: str = "copied"
) -> None:
    """No other process has the process's frame of the page, which may still be read-only."""
    for other in others:
        if other.find(va) is not None and other.frame(va) == process.frame(va):
            writable = f", writable for {process.name}" if process.entry(va).w else ""
            raise fail(
                invariant, f"a frame that {other.name} does not have",
                f"both have {process.frame(va):#x}{writable}", process, va, writer=process.name,
            )


def check_writable(process: Process, va: int, others: Sequence[Process]) -> None:
    """The process can write to the page, and no other process has its frame.

    After the kernel stored for it the entry may be read-only until its own next store.
    """
    if not process.entry(va).w:
        process.store(va, int.from_bytes(process.read(va, 8), "little"))
    check_own(process, va, others)


def check_sole_writers(session: Session) -> None:
    """No frame that a process can write to is mapped a second time."""
    users: dict[int, list[tuple[Process, sv39.Entry]]] = {}
    for process in session.processes:
        for entry in process.leaves().values():
            users.setdefault(entry.pa, []).append((process, entry))
    for frame, found in users.items():
        for process, entry in found:
            if len(found) > 1 and entry.w:
                names = ", ".join(f"{user.name} at {its.va:#x}" for user, its in found)
                expected = f"one user of frame {frame:#x}, which is writable"
                raise fail("sole_writer", expected, names, process, entry.va)


# ---- Entries over time ----


def entries(process: Process, vas: Iterable[int]) -> dict[int, int]:
    """Returns the bits of the entries of these pages."""
    return {va: process.entry(va).bits for va in vas}


def check_marks(before: dict[int, int], process: Process) -> None:
    """Since before the fork only W, A, D and the software bits of the entries have changed."""
    for va, old in before.items():
        new = process.entry(va).bits
        changed = (old ^ new) & ~FRAME_BITS & ~MAY_CHANGE_AT_FORK
        if changed:
            bits = [bit for bit in range(64) if changed >> bit & 1]
            names = ", ".join(f"{bit} ({'VRWXUGAD'[bit]})" if bit < 8 else str(bit) for bit in bits)
            raise fail(
                "marks", f"an entry like {old:#x}, except for W and bits 8, 9",
                f"{new:#x}: changed bits {names}", process, va, bits=bits,
            )


# ---- Families ----


@dataclass
class Family:
    """A parent and a child that share a piece of heap which the parent filled before the fork."""

    parent: Process
    child: Process
    heap: int
    pages: int
    seed: int

    @property
    def vas(self) -> list[int]:
        """The shared pages."""
        return [self.heap + i * PAGE for i in range(self.pages)]

    def expected(self, va: int, size: int) -> bytes:
        """What was there at the fork."""
        start = va & -8
        return pattern(self.seed, start, size + 16)[va - start:va - start + size]

    def check_intact(self, process: Process, vas: Sequence[int] = ()) -> None:
        """The process has what it had at the fork."""
        for va in vas or self.vas:
            check_bytes(
                process, va, self.expected(va, PAGE), "untouched", "what was there at the fork"
            )

    def check_broken(
        self, writer: Process, other: Process, frames: dict[int, int], written: dict[int, bytes]
    ) -> None:
        """The writer wrote these bytes (address: bytes) and nothing else; `frames` are those of
        before."""
        touched = {page_of(va + i) for va, data in written.items() for i in range(len(data))}
        self.check_intact(other)
        for va in self.vas:
            kept = other.frame(va) == frames[va]
            if not kept and va not in touched:
                expected = f"{other.name} to keep its frame {frames[va]:#x}"
                raise fail("neighbours", expected, f"{other.frame(va):#x}", other, va)
            if va not in touched:
                check_shared([writer, other], [va])
                continue
            check_alone(writer, va, [other])
            if not kept:
                expected = f"the original frame {frames[va]:#x} to stay with {other.name}"
                raise fail("untouched", expected, f"{other.frame(va):#x}", other, va)
        self._check_written(writer, touched, written)
        check_sole_writers(writer.session)
        prove([writer, other], self.vas)
        for va in touched:
            check_writable(writer, va, [other])
        self._check_written(writer, touched, written)

    def _check_written(
        self, writer: Process, touched: Iterable[int], written: dict[int, bytes]
    ) -> None:
        """The pages have what was written, and around it what was there at the fork."""
        for va, data in written.items():
            check_bytes(writer, va, data, "copied", "what it wrote")
        for va in touched:
            expected = bytearray(self.expected(va, PAGE))
            for start, data in written.items():
                for i, byte in enumerate(data):
                    if va <= start + i < va + PAGE:
                        expected[start + i - va] = byte
            what = "the old contents around what it wrote"
            check_bytes(writer, va, bytes(expected), "copied", what)


def fill_heap(process: Process, pages: int) -> tuple[int, int]:
    """Grows the heap by whole pages and fills them: address and seed."""
    end = process.grow(0)
    if end % PAGE:
        process.must("sbrk", SBRK, PAGE - end % PAGE, EAGERLY)
    seed = process.session.random_seed()
    heap = process.grow(pages)
    process.fill(heap, pages * PAGE, seed)
    return heap, seed


def start_family(session: Session, pages: int = 8, parent: Process | None = None) -> Family:
    """Makes a parent and a child that have read, and are seen to share, some pages of heap."""
    parent = parent or session.begin()
    heap, seed = fill_heap(parent, pages)
    child = parent.fork("child" if parent.name != "child" else "grandchild")
    family = Family(parent, child, heap, pages, seed)
    for process in (child, parent):
        process.check(heap, pages * PAGE, seed)
    check_shared([parent, child], family.vas)
    prove([parent, child], family.vas)
    return family
