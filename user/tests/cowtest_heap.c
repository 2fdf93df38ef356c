// sbrk beside fork: what it reserves, what it refuses, and heaps that grow and shrink while their
// pages are shared.
#include "cowtest.h"

#include "cow6.h"

enum { SMALL_FRAMES = 2048 }; // what a test leaves that touches everything

// sbrk refuses at once what memory could not hold, and then changes nothing.
TEST(sbrk_refuses_too_much) {
    memory_limit(SMALL_FRAMES);
    struct memstat before = test_memstat();
    char *end = sbrk(0);
    size_t available = frames_available();
    CHECK_FAILS((long)sbrk((int)((available + 1) * PAGE_BYTES)), ENOMEM, SBRK);
    CHECK_FAILS((long)sbrk(INT32_MAX), ENOMEM, SBRK);
    struct memstat after = test_memstat();
    CHECK_EQUAL(end, sbrk(0), SBRK);
    CHECK_EQUAL(before.frames_free, after.frames_free, SBRK);
    CHECK_EQUAL(before.frames_promised, after.frames_promised, SBRK);
    memory_unlimit();
}

// Every page that sbrk has granted can be touched, even if it is all the memory there is.
TEST(granted_memory_can_be_touched) {
    memory_limit(SMALL_FRAMES);
    char *start = sbrk(0);
    CHECK_EQUAL(0, memory_fill(0), FILL_FAILS);
    size_t n = (size_t)((char *)sbrk(0) - start) / PAGE_BYTES;
    struct memstat before = test_memstat();
    for (size_t i = 0; i < n; i++)
        start[i * PAGE_BYTES] = (char)i;
    struct memstat after = test_memstat();
    CHECK_EQUAL(n, faults_since(&before, FAULT_ZERO_FILL), RESERVATIONS);
    CHECK_EQUAL(n, before.frames_free - after.frames_free, RESERVATIONS);
    CHECK_EQUAL(n, before.frames_promised - after.frames_promised, RESERVATIONS);
    memory_release();
    memory_unlimit();
}

// The number of reserved frames follows the heap: up when it grows, down with each touch, back when
// it shrinks.
TEST(reservations_follow_the_heap) {
    enum { N = 16, TOUCHED = 5 };
    heap_grow_filled(1, 1);
    struct memstat before = test_memstat();
    char *pages = heap_grow(N);
    struct memstat now = test_memstat();
    CHECK_EQUAL(N, now.frames_promised - before.frames_promised, RESERVATIONS);
    CHECK_EQUAL(before.frames_free, now.frames_free, RESERVATIONS);
    for (size_t i = 0; i < TOUCHED; i++)
        pages[i * PAGE_BYTES] = 1;
    now = test_memstat();
    CHECK_EQUAL(N - TOUCHED, now.frames_promised - before.frames_promised, RESERVATIONS);
    CHECK_EQUAL(TOUCHED, before.frames_free - now.frames_free, RESERVATIONS);
    heap_shrink(N - TOUCHED + 1); // one of them touched
    now = test_memstat();
    CHECK_EQUAL(before.frames_promised, now.frames_promised, RESERVATIONS);
    CHECK_EQUAL(TOUCHED - 1, before.frames_free - now.frames_free, RESERVATIONS);
    heap_shrink(TOUCHED - 1);
    now = test_memstat();
    CHECK_EQUAL(before.frames_free, now.frames_free, RESERVATIONS);
    CHECK_EQUAL(before.frames_promised, now.frames_promised, RESERVATIONS);
}

// A reservation belongs to its owner alone: fork makes none, and what the parent has reserved is
// there for it though the child takes all that is left.
TEST(reservation_survives_fork) {
    enum { N = 64 };
    char *pages = heap_grow(N);
    struct memstat before = test_memstat();
    struct turns t;
    if (turns_fork(&t) == 0) {
        CHECK_EQUAL(0, memory_fill(0), FILL_FAILS);
        turns_pause(&t);
        test_exit();
    }
    CHECK_EQUAL(before.frames_promised, test_memstat().frames_promised,
                "fork has reserved frames: it shares pages, but not reservations");
    CHECK(turns_next(&t), DIED);
    struct memstat full = test_memstat();
    for (size_t i = 0; i < N; i++) {
        CHECK_EQUAL(0, pages[i * PAGE_BYTES], "a reserved page is not zero when it is touched");
        pages[i * PAGE_BYTES] = 1;
    }
    CHECK_EQUAL(N, full.frames_promised - test_memstat().frames_promised, RESERVATIONS);
    turns_close(&t);
    CHECK_EQUAL(before.frames_promised - N, test_memstat().frames_promised, RESERVATIONS);
}

// Shrinking a shared heap drops only the shrinking side's references; growing again gives zeroes.
TEST(shrinking_a_shared_heap) {
    char *pages = heap_grow_filled(4, 1);
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0) {
        heap_shrink(2);
        turns_pause(&t);
        heap_grow(2);
        CHECK_BYTES(pages + 2 * PAGE_BYTES, 0, 2 * PAGE_BYTES,
                    "heap that grows again must be zero");
        CHECK_PATTERN(pages, 2, 1, AS_FORKED);
        turns_pause(&t);
        CHECK_PATTERN(pages, 2, 1, TO_PARENT);
        test_exit();
    }
    struct memstat before = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 0, 0, 0);
    CHECK_PAGE(getpid(), pages + PAGE_BYTES, PAGE_MARKED, 2);
    CHECK_PAGE(getpid(), pages + 2 * PAGE_BYTES, PAGE_MARKED, 1);
    pages[3 * PAGE_BYTES]++;
    CHECK_COST(&before, 0, 0, 1);
    pages[3 * PAGE_BYTES]--;
    CHECK(turns_next(&t), DIED);
    CHECK_PATTERN(pages, 4, 1, "shrinking the child's heap has changed its parent's");
    heap_shrink(4);
    CHECK_PAGE(child, pages, PAGE_MARKED, 1);
    turns_close(&t);
}

// After fork both heaps grow independently.
TEST(growing_after_fork) {
    heap_grow_filled(1, 1);
    struct turns t;
    if (turns_fork(&t) == 0) {
        char *mine = heap_grow_filled(2, 2);
        turns_pause(&t);
        CHECK_PATTERN(mine, 2, 2, OWN_WRITE);
        test_exit();
    }
    char *end = sbrk(0);
    struct memstat before = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 2, 0, 0);
    char *mine = heap_grow(2);
    CHECK_EQUAL(end, mine, "sbrk after fork gives another address than before");
    CHECK_BYTES(mine, 0, 2 * PAGE_BYTES,
                "heap that parent and child grew after the fork must be zero, and each side's own");
    pattern_fill(mine, 2, 3);
    CHECK_COST(&before, 4, 0, 0);
    turns_close(&t);
    CHECK_PATTERN(mine, 2, 3, TO_PARENT);
}
