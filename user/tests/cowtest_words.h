// What it means when a check of cowtest fails, and what to look at, for the author of the kernel:
// the sentences that several checks have in common.
#pragma once

// Contents.
#define TO_PARENT \
    "the parent sees what its child wrote: the write went to the frame that they share, or the " \
    "parent's frame was freed and used again"
#define AS_FORKED \
    "the child does not have what its parent had at the fork: its entry names a wrong frame, or " \
    "somebody has written to the shared one (was W cleared in the parent's entry, and the TLB " \
    "flushed?)"
#define OWN_WRITE \
    "a process does not find what it wrote: others write to its page, or its frame was freed and " \
    "used again"
#define UNTOUCHED \
    "memory that nobody has written is not zero, or another process's writes are in it"

// Frames.
#define COPIED_AT_FORK "fork has copied a page: the child's entry must name the parent's frame"
#define STILL_SHARED \
    "after a write, parent and child still have one frame: cow_break must copy while somebody " \
    "else names the frame"
#define LAST_COPIES \
    "the last owner's write made a copy: if nobody else names the frame, give W back and keep " \
    "the frame"

// Processes.
#define DIED \
    "a process died when it was its turn: the kernel's line above says at which address, and why"
#define SURVIVED "a process went on that should have ended"
#define PROCESS_GONE \
    "a process has died that should sleep: the kernel's line above says at which address, and why"
#define PIPE_FAILS \
    "a pipe does not work as before: if memory is not lost, look at what you changed beside fork"

// The kernel as the writer.
#define READ_FAILS \
    "read() fails though its buffer is good: user_page must break the sharing, as a store does"
#define READ_WRONG \
    "a system call says that it has stored, and the bytes are not there: does the program still " \
    "see the old frame (its TLB must be flushed when the kernel breaks the sharing, too), or was " \
    "the wrong one written?"
#define COPY_LACKS \
    "after a system call's store the copy lacks what was in the page before: copy all 4096 bytes " \
    "first"
#define TO_CACHE \
    "the kernel's write to a page that just came in went to the block cache's frame: cow_break " \
    "must run right after page_in, too"
#define TEXT_CHANGED \
    "program text has changed: a page that the region does not allow to be written was written"
#define TEXT_WRITTEN \
    "a system call stores to memory that the program must not write: user_page must ask for the " \
    "right to write (vm_fault refuses where the region does not allow it)"
#define CONSTANT_WRITABLE \
    "the page of a constant must be present, read-only and unmarked: its region allows no writing"

// When memory is out.
#define MUST_DIE \
    "a write that found no frame for its copy did not kill the writer: cow_break returns " \
    "-ENOMEM, and the trap handler ends the process"
#define FILL_FAILS "memory cannot be filled as it should: are frames lost, or promised twice?"
#define NO_ROOM_CHANGED \
    "a system call that found no frame for the copy has written all the same: it must fail and " \
    "change nothing"
#define NO_ROOM_SHARED \
    "a system call that found no frame for the copy wrote to the shared frame, which the parent " \
    "has, too: it must fail"
#define SBRK "sbrk of more than there is must fail with ENOMEM, and change nothing"
#define PROMISES "what sbrk has promised, and what of it was touched, is not counted as before"

// Several harts.
#define RACE_LOST \
    "data is lost when several processes write, fork or exit at once: the old frame must be kept " \
    "until it is copied, and its count changed atomically"
#define RACE_COUNT \
    "a frame's count is wrong after several processes used it at once: it must be changed by one " \
    "atomic operation, and the process that drops the last reference must free the frame"

// What is not copied on write.
#define NOT_SHARED \
    "shared memory is not shared: fork must map the same frames, writable, without a mark " \
    "(pt_share)"
#define SHARED_PAGE \
    "a page of shared memory must be writable, unmarked, and named by all processes' entries and " \
    "its object"
#define SHARED_COST "a write to shared memory costs a frame or a copy"
#define VFORK_MARKS "vfork has marked or copied pages: the child uses the parent's own page table"
#define VFORK_COSTS "vfork takes frames or copies"
