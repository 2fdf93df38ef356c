// Frames: 4 KiB pieces of RAM with a reference count. The count is the number of page-table entries
// that map the frame, plus one if a block-cache slot holds it (invariant I1). A page table counts
// as mapped by the entry that points to it, a root table by its address space. The kernel's own
// frames and pipes' buffers are never mapped and have count 1. At 0 a frame is free.
//
// A frame can be promised before it is needed: from then on it counts as taken, and the allocation
// that redeems the promise cannot fail. (Other systems call this a reservation, and the sum of all
// promises the commit charge.)
//
// Nothing walks memory at boot: frames that were never used are handed out in order, freed ones
// from a list.
#pragma once
#include "abi/memory.h"
#include "abi/types.h"

struct frame {
    uint32_t count; // atomic
    uint32_t use;   // enum frame_use
    uint32_t next;  // on the free list: index of the next frame
    uint32_t seen;  // for the checker: references found
};

// ---- Boot ----

// Takes over the RAM from start to end (page-aligned).
void frame_init(paddr_t start, paddr_t end);

// Boot only: sets that many bytes aside for good, page-aligned, with undefined contents. Panics
// when there is no more memory.
void *frame_set_aside(size_t bytes);

// Makes the struct frame of a page that was set aside valid, with count 1.
struct frame *frame_adopt(void *page, enum frame_use use);

// Ends setting aside: what is left, but at most limit frames (0: no limit), is what frame_alloc
// gives. For tests, allocation number fail_at fails (0: none does), with fail_all all later ones,
// too.
void frame_start(size_t limit, size_t fail_at, bool fail_all);

// ---- Allocation ----

// A frame with count 1 and undefined contents. NULL: no frame is free that is not promised.
struct frame *frame_alloc(enum frame_use use);

// The same, filled with zeroes.
struct frame *frame_alloc_zeroed(enum frame_use use);

// Redeems one promise: the same from the frames that are promised.
struct frame *frame_alloc_promised(enum frame_use use);

// Promises n frames. Errors: -ENOMEM (there are not enough).
int frame_promise(size_t n);

// Takes back n promises.
void frame_unpromise(size_t n);

// ---- References ----

// Add and drop a reference; dropping the last one frees the frame.
void frame_get(struct frame *f);
void frame_put(struct frame *f);

// True if f has another reference besides the caller's.
bool frame_is_shared(const struct frame *f);

void frame_set_use(struct frame *f, enum frame_use use);

// Cache frames (use FRAME_CACHE) that processes map: those with a count over 1.
size_t frame_mapped_cache_count(void);

// ---- Contents and addresses ----

void frame_copy(struct frame *to, const struct frame *from);

// The frame's memory in the kernel's map, and back (p points anywhere into it).
void *frame_ptr(const struct frame *f);
struct frame *frame_of(const void *p);

// The frame's physical address, and back (pa is anywhere in it).
paddr_t frame_phys(const struct frame *f);
struct frame *frame_of_phys(paddr_t pa);

// ---- Statistics and the checker ----

// Fills in the frames_ fields.
void frame_stat(struct memstat *stat);

// I1: counts the calls of frame_note_entry for each frame and compares them with its count. Prints
// the first differences and returns how many there are. The other harts must be stopped.
void frame_check_begin(void);
void frame_note_entry(struct frame *f);
size_t frame_check_end(void);
