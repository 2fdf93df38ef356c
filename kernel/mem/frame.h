// Frames: 4 KiB pieces of RAM with a reference count. The count is the number of page-table entries
// that map the frame, plus one if a block-cache slot holds it (invariant I1). A page table counts
// as mapped by the entry that points to it, a root table by its address space. The kernel's own
// frames and pipes' buffers are never mapped and have count 1. A frame whose count is 0 is free.
//
// A frame can be reserved before it is needed. Here this is called a promise: from then on the
// frame counts as taken, and the allocation that redeems the promise cannot fail. (The sum of all
// promises is what other systems call the commit charge.)
//
// Nothing walks memory at boot: frames that were never used are handed out in order, freed ones
// from a list.
#pragma once
#include "abi/memory.h"
#include "abi/types.h"
#include "arch/address.h"
#include "lib/panic.h"

struct frame {
    uint32_t count;   // atomic
    uint8_t use;      // enum frame_use
    bool sealed;      // vm/table.h: a leaf table that fork has prepared for sharing
    uint16_t entries; // vm/table.h: how many entries of a table are in use
    uint32_t next;    // on a list: index of the next frame
    uint32_t seen;    // for the checker: entries that map it
};

// The pages of RAM and their frames: frame_array[i] is that of the page at ram_base + i *
// PAGE_SIZE. Here because page tables go from one to the other all the time; for the functions
// below only.
extern struct frame *frame_array; // [I]
extern paddr_t ram_base;          // [I]
extern size_t ram_frames;         // [I]

// ---- Boot ----

// Takes over the RAM from start to end (page-aligned).
void frame_init(paddr_t start, paddr_t end);

// Boot only: sets aside that many bytes for good, page-aligned and with undefined contents. Panics
// if there is not enough memory.
void *frame_set_aside(size_t bytes);

// After frame_start: makes the struct frame of a page that was set aside valid, with count 1.
struct frame *frame_adopt(void *page, enum frame_use use);

// No more memory is set aside after this: the frames that are left, but at most `limit` (0: no
// limit), are for frame_alloc. For tests, allocation number fail_at fails (0: none does), and with
// fail_all every later one, too.
void frame_start(size_t limit, size_t fail_at, bool fail_all);

// ---- Allocation ----

// Returns a frame with count 1 and undefined contents, or NULL if all free frames are promised.
struct frame *frame_alloc(enum frame_use use);

// As frame_alloc, but filled with zeroes. Prefers frames that frame_put_zeroed has freed.
struct frame *frame_alloc_zeroed(enum frame_use use);

// Redeems one promise: as frame_alloc, but returns one of the promised frames.
struct frame *frame_alloc_promised(enum frame_use use);

// Promises n frames. Errors: -ENOMEM (fewer are free and not yet promised).
int frame_promise(size_t n);

// Takes back n promises.
void frame_unpromise(size_t n);

// ---- Contents and addresses ----

// From a frame to its number among all frames, and back.
static inline uint32_t frame_index(const struct frame *f) {
    return (uint32_t)(f - frame_array);
}

static inline struct frame *frame_of_index(uint32_t index) {
    return &frame_array[index];
}

// From a frame to its physical address, and back (pa is anywhere in the frame).
static inline paddr_t frame_phys(const struct frame *f) {
    return ram_base + (paddr_t)(f - frame_array) * PAGE_SIZE;
}

static inline struct frame *frame_of_phys(paddr_t pa) {
    size_t i = (pa - ram_base) / PAGE_SIZE; // a huge number if pa is below ram_base
    assert(i < ram_frames);
    return &frame_array[i];
}

// From a frame to its memory in the kernel's map, and back (p points anywhere into the memory).
static inline void *frame_ptr(const struct frame *f) {
    return phys_to_ptr(frame_phys(f));
}

static inline struct frame *frame_of(const void *p) {
    return frame_of_phys(ptr_to_phys(p));
}

void frame_copy(struct frame *to, const struct frame *from);

// ---- References ----

// Add and drop a reference; dropping the last one frees the frame.
void frame_get(struct frame *f);
void frame_put(struct frame *f);

// Drops the last reference to a frame that is filled with zeroes.
void frame_put_zeroed(struct frame *f);

// True if f has another reference besides the caller's.
static inline bool frame_is_shared(const struct frame *f) {
    return __atomic_load_n(&f->count, __ATOMIC_ACQUIRE) > 1;
}

// Changes what f is counted as. Neither use may be FRAME_FREE or FRAME_CACHE.
void frame_set_use(struct frame *f, enum frame_use use);

// Returns how many frames of use FRAME_CACHE have a count above 1, because processes map them.
size_t frame_mapped_cache_count(void);

// ---- Statistics and the checker ----

// Fills in the fields that begin with frames_.
void frame_stat(struct memstat *stat);

// Check I1. Between begin and end, frame_note_entry is called once for each entry that maps a
// frame. frame_check_end compares these calls with the frame's count, prints the first differences
// and returns how many there are. The other harts must be stopped.
void frame_check_begin(void);
void frame_note_entry(struct frame *f);
size_t frame_check_end(void);
