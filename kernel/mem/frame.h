// Frames: 4 KiB pieces of RAM with a reference count. A frame's count is the number of page-table
// entries, cache slots and shared-object slots that name it; at 0 it is free. Nothing walks memory
// at boot: frames never used yet are handed out in order, freed ones from a list.
#pragma once
#include "abi/memory.h"
#include "abi/types.h"

struct frame {
    uint32_t count; // atomic
    uint32_t use;   // enum frame_use
    uint32_t next;  // free list: frame index
    uint32_t seen;  // vm/check: references found
};

// Takes over the RAM from start to end (page-aligned).
void frame_init(paddr_t start, paddr_t end);
// Boot only: sets bytes aside for good, page-aligned, contents undefined. Panics when there is no
// more.
void *frame_set_aside(size_t bytes);
// Makes the struct frame of a page that was set aside valid, with count 1.
struct frame *frame_adopt(void *page, enum frame_use use);
// Ends set-asides: what is left, but at most limit frames (0: no limit), is what frame_alloc gives.
// The allocation number fail_at fails (0: none does), and with fail_all every later one too.
void frame_start(size_t limit, size_t fail_at, bool fail_all);
// A frame with count 1 and undefined contents, or NULL. Frames promised to somebody are not given.
struct frame *frame_alloc(enum frame_use use);
struct frame *frame_alloc_zeroed(enum frame_use use);
// Turns one promise into a frame.
struct frame *frame_alloc_promised(enum frame_use use);
// Promises n frames (-ENOMEM if there are not enough), or takes promises back.
int frame_promise(size_t n);
void frame_unpromise(size_t n);
void frame_get(struct frame *f);
void frame_put(struct frame *f);
void frame_set_use(struct frame *f, enum frame_use use);
// True if somebody else names f too.
bool frame_is_shared(const struct frame *f);
// The frame's memory, as the kernel sees it, and back (p points anywhere into it).
void *frame_ptr(const struct frame *f);
struct frame *frame_of(const void *p);
paddr_t frame_phys(const struct frame *f);
struct frame *frame_of_phys(paddr_t pa);
void frame_copy(struct frame *to, const struct frame *from);
// Cache frames (use FRAME_CACHE) that processes map: those with a count over 1.
size_t frame_mapped_cache_count(void);
// I1: counts what frame_saw sees of each frame and compares it with the frame's count. Prints and
// counts the differences. No other hart may be in the kernel.
void frame_check_begin(void);
void frame_saw(struct frame *f);
size_t frame_check_end(void);
// Fills in the frames_ fields.
void frame_stat(struct memstat *stat);
