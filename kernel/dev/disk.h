// The disk: a virtio block device (Virtual I/O Device 1.1, section 5.2, modern MMIO transport).
// Several requests are in flight at once; an interrupt reports their completion.
#pragma once
#include "abi/types.h"
#include "sched/wait.h"

enum {
    DISK_PAGES_MAX = 64, // of one request
    DISK_SECTOR = 512,   // bytes, which the disk writes as a whole or not at all
};

// As virtio numbers them.
enum disk_operation { DISK_READ = 0, DISK_WRITE = 1, DISK_FLUSH = 4 };

// A transfer between consecutive blocks and as many pages. The caller fills in the first six
// fields and leaves the request alone until disk_wait returns. Only one request with a number may
// be under way at a time.
struct disk_request {
    enum disk_operation operation;
    uint32_t block; // first block, in BLOCK_SIZE units
    unsigned count; // pages; 0 for DISK_FLUSH
    void *pages[DISK_PAGES_MAX];
    uint64_t number;     // if not 0, each sector is written with this as its first word
    bool flushes;        // a write after which the disk flushes before it is done
    int error;           // after disk_wait: 0 or -EIO
    bool done;           // [disk lock]
    struct waitq waiter; // [disk lock]
};

struct machine;

// Finds and starts the first block device; without one every request fails with -EIO.
void disk_init(const struct machine *m);

// Returns the size of the disk in blocks, 0 if there is no disk.
uint32_t disk_blocks(void);

// Starts r. A flush is complete when all writes that completed before it are on the medium. May
// sleep while the queue is full.
void disk_submit(struct disk_request *r);

// Sleeps until r is done; returns r->error.
int disk_wait(struct disk_request *r);
