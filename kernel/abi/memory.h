// What memstat, pagemap and procinfo report.
#pragma once
#include "abi/types.h"

enum { PAGE_BYTES = 4096 }; // the size of a page, and of a frame

enum frame_use {
    FRAME_FREE,
    FRAME_KERNEL, // a buffer of the kernel, for the duration of a call
    FRAME_TABLE,  // page tables
    FRAME_USER,   // a process's private memory
    FRAME_CACHE,  // a block of the disk, in the block cache; processes may map it
    FRAME_PIPE,   // a pipe's buffer
    FRAME_USES,
};

enum fault_kind {
    FAULT_ZERO_FILL, // first touch of heap, stack, bss or anonymous memory
    FAULT_FILE,      // first touch of a page of a file
    FAULT_COW_COPY,  // write to a page that was shared: copied
    FAULT_COW_REUSE, // write by a frame's last owner: made writable again without a copy
    FAULT_SHARED,    // first touch of a shared page (memory or file), first write to a shared file
    FAULT_STALE,     // spurious: the entry allows the access, the TLB had a stale one
    FAULT_REFUSED,   // bad address, or access not allowed
    FAULT_NO_MEMORY, // out of memory: access allowed, but there was no frame
    FAULT_KINDS,
};

// Flags of memstat: run the checker of memory, the checker of the file system.
enum { MEMSTAT_CHECK = 1, MEMSTAT_CHECK_FILES = 2 };

struct memstat {
    uint64_t frames_total;            // free and used, without those set aside at boot
    uint64_t frames_free;             // promised ones included
    uint64_t frames_promised;         // reserved by sbrk, mmap and exec, not yet touched
    uint64_t frames_used[FRAME_USES]; // by use; most FRAME_CACHE frames were set aside at boot and
                                      // are not in frames_total
    uint64_t faults[FAULT_KINDS];     // since boot
    uint64_t forks;                   // since boot
    uint64_t idle_instructions;       // counted by instret while harts waited for work
    uint64_t violations;              // found by the checkers, which print the first ones on the
                                      // console
};

enum page_flag {
    PAGE_REGION = 1 << 0,  // some region covers the page
    PAGE_PRESENT = 1 << 1, // a frame is mapped
    PAGE_READ = 1 << 2,    // what the entry grants if present, else what the region allows
    PAGE_WRITE = 1 << 3,
    PAGE_EXEC = 1 << 4,
    PAGE_COW = 1 << 5,    // the entry has the copy-on-write bit
    PAGE_SHARED = 1 << 6, // the region is shared: all processes that map it see each other's writes
    PAGE_FILE = 1 << 7,   // the region maps a file
};

struct pageinfo {
    uint32_t flags;   // enum page_flag
    uint32_t sharers; // the frame's reference count: entries that map it, plus one if a block-cache
                      // slot holds it
    uint64_t frame;   // frame number: physical address / 4096. Outside all regions: the number of
                      // the next region's first page, or 0
};

enum process_state { PROCESS_RUNNING, PROCESS_RUNNABLE, PROCESS_SLEEPING, PROCESS_ZOMBIE };

// What a sleeping process waits for.
enum process_wait {
    WAITS_FOR_FILES, // the disk, or a lock of the file system: ends soon
    WAITS_FOR_PIPE,  // a byte, or room for one
    WAITS_FOR_CHILD, // its exit; after vfork its exit or exec
    WAITS_FOR_KEYS,  // a line from the console
    WAITS_FOR_TIME,  // sleep
};

struct procinfo {
    int pid;
    int parent;              // 0: none
    int state;               // enum process_state
    int waits_for;           // enum process_wait, if it sleeps
    uint64_t pages_resident; // present pages
    uint64_t pages_region;   // pages its regions cover
    uint64_t heap_end;       // sbrk(0)
    char name[16];
    uint64_t run_microseconds; // how long it has run; each turn counts as one time slice at most
    uint64_t pc;               // where it continues in user mode
    uint64_t fault_address;    // of its last page fault
    uint64_t fault_repeats;    // how often that fault has recurred without progress in between
};
