// Frames. The array `frames` has one struct for each page of RAM from ram_base on. Below `fresh`
// its entries are valid; the pages from there on have never been used.
#include "mem/frame.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "sync/spinlock.h"

enum { NO_FRAME = 0xffffffff, POISON = 0xa5 };
enum { LINES_MAX = 10 }; // that the checker prints

static struct spinlock lock = SPINLOCK(RANK_FRAMES);
static struct frame *frames;          // [I]
static paddr_t ram_base;              // [I]
static size_t ram_frames;             // [I]
static size_t fresh;                  // [lock]
static uint32_t free_list = NO_FRAME; // [lock]
static size_t total_count;            // [I] after frame_start
static size_t free_count;             // [lock] that may be allocated: with frames=N not all
static size_t promised_count;         // [lock] those of them that are promised
static size_t used_count[FRAME_USES]; // [lock]
static size_t mapped_cache_count;     // atomic
static size_t fail_countdown;         // [lock] allocations until one fails; 0: none will
static bool fail_for_good;            // [I]

void frame_init(paddr_t start, paddr_t end) {
    ram_base = start;
    ram_frames = (end - start) / PAGE_SIZE;
    frames = phys_to_ptr(start);
    fresh = round_up(ram_frames * sizeof *frames, PAGE_SIZE) / PAGE_SIZE;
    assert(fresh < ram_frames);
}

void *frame_set_aside(size_t bytes) {
    assert(total_count == 0);
    void *start = phys_to_ptr(ram_base + fresh * PAGE_SIZE);
    size_t count = round_up(bytes, PAGE_SIZE) / PAGE_SIZE;
    if (count > ram_frames - fresh)
        panic("not enough memory to start: %lu KiB",
              (unsigned long)(ram_frames * PAGE_SIZE / 1024));
    fresh += count;
    return start;
}

struct frame *frame_adopt(void *page, enum frame_use use) {
    struct frame *f = frame_of(page);
    *f = (struct frame){.count = 1, .use = use};
    spin_lock(&lock);
    used_count[use]++;
    spin_unlock(&lock);
    return f;
}

void frame_start(size_t limit, size_t fail_at, bool fail_all) {
    memset(frames, 0, fresh * sizeof *frames);
    free_count = ram_frames - fresh;
    if (limit != 0 && limit < free_count)
        free_count = limit;
    total_count = free_count;
    fail_countdown = fail_at;
    fail_for_good = fail_all;
}

// True if a test has chosen this allocation to fail.
static bool fails_on_purpose(void) {
    assert(spin_held(&lock));
    if (fail_countdown == 0 || --fail_countdown > 0)
        return false;
    if (fail_for_good)
        fail_countdown = 1;
    return true;
}

// With DEBUG a free frame is filled with a pattern, which must still be there when it is allocated
// again. So a write after the free is noticed.
static void poison(struct frame *f) {
    if (DEBUG)
        memset(frame_ptr(f), POISON, PAGE_SIZE);
}

static void check_poison(struct frame *f) {
    const uint8_t *byte = frame_ptr(f);
    for (size_t i = 0; DEBUG && i < PAGE_SIZE; i++) {
        if (byte[i] != POISON)
            panic("frame 0x%lx was written at offset %lu while free", frame_phys(f) / PAGE_SIZE,
                  (unsigned long)i);
    }
}

static struct frame *pop_free(void) {
    assert(spin_held(&lock));
    if (free_list == NO_FRAME)
        return &frames[fresh++];
    struct frame *f = &frames[free_list];
    check_poison(f);
    free_list = f->next;
    return f;
}

// Panics unless there are n promises to redeem or to take back.
static void check_promised(size_t n) {
    assert(spin_held(&lock));
    if (n > promised_count)
        panic("more promises of frames dropped than made: "
              "was a promised frame taken for a page that has no promise?");
}

// Takes a frame: one that is not promised if `promises` is 0, one that is if it is 1.
static struct frame *alloc(enum frame_use use, size_t promises) {
    struct frame *f = NULL;
    spin_lock(&lock);
    check_promised(promises);
    if (!fails_on_purpose() && free_count > promised_count - promises) {
        f = pop_free();
        free_count--;
        promised_count -= promises;
        used_count[use]++;
        *f = (struct frame){.count = 1, .use = use};
    }
    spin_unlock(&lock);
    return f;
}

struct frame *frame_alloc(enum frame_use use) {
    return alloc(use, 0);
}

struct frame *frame_alloc_promised(enum frame_use use) {
    return alloc(use, 1);
}

struct frame *frame_alloc_zeroed(enum frame_use use) {
    struct frame *f = frame_alloc(use);
    if (f != NULL)
        memset(frame_ptr(f), 0, PAGE_SIZE);
    return f;
}

int frame_promise(size_t n) {
    spin_lock(&lock);
    bool enough = n <= free_count - promised_count;
    if (enough)
        promised_count += n;
    spin_unlock(&lock);
    return enough ? 0 : -ENOMEM;
}

void frame_unpromise(size_t n) {
    spin_lock(&lock);
    check_promised(n);
    promised_count -= n;
    spin_unlock(&lock);
}

void frame_get(struct frame *f) {
    uint32_t before = __atomic_fetch_add(&f->count, 1, __ATOMIC_RELAXED);
    if (before == 0 || before == UINT32_MAX)
        panic("frame 0x%lx: reference taken while its count is %u: "
              "was one dropped twice, or never taken?",
              frame_phys(f) / PAGE_SIZE, before);
    if (f->use == FRAME_CACHE && before == 1)
        __atomic_fetch_add(&mapped_cache_count, 1, __ATOMIC_RELAXED);
}

static void free_frame(struct frame *f) {
    poison(f);
    spin_lock(&lock);
    used_count[f->use]--;
    f->use = FRAME_FREE;
    f->next = free_list;
    free_list = (uint32_t)(f - frames);
    free_count++;
    spin_unlock(&lock);
}

void frame_put(struct frame *f) {
    bool cached = f->use == FRAME_CACHE; // read first: at count 0, f gets a new use
    uint32_t before = __atomic_fetch_sub(&f->count, 1, __ATOMIC_ACQ_REL);
    if (before == 0)
        panic("frame 0x%lx: reference dropped while it is free: "
              "was one dropped twice, or never taken?",
              frame_phys(f) / PAGE_SIZE);
    if (cached && before == 2)
        __atomic_fetch_sub(&mapped_cache_count, 1, __ATOMIC_RELAXED);
    if (before == 1)
        free_frame(f);
}

void frame_set_use(struct frame *f, enum frame_use use) {
    assert(use != FRAME_FREE && use != FRAME_CACHE);
    spin_lock(&lock);
    used_count[f->use]--;
    used_count[use]++;
    f->use = use;
    spin_unlock(&lock);
}

bool frame_is_shared(const struct frame *f) {
    return __atomic_load_n(&f->count, __ATOMIC_ACQUIRE) > 1;
}

void *frame_ptr(const struct frame *f) {
    return phys_to_ptr(frame_phys(f));
}

struct frame *frame_of(const void *p) {
    return frame_of_phys(ptr_to_phys(p));
}

paddr_t frame_phys(const struct frame *f) {
    return ram_base + (paddr_t)(f - frames) * PAGE_SIZE;
}

struct frame *frame_of_phys(paddr_t pa) {
    assert(pa >= ram_base && (pa - ram_base) / PAGE_SIZE < ram_frames);
    return &frames[(pa - ram_base) / PAGE_SIZE];
}

void frame_copy(struct frame *to, const struct frame *from) {
    memcpy(frame_ptr(to), frame_ptr(from), PAGE_SIZE);
}

size_t frame_mapped_cache_count(void) {
    return __atomic_load_n(&mapped_cache_count, __ATOMIC_RELAXED);
}

void frame_check_begin(void) {
    for (size_t i = 0; i < fresh; i++)
        frames[i].seen = 0;
}

void frame_note_entry(struct frame *f) {
    f->seen++;
}

// I1, for a frame that `seen` page-table entries map.
static bool count_is_right(const struct frame *f) {
    switch ((enum frame_use)f->use) {
    case FRAME_FREE:
    case FRAME_TABLE:
    case FRAME_USER:
        return f->count == f->seen;
    case FRAME_CACHE: // plus one for its slot, unless that has given up the frame
        return f->count == f->seen + 1 || (f->count == f->seen && f->seen > 0);
    case FRAME_KERNEL:
    case FRAME_PIPE:
        return f->count == 1 && f->seen == 0;
    case FRAME_USES:
        break;
    }
    return false;
}

size_t frame_check_end(void) {
    size_t wrong = 0;
    for (size_t i = 0; i < fresh; i++) {
        const struct frame *f = &frames[i];
        if (count_is_right(f))
            continue;
        if (wrong++ >= LINES_MAX)
            continue;
        print("check: I1: frame 0x%lx (use %u): count %u, but %u entries map it\n",
              frame_phys(f) / PAGE_SIZE, f->use, f->count, f->seen);
    }
    if (wrong > LINES_MAX)
        print("check: I1: and %lu more frames\n", (unsigned long)(wrong - LINES_MAX));
    return wrong;
}

void frame_stat(struct memstat *stat) {
    spin_lock(&lock);
    stat->frames_total = total_count;
    stat->frames_free = free_count;
    stat->frames_promised = promised_count;
    for (size_t use = 0; use < FRAME_USES; use++)
        stat->frames_used[use] = used_count[use];
    spin_unlock(&lock);
}
