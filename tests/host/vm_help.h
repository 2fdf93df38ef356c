// What the tests of vm have in common: places in an address space, costs of a statement in frames
// and faults, and spaces to begin with.
#pragma once

#include "small_machine.h"

enum { FRAMES = 400, RW = PROT_READ | PROT_WRITE, RX = PROT_READ | PROT_EXEC, PAGE = PAGE_SIZE };

// What a leaf table covers, and a middle one.
#define LEAF_SPAN (512ul * PAGE_SIZE)
#define MIDDLE_SPAN (512 * LEAF_SPAN)

#define TEXT 0x10000ul
#define DATA 0x20000ul
#define ZERO 0x40000000ul

// Runs `statement` and fails unless it takes that many frames from the free ones.
#define COSTS(frames, statement) \
    do { \
        size_t before_ = frames_free(); \
        statement; \
        CHECK_EQUAL(frames, (long)(before_ - frames_free())); \
    } while (0)

// Runs `statement` and fails unless it makes exactly one fault, of that kind.
#define FAULTS(kind, statement) \
    do { \
        uint64_t before_ = all_faults(), of_kind_ = faults(kind); \
        statement; \
        CHECK_EQUAL(1, all_faults() - before_); \
        CHECK_EQUAL(1, faults(kind) - of_kind_); \
    } while (0)

uint64_t all_faults(void);

// The pages of a space that are present, and those that its regions cover.
uint64_t pages_resident(const struct addrspace *as);
uint64_t pages_covered(const struct addrspace *as);

struct frame *frame_at(const struct addrspace *as, vaddr_t va);

// The frame of the leaf table for va, or NULL.
struct frame *leaf_at(const struct addrspace *as, vaddr_t va);

// How many pages of all spaces, and of objects of shared memory, have the frame: an entry of a
// table that several spaces share is a page of each.
unsigned pages_with(const struct frame *f);

// Load and store in a space, which is in use from then on.
uint8_t load_in(struct addrspace *as, vaddr_t va);
void store_in(struct addrspace *as, vaddr_t va, uint8_t byte);

// A space in use with one region of zeroes, at ZERO.
struct addrspace *zero_space(size_t page_count);

// A space in use with one region that maps the beginning of a file, at `start`.
struct addrspace *file_space(struct inode *ip, vaddr_t start, size_t bytes, unsigned rights);

// A space in use whose heap ends there; moves the end of the heap and checks that what must change
// does, and nothing else.
struct addrspace *heap_space(vaddr_t heap_end);
int move_heap(struct addrspace *as, int64_t delta);

// A parent in use with pages that hold `10 + i`, and its child.
struct family {
    struct addrspace *parent, *child;
};

struct family family(size_t page_count);

// The tables that a fork of family() costs: root, middle table, and the frame that is set aside for
// a copy of the leaf table.
enum { FORK_TABLES = 3 };

// Ends both and checks that everything is free again.
void end_family(struct family f);
