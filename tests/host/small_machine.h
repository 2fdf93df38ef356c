// A small machine for tests of mem and vm: frames, one hart that walks page tables by itself and
// keeps what it found in a TLB until that is flushed, and checks that must always hold.
#pragma once

#include "test.h"

#include "abi/errno.h"
#include "arch/address.h"
#include "file_mock.h"
#include "fs/inode.h"
#include "mem/frame.h"
#include "vm/addrspace.h"
#include "vm/backing_file.h"
#include "vm/backing_shared.h"
#include "vm/backing_zero.h"
#include "vm/check.h"
#include "vm/cow.h"
#include "vm/fault.h"
#include "vm/faultcount.h"
#include "vm/fork.h"
#include "vm/heap.h"
#include "vm/mmap.h"
#include "vm/pagemap.h"
#include "vm/usermem.h"

#define MACHINE_RAM (16u << 20)

// Boots with that many frames for processes; nothing is mapped, no space is active.
void machine_start(size_t frame_count);

// As machine_start; allocation number fail_at fails, and with fail_all every later one, too.
void machine_start_failing(size_t frame_count, size_t fail_at, bool fail_all);

// The hart accesses a byte as a program in the active space would: page faults go to vm_fault, and
// one fault must be enough. Errors: as vm_fault.
int hart_load(struct addrspace *as, vaddr_t va, uint8_t *byte);
int hart_store(struct addrspace *as, vaddr_t va, uint8_t byte);
int hart_fetch(struct addrspace *as, vaddr_t va);

// Makes the hart use no space any more.
void hart_leave(void);

// How often instructions were flushed.
extern unsigned hart_instruction_flushes;

// Called once, at the next flush of a page: what another hart does at that moment.
extern void (*hart_meanwhile)(void);

struct region zero_region(vaddr_t start, size_t page_count, unsigned protection);
struct region file_region(struct inode *ip, uint64_t offset, vaddr_t start, size_t bytes,
                          unsigned protection);

// Shared regions: of new shared memory (object NULL: out of memory), of a file.
struct region shared_region(vaddr_t start, size_t page_count, unsigned protection);
struct region shared_file_region(struct inode *ip, uint64_t offset, vaddr_t start,
                                 size_t page_count, unsigned protection);

// A space with nothing in it.
struct addrspace *space_make(void);

// Maps a region, with a reference of its own to the object.
void space_map(struct addrspace *as, struct region r);

// Makes the hart use the space.
void space_use(struct addrspace *as);

// Copies a space that is in use; fails the test if that fails.
struct addrspace *space_fork(struct addrspace *parent);

// Ends a space, also one in use.
void space_end(struct addrspace *as);

// Takes all free frames that are not promised, except `left`; gives them back.
void frames_hold(size_t left);
void frames_release(void);

size_t frames_free(void);
size_t frames_promised(void);
size_t frames_used(enum frame_use use);
uint64_t faults(enum fault_kind kind);

// The frame and the rights at va; frame NULL: nothing is mapped.
struct mapping mapping_at(const struct addrspace *as, vaddr_t va);

// Fails the test unless the kernel's checker finds nothing, and neither does one that shares no
// code with it: frame counts, table entries bit by bit, shared tables, sums of frames, promises,
// the order of regions.
#define CHECK_SOUND() machine_check(__FILE__, __LINE__)
void machine_check(const char *file, int line);

// CHECK_SOUND, and also: all frames are free, no promise or reservation is left, no lock is held,
// no file is in use.
#define CHECK_ALL_BACK() machine_check_empty(__FILE__, __LINE__)
void machine_check_empty(const char *file, int line);

// Access that must succeed.
#define LOAD(as, va) \
    ({ \
        uint8_t byte_; \
        CHECK_EQUAL(0, hart_load(as, va, &byte_)); \
        byte_; \
    })
#define STORE(as, va, byte) CHECK_EQUAL(0, hart_store(as, va, byte))

// Runs `run`, which leaves all free again, with each seed from first to last, or only with that of
// the environment's SEED. Prints each seed, so that a failure can be repeated.
void run_seeds(unsigned first, unsigned last, void (*run)(void));
