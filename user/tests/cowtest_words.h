// What it means when a check of cowtest fails and where to look, for the author of the kernel: the
// sentences that several checks share.
#pragma once

// Contents.
#define TO_PARENT \
    "the parent sees what its child wrote: the write went to the frame that they share, or the " \
    "parent's frame was freed and used again"
#define AS_FORKED \
    "the child does not have what its parent had at the fork: its entry maps the wrong frame, or " \
    "another process has written to the shared one (was W cleared in the parent's entry, and the " \
    "TLB flushed?)"
#define OWN_WRITE \
    "a process does not find what it wrote: another process writes to its page, or its frame was " \
    "freed and used again"
#define UNTOUCHED \
    "memory that has never been written is not zero, or shows another process's writes"

// Frames.
#define COPIED_AT_FORK "fork has copied a page: the child's entry must map the parent's frame"
#define STILL_SHARED \
    "after a write, parent and child still have one frame: cow_break must copy while another " \
    "entry maps the frame"
#define LAST_COPIES \
    "the last owner's write made a copy: if no other entry maps the frame, keep the frame and " \
    "set W again"

// Processes.
#define DIED \
    "a process was killed during its turn: the kernel's line above says at which address, and why"
#define SURVIVED "a process that should have ended is still running"
#define PROCESS_GONE \
    "a process that should be asleep has died: the kernel's line above says at which address, " \
    "and why"
#define PIPE_FAILS \
    "a pipe has stopped working: if memory is not lost, look at what you changed apart from fork"

// The kernel as the writer.
#define READ_FAILS \
    "read() fails though its buffer is good: user_page must break the sharing, as a store does"
#define READ_WRONG \
    "a system call says that it has stored, but the bytes are not there: does the program still " \
    "see the old frame (its TLB must be flushed when the kernel breaks the sharing, too), or was " \
    "the wrong frame written?"
#define COPY_LACKS \
    "after a system call's store the copy lacks what was in the page before: copy all 4096 bytes " \
    "first"
#define TO_CACHE \
    "the kernel's write to a page that has just been brought in went to the block cache's frame: " \
    "cow_break must run right after page_in, too"
#define TEXT_CHANGED \
    "program text has changed: a page was written although its region does not allow it"
#define TEXT_WRITTEN \
    "a system call stores to memory that the program must not write: user_page must ask for the " \
    "right to write (vm_fault refuses where the region does not allow it)"
#define CONSTANT_WRITABLE \
    "the page of a constant must be present and read-only, without the copy-on-write bit: its " \
    "region allows no writing"

// Out of memory.
#define MUST_DIE \
    "a write that found no frame for its copy did not kill the writer: cow_break returns " \
    "-ENOMEM, and the trap handler ends the process"
#define FILL_FAILS "memory cannot be filled: are frames lost, or reserved twice?"
#define NO_ROOM_CHANGED \
    "a system call that found no frame for the copy has written anyway: it must fail and change " \
    "nothing"
#define NO_ROOM_SHARED \
    "a system call that found no frame for the copy wrote to the frame that it shares with its " \
    "parent: it must fail"
#define SBRK "sbrk beyond the available memory must fail with ENOMEM and change nothing"
#define RESERVATIONS \
    "the frames that sbrk reserves, or those of them that were touched, are no longer counted " \
    "correctly"

// Several harts.
#define RACE_LOST \
    "data is lost when several processes write, fork or exit at once: the old frame must be kept " \
    "until it is copied, and its count changed atomically"
#define RACE_COUNT \
    "a frame's count is wrong after several processes used it at the same time: it must be " \
    "changed by one atomic operation, and the process that drops the last reference must free " \
    "the frame"

// What is not copied on write.
#define NOT_SHARED \
    "shared memory is not shared: fork must map the same frames, writable, without the " \
    "copy-on-write bit (pt_share)"
#define SHARED_PAGE \
    "a page of shared memory must be writable, without the copy-on-write bit, and mapped by all " \
    "processes' entries and its object"
#define SHARED_COST "a write to shared memory costs a frame or a copy"
#define VFORK_MARKS \
    "vfork has copied pages or marked them copy-on-write: the child must use the parent's own " \
    "page table"
#define VFORK_COSTS "vfork takes frames or copies"
