// Frames. Below `fresh`, the entries of frame_array are valid; the pages from there on have never
// been used.
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
struct frame *frame_array;
paddr_t ram_base;
size_t ram_frames;
static size_t fresh;                  // [lock]
static uint32_t free_list = NO_FRAME; // [lock]
static uint32_t zero_list = NO_FRAME; // [lock] free frames that are filled with zeroes
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
    frame_array = phys_to_ptr(start);
    fresh = round_up(ram_frames * sizeof *frame_array, PAGE_SIZE) / PAGE_SIZE;
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
    memset(frame_array, 0, fresh * sizeof *frame_array);
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

static void check_filled(struct frame *f, uint8_t pattern) {
    const uint8_t *byte = frame_ptr(f);
    for (size_t i = 0; DEBUG && i < PAGE_SIZE; i++) {
        if (byte[i] != pattern)
            panic("frame 0x%lx was written at offset %lu while free", frame_phys(f) / PAGE_SIZE,
                  (unsigned long)i);
    }
}

static struct frame *pop(uint32_t *list, uint8_t pattern) {
    struct frame *f = frame_of_index(*list);
    *list = f->next;
    check_filled(f, pattern);
    return f;
}

// Takes a frame out of the lists of free ones. *zeroed says whether it should be filled with
// zeroes, and then whether it is.
static struct frame *pop_free(bool *zeroed) {
    assert(spin_held(&lock));
    bool is_last_choice = free_list == NO_FRAME && fresh == ram_frames;
    *zeroed = zero_list != NO_FRAME && (*zeroed || is_last_choice);
    if (*zeroed)
        return pop(&zero_list, 0);
    return free_list != NO_FRAME ? pop(&free_list, POISON) : frame_of_index((uint32_t)fresh++);
}

// Panics unless there are n promises to redeem or to take back.
static void check_promised(size_t n) {
    assert(spin_held(&lock));
    if (n > promised_count)
        panic("more promises of frames dropped than made: "
              "was a promised frame taken for a page that has no promise?");
}

// Takes a frame: one that is not promised if `promises` is 0, one that is if it is 1. *zeroed: as
// for pop_free.
static struct frame *alloc(enum frame_use use, size_t promises, bool *zeroed) {
    struct frame *f = NULL;
    spin_lock(&lock);
    check_promised(promises);
    if (!fails_on_purpose() && free_count > promised_count - promises) {
        f = pop_free(zeroed);
        free_count--;
        promised_count -= promises;
        used_count[use]++;
        *f = (struct frame){.count = 1, .use = use};
    }
    spin_unlock(&lock);
    return f;
}

struct frame *frame_alloc(enum frame_use use) {
    bool zeroed = false;
    return alloc(use, 0, &zeroed);
}

struct frame *frame_alloc_promised(enum frame_use use) {
    bool zeroed = false;
    return alloc(use, 1, &zeroed);
}

struct frame *frame_alloc_zeroed(enum frame_use use) {
    bool zeroed = true;
    struct frame *f = alloc(use, 0, &zeroed);
    if (f != NULL && !zeroed)
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

static void push_free(struct frame *f, uint32_t *list) {
    spin_lock(&lock);
    used_count[f->use]--;
    f->use = FRAME_FREE;
    f->next = *list;
    *list = frame_index(f);
    free_count++;
    spin_unlock(&lock);
}

static void free_frame(struct frame *f) {
    poison(f);
    push_free(f, &free_list);
}

void frame_put_zeroed(struct frame *f) {
    uint32_t before = __atomic_fetch_sub(&f->count, 1, __ATOMIC_ACQ_REL);
    assert(before == 1);
    push_free(f, &zero_list);
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

void frame_copy(struct frame *to, const struct frame *from) {
    memcpy(frame_ptr(to), frame_ptr(from), PAGE_SIZE);
}

size_t frame_mapped_cache_count(void) {
    return __atomic_load_n(&mapped_cache_count, __ATOMIC_RELAXED);
}

void frame_check_begin(void) {
    for (size_t i = 0; i < fresh; i++)
        frame_array[i].seen = 0;
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
        const struct frame *f = &frame_array[i];
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
