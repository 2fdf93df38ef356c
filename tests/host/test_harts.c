// Two harts at once. In each run the second hart's whole operation happens before another one of
// the memory accesses of the first hart's operation. The result must always be that of one
// operation after the other. All such places are tried, so nothing is left to chance.
#include "test.h"

#include <limits.h>
#include <string.h>

#include "arch/address.h"
#include "mem/frame.h"
#include "mem/pool.h"
#include "observed.h"
#include "sched/task.h"

enum { RAM = 1 << 20, FRAMES = 6, PROMISED = 3, REFERENCES = 2, OBJECTS = 4, PLACES_MIN = 2 };

struct operation {
    const char *name;
    bool (*run)(void); // returns whether the hart got what it asked for
    int references;    // to the shared frame, more or less than before
};

// The result of two operations. Which of two equal things a hart got does not matter.
struct result {
    bool first, second;
    size_t references, mapped, objects;
    struct memstat stat;
};

// ---- The second hart ----

static struct task second_hart;
// NULL: none, or it is done. Volatile, because the compiler does not see that accesses change it.
static bool (*volatile second_operation)(void);
static bool second_got;
static int accesses_left;        // of the first hart, before the second one runs
static struct spinlock *awaited; // lock that the second hart takes; NULL: any the first may hold

NOT_OBSERVED static void run_second(void) {
    struct thread *first = host_thread;
    bool (*run)(void) = second_operation;
    second_operation = NULL;
    host_thread = &second_hart.thread;
    second_got = run();
    host_thread = first;
}

// While the first hart holds a lock, the second one would only spin.
NOT_OBSERVED static bool is_free(void) {
    return awaited != NULL ? awaited->owner == NULL : may_sleep();
}

NOT_OBSERVED void observed_access(void) {
    if (second_operation != NULL && is_free() && accesses_left-- == 0)
        run_second();
}

// ---- What the harts do ----

static enum frame_use shared_use;
static struct frame *shared; // both harts have references to it
static struct frame *taken[2 * FRAMES];
static size_t taken_count;
static struct pool pool;
static void *objects[2 * OBJECTS]; // the first two are for pool_give, one a hart
static size_t object_count;

NOT_OBSERVED static bool keep(struct frame *f) {
    if (f != NULL)
        taken[taken_count++] = f;
    return f != NULL;
}

NOT_OBSERVED static bool keep_object(void *object) {
    if (object != NULL)
        objects[object_count++] = object;
    return object != NULL;
}

static bool get(void) {
    frame_get(shared);
    return true;
}

static bool put(void) {
    frame_put(shared);
    return true;
}

// A frame that was only the hart's gets another use at once.
static bool put_and_alloc(void) {
    frame_put(shared);
    return keep(frame_alloc(FRAME_PIPE));
}

static bool alloc(void) {
    return keep(frame_alloc(FRAME_USER));
}

static bool alloc_promised(void) {
    return keep(frame_alloc_promised(FRAME_TABLE));
}

static bool promise(void) {
    return frame_promise(1) == 0;
}

static bool unpromise(void) {
    frame_unpromise(1);
    return true;
}

static bool change_use(void) {
    frame_set_use(taken[0], FRAME_TABLE);
    return true;
}

// Returns whether the numbers agree.
static bool look(void) {
    struct memstat stat;
    frame_stat(&stat);
    size_t sum = stat.frames_free;
    for (size_t use = 0; use < FRAME_USES; use++)
        sum += stat.frames_used[use];
    return sum == stat.frames_total;
}

static bool take_object(void) {
    return keep_object(pool_alloc(&pool));
}

static bool give_object(void) {
    void **object = &objects[host_thread == &second_hart.thread];
    pool_free(&pool, *object);
    *object = NULL;
    return true;
}

// ---- Every order ----

static void boot(void) {
    host_ram_init(RAM);
    frame_init(HOST_RAM_BASE, HOST_RAM_BASE + RAM);
    pool_init(&pool, sizeof(void *), OBJECTS);
    frame_start(FRAMES, 0, false);
}

// Leaves one frame and one object free.
static void set_up(void) {
    shared = frame_alloc(shared_use);
    for (int i = 1; i < REFERENCES; i++)
        frame_get(shared);
    CHECK(keep(frame_alloc(FRAME_PIPE)));
    CHECK_EQUAL(0, frame_promise(PROMISED));
    while (object_count < OBJECTS - 1)
        CHECK(take_object());
}

// Allocates all that is left, nothing of which may be given twice, and frees everything.
static void drain(struct result *result, int references) {
    frame_unpromise(result->stat.frames_promised);
    for (size_t i = 0; i < result->stat.frames_free; i++)
        CHECK(keep(frame_alloc(FRAME_PIPE)));
    CHECK(frame_alloc(FRAME_PIPE) == NULL);
    for (size_t i = 0; i < taken_count; i++) {
        CHECK_EQUAL(1, taken[i]->count);
        frame_put(taken[i]); // panics at a second put
    }
    while (references-- > 0)
        frame_put(shared);
    while (take_object())
        result->objects++;
    for (size_t i = 0; i < object_count; i++) {
        for (size_t j = 0; j < i; j++)
            CHECK(objects[i] == NULL || objects[i] != objects[j]);
        if (objects[i] != NULL)
            pool_free(&pool, objects[i]);
    }
    taken_count = object_count = 0;
}

// Performs both operations, the second one after `place` accesses of the first one. Returns false
// if the first one has ended before that.
static bool run_both(const struct operation *first, const struct operation *second, int place,
                     struct result *result) {
    int references = REFERENCES + first->references + second->references;
    memset(result, 0, sizeof *result);
    set_up();
    accesses_left = place;
    second_operation = second->run;
    result->first = first->run();
    bool is_within = second_operation == NULL;
    if (!is_within)
        run_second();
    result->second = second_got;
    result->references = shared->count;
    result->mapped = frame_mapped_cache_count();
    frame_stat(&result->stat);
    drain(result, references);
    return is_within;
}

static void check_pair(const struct operation *first, const struct operation *second) {
    struct result before, after, now;
    run_both(first, second, 0, &before);
    run_both(first, second, INT_MAX, &after);
    int place = 1;
    for (; run_both(first, second, place, &now); place++) {
        if (memcmp(&now, &before, sizeof now) != 0 && memcmp(&now, &after, sizeof now) != 0)
            test_fail(__FILE__, __LINE__,
                      "expected one after the other, saw %s broken by %s before its access %d",
                      first->name, second->name, place);
    }
    CHECK(place >= PLACES_MIN); // else the code is not observed
}

static void check_pairs(const struct operation *operations, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++)
            check_pair(&operations[i], &operations[j]);
    }
}

TEST(counts_are_exact_with_two_harts) {
    static const struct operation operations[] = {
        {"get", get, 1},
        {"put", put, -1},
        {"put and alloc", put_and_alloc, -1},
    };
    boot();
    shared_use = FRAME_USER;
    check_pairs(operations, ARRAY_SIZE(operations));
    shared_use = FRAME_CACHE;
    check_pairs(operations, ARRAY_SIZE(operations));
}

TEST(two_harts_never_get_the_same_frame) {
    static const struct operation operations[] = {
        {"alloc", alloc, 0},
        {"alloc promised", alloc_promised, 0},
        {"promise", promise, 0},
        {"unpromise", unpromise, 0},
        {"set use", change_use, 0},
        {"stat", look, 0},
        {"put and alloc", put_and_alloc, -1},
    };
    boot();
    shared_use = FRAME_USER;
    check_pairs(operations, ARRAY_SIZE(operations));
}

TEST(two_harts_never_get_the_same_object) {
    static const struct operation operations[] = {
        {"pool_alloc", take_object, 0},
        {"pool_free", give_object, 0},
    };
    boot();
    check_pairs(operations, ARRAY_SIZE(operations));
}

// ---- A lock whose memory is freed ----

// As the last end of a pipe does: the hart that gets the lock may be the last to use it.
static bool take_and_end(void) {
    spin_lock(awaited);
    spin_unlock(awaited);
    memset(awaited, 0xff, sizeof *awaited);
    return true;
}

TEST(lock_memory_may_be_freed_after_unlock) {
    boot();
    bool is_within = true;
    int places = 0;
    for (; is_within; places++) {
        struct spinlock lock = SPINLOCK(RANK_PIPE);
        spin_lock(&lock);
        awaited = &lock;
        accesses_left = places;
        second_operation = take_and_end;
        spin_unlock(&lock);
        is_within = second_operation == NULL;
        second_operation = NULL;
        CHECK_EQUAL(0, thread_self()->ranks_held);
    }
    CHECK(places > 1); // else the code is not observed
}
