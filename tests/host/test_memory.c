// Frames and pools: allocation, promises, references. Also built with DEBUG=1.
#include "small_machine.h"

#include <string.h>

#include "lib/print.h"
#include "mem/pool.h"

enum { FRAMES = 40 };

static void alloc_all(struct frame **f, size_t n) {
    for (size_t i = 0; i < n; i++) {
        f[i] = frame_alloc(FRAME_PIPE);
        CHECK(f[i] != NULL);
        memset(frame_ptr(f[i]), (int)i, PAGE_SIZE);
    }
    CHECK(frame_alloc(FRAME_PIPE) == NULL);
    CHECK_EQUAL(0, frames_free());
    CHECK_EQUAL(n, frames_used(FRAME_PIPE));
    for (size_t i = 0; i < n; i++) { // no frame was given twice
        const uint8_t *byte = frame_ptr(f[i]);
        CHECK(byte[0] == i && byte[PAGE_SIZE - 1] == i && f[i]->count == 1 &&
              f[i]->use == FRAME_PIPE);
    }
}

TEST(each_frame_goes_to_one_owner) {
    struct frame *f[FRAMES];
    machine_start(FRAMES);
    for (int round = 0; round < 3; round++) {
        alloc_all(f, FRAMES);
        CHECK_SOUND();
        for (size_t i = 0; i < FRAMES; i++)
            frame_put(f[i * 7 % FRAMES]);
        CHECK_ALL_BACK();
    }
}

TEST(no_limit_gives_all_memory) {
    machine_start(0);
    size_t all = frames_free();
    CHECK(all > 3000 && all < MACHINE_RAM / PAGE_SIZE);
    for (size_t i = 0; i < all; i++)
        CHECK(frame_alloc(FRAME_PIPE) != NULL);
    CHECK(frame_alloc(FRAME_PIPE) == NULL);
    CHECK_SOUND();
}

TEST(limit_beyond_memory_gives_all_memory) {
    machine_start(MACHINE_RAM);
    CHECK(frames_free() > 3000 && frames_free() < MACHINE_RAM / PAGE_SIZE);
}

TEST(fresh_frames_are_not_cleared) {
    machine_start(FRAMES);
    const uint8_t *byte = frame_ptr(frame_alloc(FRAME_PIPE));
    for (int i = 0; i < PAGE_SIZE; i++)
        CHECK_EQUAL(0xa5, byte[i]);
    byte = frame_ptr(frame_alloc_zeroed(FRAME_PIPE));
    for (int i = 0; i < PAGE_SIZE; i++)
        CHECK_EQUAL(0, byte[i]);
}

// ---- Frames full of zeroes ----

static struct frame *alloc_zeroed(void) {
    static const char zeroes[PAGE_SIZE];
    struct frame *f = frame_alloc_zeroed(FRAME_PIPE);
    CHECK(f != NULL && memcmp(frame_ptr(f), zeroes, PAGE_SIZE) == 0);
    return f;
}

#if !DEBUG
// What was written to it meanwhile shows that nothing clears it.
TEST(frame_that_came_back_zeroed_is_not_cleared_again) {
    machine_start(FRAMES);
    struct frame *f = alloc_zeroed();
    char *byte = frame_ptr(f);
    frame_put_zeroed(f);
    byte[100] = 1;
    CHECK(frame_alloc_zeroed(FRAME_PIPE) == f && byte[100] == 1);
    frame_put(f); // and is not taken for a zeroed one after this
    CHECK(alloc_zeroed() == f);
}
#endif

TEST(zeroed_frames_go_to_those_who_want_zeroes) {
    machine_start(FRAMES);
    struct frame *zeroed = alloc_zeroed(), *other = frame_alloc(FRAME_PIPE), *f[FRAMES];
    memset(frame_ptr(other), 7, PAGE_SIZE);
    frame_put_zeroed(zeroed);
    frame_put(other);
    CHECK_SOUND();
    CHECK(frame_alloc(FRAME_PIPE) == other);
    for (size_t i = 2; i < FRAMES; i++)
        CHECK((f[i] = frame_alloc(FRAME_PIPE)) != NULL && f[i] != zeroed);
    CHECK_EQUAL(1, frames_free());
    CHECK(alloc_zeroed() == zeroed);
    CHECK(frame_alloc(FRAME_PIPE) == NULL && frame_alloc_zeroed(FRAME_PIPE) == NULL);
    frame_put_zeroed(zeroed);
    memset(frame_ptr(other), 7, PAGE_SIZE);
    frame_put(other);
    CHECK(alloc_zeroed() == zeroed && alloc_zeroed() == other);
}

TEST(last_zeroed_frame_serves_anyone) {
    machine_start(0);
    while (frames_free() > 1)
        CHECK(frame_alloc(FRAME_PIPE) != NULL);
    struct frame *f = alloc_zeroed();
    frame_put_zeroed(f);
    CHECK(frame_alloc(FRAME_PIPE) == f);
    memset(frame_ptr(f), 0, PAGE_SIZE);
    frame_put_zeroed(f);
    CHECK_EQUAL(0, frame_promise(1));
    CHECK(frame_alloc_zeroed(FRAME_PIPE) == NULL);
    CHECK(frame_alloc_promised(FRAME_PIPE) == f);
    CHECK_EQUAL(0, frames_free());
}

TEST(only_the_last_owner_gives_a_zeroed_frame_back) {
    machine_start(FRAMES);
    struct frame *f = alloc_zeroed();
    frame_get(f);
    CHECK_PANICS(frame_put_zeroed(f));
}

TEST(memory_is_set_aside_in_whole_pages) {
    host_ram_init(64 * PAGE_SIZE);
    frame_init(HOST_RAM_BASE, HOST_RAM_BASE + 64 * PAGE_SIZE);
    char *first = frame_set_aside(1), *second = frame_set_aside(PAGE_SIZE + 1),
         *third = frame_set_aside(PAGE_SIZE);
    CHECK_EQUAL(0, (first - host_ram) % PAGE_SIZE);
    CHECK_EQUAL(PAGE_SIZE, second - first);
    CHECK_EQUAL(2 * PAGE_SIZE, third - second);
    CHECK(first > host_ram); // the array of frames is there
    CHECK_PANICS(frame_set_aside(60 * PAGE_SIZE));
    CHECK(strstr(host_printed, "not enough memory to start") != NULL);
    frame_start(0, 0, false);
    CHECK_EQUAL(64 - 5, frames_free());
    struct frame *f = frame_adopt(second, FRAME_CACHE);
    CHECK(frame_ptr(f) == second && f->count == 1 && frames_used(FRAME_CACHE) == 1);
    CHECK_EQUAL(64 - 5, frames_free());
    CHECK_PANICS(frame_set_aside(1));
}

TEST(last_put_frees_the_frame) {
    machine_start(FRAMES);
    struct frame *f = frame_alloc(FRAME_PIPE);
    CHECK(!frame_is_shared(f));
    frame_get(f);
    frame_get(f);
    CHECK_EQUAL(3, f->count);
    CHECK(frame_is_shared(f));
    frame_put(f);
    CHECK(frame_is_shared(f));
    frame_put(f);
    CHECK(!frame_is_shared(f));
    CHECK_EQUAL(FRAMES - 1, frames_free());
    frame_put(f);
    CHECK_EQUAL(0, f->count);
    CHECK_EQUAL(FRAME_FREE, f->use);
    CHECK_ALL_BACK();
}

TEST(wrong_counts_panic) {
    machine_start(FRAMES);
    struct frame *f = frame_alloc(FRAME_PIPE);
    f->count = UINT32_MAX;
    CHECK_PANICS(frame_get(f));
    CHECK(strstr(host_printed, "reference taken while its count is 4294967295") != NULL);
    f->count = 1;
    frame_put(f);
    CHECK_PANICS(frame_put(f));
    CHECK(strstr(host_printed, "reference dropped while it is free") != NULL);
    f->count = 0;
    CHECK_PANICS(frame_get(f));
    char name[32];
    snprintf(name, sizeof name, "frame 0x%lx:", (unsigned long)(frame_phys(f) / PAGE_SIZE));
    CHECK(strstr(host_printed, name) != NULL);
}

TEST(frames_and_addresses_correspond) {
    machine_start(FRAMES);
    struct frame *f = frame_alloc(FRAME_PIPE);
    char *page = frame_ptr(f);
    CHECK_EQUAL(0, (page - host_ram) % PAGE_SIZE);
    CHECK(frame_of(page) == f && frame_of(page + PAGE_SIZE - 1) == f &&
          frame_of(page + PAGE_SIZE) == f + 1);
    CHECK_EQUAL(HOST_RAM_BASE + (page - host_ram), frame_phys(f));
    CHECK(frame_of_phys(frame_phys(f)) == f && frame_of_phys(frame_phys(f) + 100) == f);
    CHECK_PANICS(frame_of_phys(HOST_RAM_BASE - 1));
    CHECK_PANICS(frame_of_phys(HOST_RAM_BASE + MACHINE_RAM));
}

TEST(frames_are_copied_whole) {
    machine_start(FRAMES);
    struct frame *from = frame_alloc(FRAME_PIPE), *to = frame_alloc(FRAME_PIPE);
    char *byte = frame_ptr(from), *end = (char *)frame_ptr(to) + PAGE_SIZE;
    char next = *end;
    for (int i = 0; i < PAGE_SIZE; i++)
        byte[i] = (char)(i * 7 + i / 256);
    frame_copy(to, from);
    CHECK(memcmp(frame_ptr(to), frame_ptr(from), PAGE_SIZE) == 0 && *end == next);
}

TEST(promised_frames_are_kept_for_their_owner) {
    struct frame *f[FRAMES];
    machine_start(FRAMES);
    CHECK_EQUAL(-ENOMEM, frame_promise(FRAMES + 1));
    CHECK_EQUAL(-ENOMEM, frame_promise(SIZE_MAX));
    CHECK_EQUAL(0, frame_promise(FRAMES - 10));
    CHECK_EQUAL(-ENOMEM, frame_promise(11));
    CHECK_EQUAL(-ENOMEM, frame_promise(SIZE_MAX - 5)); // with the promised ones, less than none
    CHECK_EQUAL(FRAMES - 10, frames_promised());
    for (int i = 0; i < 10; i++)
        CHECK((f[i] = frame_alloc(FRAME_PIPE)) != NULL);
    CHECK(frame_alloc(FRAME_PIPE) == NULL && frame_alloc_zeroed(FRAME_PIPE) == NULL);
    CHECK_EQUAL(-ENOMEM, frame_promise(1));
    for (int i = 10; i < FRAMES; i++)
        CHECK((f[i] = frame_alloc_promised(FRAME_PIPE)) != NULL);
    CHECK_EQUAL(0, frames_promised());
    CHECK_EQUAL(0, frames_free());
    for (int i = 0; i < FRAMES; i++)
        frame_put(f[i]);
    CHECK_ALL_BACK();
    CHECK_PANICS(frame_alloc_promised(FRAME_PIPE));
}

TEST(promises_can_be_taken_back) {
    machine_start(FRAMES);
    CHECK_EQUAL(0, frame_promise(FRAMES));
    CHECK(frame_alloc(FRAME_PIPE) == NULL);
    frame_unpromise(1);
    struct frame *f = frame_alloc(FRAME_PIPE);
    CHECK(f != NULL && frame_alloc(FRAME_PIPE) == NULL);
    frame_unpromise(FRAMES - 1);
    frame_put(f);
    CHECK_ALL_BACK();
    CHECK_EQUAL(0, frame_promise(3));
    CHECK_PANICS(frame_unpromise(4));
    CHECK(strstr(host_printed, "more promises of frames dropped than made") != NULL);
}

TEST(chosen_allocation_fails_once) {
    machine_start_failing(FRAMES, 3, false);
    CHECK_EQUAL(0, frame_promise(2));
    CHECK(frame_alloc(FRAME_PIPE) != NULL);
    CHECK(frame_alloc_promised(FRAME_PIPE) != NULL);
    CHECK(frame_alloc_promised(FRAME_PIPE) == NULL); // the third, of whatever kind
    CHECK_EQUAL(1, frames_promised());
    for (int i = 0; i < 10; i++)
        CHECK(frame_alloc_zeroed(FRAME_PIPE) != NULL);
    CHECK_EQUAL(FRAMES - 12, frames_free());
}

TEST(chosen_and_all_later_allocations_fail) {
    machine_start_failing(FRAMES, 2, true);
    struct frame *f = frame_alloc(FRAME_PIPE);
    CHECK(f != NULL);
    for (int i = 0; i < 5; i++)
        CHECK(frame_alloc(FRAME_PIPE) == NULL && frame_alloc_zeroed(FRAME_PIPE) == NULL);
    frame_put(f);
    CHECK_ALL_BACK();
}

TEST(mapped_cache_frames_are_counted) {
    machine_start(FRAMES);
    struct frame *a = frame_alloc(FRAME_CACHE), *b = frame_alloc(FRAME_CACHE),
                 *other = frame_alloc(FRAME_PIPE);
    frame_get(other);
    CHECK_EQUAL(0, frame_mapped_cache_count());
    frame_get(a);
    frame_get(a);
    CHECK_EQUAL(1, frame_mapped_cache_count());
    frame_get(b);
    CHECK_EQUAL(2, frame_mapped_cache_count());
    frame_put(a);
    CHECK_EQUAL(2, frame_mapped_cache_count());
    frame_put(a);
    CHECK_EQUAL(1, frame_mapped_cache_count());
    frame_put(b);
    frame_put(b);
    CHECK_EQUAL(0, frame_mapped_cache_count());
}

static size_t wrong_after(struct frame *f, uint32_t count, unsigned seen) {
    uint32_t right = f->count;
    f->count = count;
    frame_check_begin();
    while (seen-- > 0)
        frame_note_entry(f);
    size_t wrong = frame_check_end();
    f->count = right;
    return wrong;
}

// Counts 0 to 3 against 0 to 3 entries that map the frame: the pairs that are right.
static void check_rule(enum frame_use use, const char *right) {
    struct frame *f = frame_alloc(use);
    for (uint32_t count = 0; count < 4; count++) {
        for (unsigned seen = 0; seen < 4; seen++) {
            char pair[] = {(char)('0' + count), (char)('0' + seen), '\0'};
            CHECK_EQUAL(strstr(right, pair) == NULL, wrong_after(f, count, seen));
        }
    }
    frame_put(f);
}

TEST(checker_knows_the_right_counts_of_each_use) {
    machine_start(FRAMES);
    check_rule(FRAME_USER, "11 22 33 00"); // 00: between the last put and the free list
    check_rule(FRAME_TABLE, "11 22 33 00");
    check_rule(FRAME_CACHE, "10 21 32 11 22 33");
    check_rule(FRAME_PIPE, "10");
    check_rule(FRAME_KERNEL, "10");
    struct frame *f = frame_alloc(FRAME_USER);
    frame_put(f);
    CHECK_EQUAL(0, wrong_after(f, 0, 0));
    CHECK_EQUAL(1, wrong_after(f, 0, 1)); // an entry maps a free frame
    CHECK_EQUAL(1, wrong_after(f, 1, 0));
}

// ---- At random, against a model ----

static struct {
    struct frame *frame;
    unsigned count;
    uint8_t byte;
} owned[FRAMES];
static size_t owned_count, promised;

static void random_alloc(bool use_promise) {
    struct frame *f = use_promise ? frame_alloc_promised(FRAME_PIPE) : frame_alloc(FRAME_PIPE);
    CHECK_EQUAL(use_promise || owned_count + promised < FRAMES, f != NULL);
    if (f == NULL)
        return;
    promised -= use_promise;
    owned[owned_count].frame = f;
    owned[owned_count].count = 1;
    owned[owned_count].byte = (uint8_t)host_random(256);
    memset(frame_ptr(f), owned[owned_count++].byte, PAGE_SIZE);
}

static void random_put(size_t i) {
    const uint8_t *byte = frame_ptr(owned[i].frame);
    CHECK(byte[0] == owned[i].byte && byte[PAGE_SIZE - 1] == owned[i].byte);
    frame_put(owned[i].frame);
    if (--owned[i].count == 0)
        owned[i] = owned[--owned_count];
}

TEST(frames_follow_the_model) {
    machine_start(FRAMES);
    for (int step = 0; step < 20000; step++) {
        uint32_t kind = host_random(6), n = host_random(FRAMES);
        if (kind < 2) {
            random_alloc(kind == 1 && promised > 0);
        } else if (kind == 2) {
            bool enough = owned_count + promised + n <= FRAMES;
            CHECK_EQUAL(enough ? 0 : -ENOMEM, frame_promise(n));
            promised += enough ? n : 0;
        } else if (kind == 3) {
            n = n < promised ? n : (uint32_t)promised;
            frame_unpromise(n);
            promised -= n;
        } else if (owned_count > 0 && kind == 4) {
            frame_get(owned[n % owned_count].frame);
            owned[n % owned_count].count++;
        } else if (owned_count > 0) {
            random_put(n % owned_count);
        }
        CHECK_EQUAL(FRAMES - owned_count, frames_free());
        CHECK_EQUAL(promised, frames_promised());
    }
}

// ---- Pools ----

struct thing {
    uint64_t words[5];
};

TEST(pool_objects_are_unique_and_zeroed_on_demand) {
    enum { THINGS = 300 };
    static struct thing *things[THINGS];
    struct pool pool;
    host_ram_init(MACHINE_RAM);
    frame_init(HOST_RAM_BASE, HOST_RAM_BASE + MACHINE_RAM);
    pool_init(&pool, sizeof(struct thing), THINGS);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < THINGS; i++) {
            bool zeroed = i % 2 == 0;
            things[i] = zeroed ? pool_alloc_zeroed(&pool) : pool_alloc(&pool);
            CHECK(things[i] != NULL && (uintptr_t)things[i] % 8 == 0);
            for (int word = 0; word < 5 && zeroed; word++)
                CHECK_EQUAL(0, things[i]->words[word]);
            memset(things[i], 0x11 + i, sizeof *things[i]);
        }
        CHECK(pool_alloc(&pool) == NULL && pool_alloc_zeroed(&pool) == NULL);
        for (int i = 0; i < THINGS; i++)
            CHECK_EQUAL((uint8_t)(0x11 + i), *((uint8_t *)things[i] + 39));
        for (int i = 0; i < THINGS; i++)
            pool_free(&pool, things[i * 7 % THINGS]);
    }
    CHECK_EQUAL(0, thread_self()->ranks_held);
}

TEST(pool_objects_must_have_room_for_a_link) {
    struct pool pool;
    host_ram_init(MACHINE_RAM);
    frame_init(HOST_RAM_BASE, HOST_RAM_BASE + MACHINE_RAM);
    CHECK_PANICS(pool_init(&pool, 7, 10));
}

// ---- Locks ----

static struct spinlock outer = SPINLOCK(RANK_POOL), inner = SPINLOCK(RANK_FRAMES);

TEST(lock_order_is_enforced) {
    CHECK(may_sleep() && !spin_held(&outer));
    spin_lock(&outer);
    spin_lock(&inner);
    CHECK(spin_held(&outer) && spin_held(&inner) && rank_held(RANK_POOL) && !may_sleep());
    spin_unlock(&outer); // in any order
    CHECK(!spin_held(&outer) && !rank_held(RANK_POOL));
    CHECK_PANICS(spin_lock(&outer));
    CHECK(strstr(host_printed, "lock order: POOL taken while holding FRAMES: is") != NULL);
    CHECK_PANICS(spin_lock(&inner));
    CHECK(strstr(host_printed, "FRAMES taken while holding FRAMES") != NULL);
    spin_unlock(&inner);
    CHECK(may_sleep());
    CHECK_PANICS(spin_unlock(&inner));
    rank_take(RANK_INODE);
    CHECK(may_sleep());
    rank_drop(RANK_INODE);
}

#if DEBUG
TEST(writes_to_free_frames_panic) {
    machine_start(FRAMES);
    struct frame *f = frame_alloc(FRAME_PIPE);
    char *byte = frame_ptr(f);
    byte[100] = 1;
    frame_put(f);
    CHECK(frame_alloc(FRAME_PIPE) == f);
    frame_put(f);
    byte[100] = 1;
    CHECK_PANICS(frame_alloc(FRAME_PIPE));
    CHECK(strstr(host_printed, "written at offset 100 while free") != NULL);
}

TEST(writes_to_zeroed_free_frames_panic) {
    machine_start(FRAMES);
    struct frame *f = alloc_zeroed();
    char *byte = frame_ptr(f);
    frame_put_zeroed(f);
    CHECK(alloc_zeroed() == f);
    frame_put_zeroed(f);
    byte[PAGE_SIZE - 1] = 1;
    CHECK_PANICS(frame_alloc_zeroed(FRAME_PIPE));
    CHECK(strstr(host_printed, "written at offset 4095 while free") != NULL);
}

TEST(frame_that_comes_back_must_be_full_of_zeroes) {
    machine_start(FRAMES);
    struct frame *f = frame_alloc(FRAME_PIPE);
    memset(frame_ptr(f), 0, PAGE_SIZE);
    *(char *)frame_ptr(f) = 1;
    frame_put_zeroed(f);
    CHECK_PANICS(frame_alloc_zeroed(FRAME_PIPE));
}
#endif
