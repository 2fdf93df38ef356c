// Two harts at once. In each run the second hart's whole operation happens before another one of
// the memory accesses of the first hart's operation. The result must always be that of one
// operation after the other. All such places are tried, so nothing is left to chance.
#include "test.h"

#include <limits.h>
#include <string.h>

#include "arch/address.h"
#include "arch/mmu.h"
#include "mem/frame.h"
#include "mem/pool.h"
#include "observed.h"
#include "sched/task.h"
#include "vm/cow.h"
#include "vm/table.h"

enum { RAM = 1 << 20, FRAMES = 6, PROMISED = 3, REFERENCES = 2, OBJECTS = 4, PLACES_MIN = 2 };
enum { OWNERS = 4 }; // of a leaf table: the harts, and a child of each

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
    struct {
        unsigned owners, entries, of_harts; // 0: this owner has no table (any more)
    } tables[OWNERS];
    uint8_t bytes[OWNERS][2]; // of two pages in each of the page tables
};

// What the harts work on.
struct stage {
    void (*set_up)(void);
    void (*look)(struct result *result);
    void (*drain)(struct result *result, int references); // frees everything
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

static unsigned hart(void) {
    return host_thread == &second_hart.thread;
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
    void **object = &objects[hart()];
    pool_free(&pool, *object);
    *object = NULL;
    return true;
}

static void boot(size_t frame_count) {
    host_ram_init(RAM);
    frame_init(HOST_RAM_BASE, HOST_RAM_BASE + RAM);
    pool_init(&pool, sizeof(void *), OBJECTS);
    pt_set_kernel_root(memset(frame_set_aside(PAGE_SIZE), 0, PAGE_SIZE));
    frame_start(frame_count, 0, false);
}

// ---- Frames and objects ----

// Leaves one frame and one object free.
static void set_up_frames(void) {
    shared = frame_alloc(shared_use);
    for (int i = 1; i < REFERENCES; i++)
        frame_get(shared);
    CHECK(keep(frame_alloc(FRAME_PIPE)));
    CHECK_EQUAL(0, frame_promise(PROMISED));
    while (object_count < OBJECTS - 1)
        CHECK(take_object());
}

static void look_at_frames(struct result *result) {
    result->references = shared->count;
    result->mapped = frame_mapped_cache_count();
}

// Allocates all that is left, nothing of which may be given twice, and frees everything.
static void drain_frames(struct result *result, int references) {
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

static const struct stage frames_stage = {set_up_frames, look_at_frames, drain_frames};

// ---- Every order ----

static const struct stage *stage;

// Performs both operations, the second one after `place` accesses of the first one. Returns false
// if the first one has ended before that.
static bool run_both(const struct operation *first, const struct operation *second, int place,
                     struct result *result) {
    int references = REFERENCES + first->references + second->references;
    memset(result, 0, sizeof *result);
    stage->set_up();
    accesses_left = place;
    second_operation = second->run;
    result->first = first->run();
    bool is_within = second_operation == NULL;
    if (!is_within)
        run_second();
    result->second = second_got;
    frame_stat(&result->stat);
    stage->look(result);
    stage->drain(result, references);
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

static void check_pairs(const struct stage *all, const struct operation *operations, size_t count) {
    stage = all;
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
    boot(FRAMES);
    shared_use = FRAME_USER;
    check_pairs(&frames_stage, operations, ARRAY_SIZE(operations));
    shared_use = FRAME_CACHE;
    check_pairs(&frames_stage, operations, ARRAY_SIZE(operations));
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
    boot(FRAMES);
    shared_use = FRAME_USER;
    check_pairs(&frames_stage, operations, ARRAY_SIZE(operations));
}

TEST(two_harts_never_get_the_same_object) {
    static const struct operation operations[] = {
        {"pool_alloc", take_object, 0},
        {"pool_free", give_object, 0},
    };
    boot(FRAMES);
    check_pairs(&frames_stage, operations, ARRAY_SIZE(operations));
}

// ---- A leaf table with two owners ----

// The first entries of the table are pages that all owners have; then comes one of each hart, which
// it maps when it has the table for itself.
enum { COMMON = 3, OF_HARTS = 5, TABLE_FRAMES = 2 + COMMON + 2 };

static pte_t pointers[OWNERS]; // of each hart, and of its child
static struct frame *common[COMMON], *of_hart[2];

void mmu_flush(void) {}

void mmu_flush_page(vaddr_t va) {
    (void)va;
}

void mmu_flush_instructions(void) {}

static pte_t entry_of(const struct frame *f) {
    return pte_make(frame_phys(f), PTE_V | PTE_R | PTE_U | PTE_A);
}

static void set_up_table(void) {
    pte_t *leaf = table_alloc();
    for (int i = 0; i < COMMON; i++) {
        common[i] = frame_alloc(FRAME_USER);
        table_set(&leaf[i], entry_of(common[i]));
    }
    for (int i = 0; i < 2; i++)
        of_hart[i] = frame_alloc(FRAME_PIPE);
    table_seal(leaf);
    CHECK_EQUAL(0, table_share(leaf));
    memset(pointers, 0, sizeof pointers);
    pointers[0] = pointers[1] = pte_make(ptr_to_phys(leaf), PTE_V);
}

// Owners of one table must see the same, and each page must have one reference for each table.
static void look_at_tables(struct result *result) {
    uint32_t references[COMMON] = {0};
    for (int i = 0; i < OWNERS; i++) {
        if (pointers[i].bits == 0)
            continue;
        const pte_t *leaf = table_of(pointers[i]);
        bool is_first = true;
        for (int k = 0; k < i; k++)
            is_first = is_first && pointers[k].bits != pointers[i].bits;
        for (int k = 0; k < COMMON; k++) {
            CHECK_EQUAL(entry_of(common[k]).bits, leaf[k].bits);
            references[k] += is_first;
        }
        result->tables[i].owners = frame_of(leaf)->count;
        result->tables[i].entries = table_used(leaf);
        for (int k = 0; k < 2; k++)
            result->tables[i].of_harts |= (leaf[OF_HARTS + k].bits & PTE_V) << k;
    }
    for (int k = 0; k < COMMON && references[k] > 0; k++)
        CHECK_EQUAL(references[k], common[k]->count);
}

static void drain_tables(struct result *result, int references) {
    (void)result;
    (void)references;
    for (int i = 0; i < OWNERS; i++) {
        if (pointers[i].bits != 0)
            table_drop(table_of(pointers[i]));
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(1, of_hart[i]->count);
        frame_put(of_hart[i]);
    }
    struct memstat stat;
    frame_stat(&stat);
    CHECK_EQUAL(stat.frames_total, stat.frames_free);
    for (size_t i = 0; i < stat.frames_total; i++) // nothing may be given twice
        CHECK(keep(frame_alloc_zeroed(FRAME_PIPE)));
    while (taken_count > 0) {
        const uint64_t *word = frame_ptr(taken[--taken_count]);
        for (size_t i = 0; i < PAGE_SIZE / sizeof *word; i++)
            CHECK_EQUAL(0, word[i]);
        CHECK_EQUAL(1, taken[taken_count]->count);
        frame_put_zeroed(taken[taken_count]);
    }
}

static const struct stage tables_stage = {set_up_table, look_at_tables, drain_tables};

static bool own(void) {
    pte_t *leaf = table_own(&pointers[hart()]);
    frame_get(of_hart[hart()]);
    table_set(&leaf[OF_HARTS + hart()], entry_of(of_hart[hart()]));
    return true;
}

static bool drop(void) {
    pte_t *leaf = table_of(pointers[hart()]);
    pointers[hart()] = (pte_t){0};
    table_drop(leaf);
    return true;
}

static bool fork_table(void) {
    pte_t *leaf = table_of(pointers[hart()]);
    table_seal(leaf);
    if (table_share(leaf) != 0)
        return false;
    pointers[2 + hart()] = pointers[hart()];
    return true;
}

static bool fork_and_own(void) {
    return fork_table() && own();
}

static bool own_and_fork(void) {
    return own() && fork_table();
}

static bool fork_and_drop(void) {
    return fork_table() && drop();
}

static const struct operation table_operations[] = {
    {"own", own, 0},
    {"drop", drop, 0},
    {"fork", fork_table, 0},
    {"fork and own", fork_and_own, 0},
    {"own and fork", own_and_fork, 0},
    {"fork and drop", fork_and_drop, 0},
};

TEST(owners_of_a_table_never_disturb_each_other) {
    boot(TABLE_FRAMES + 2);
    check_pairs(&tables_stage, table_operations, ARRAY_SIZE(table_operations));
}

TEST(owners_of_a_table_share_the_last_free_frame) {
    boot(TABLE_FRAMES + 1);
    // Not the last one: another fork may fail between its fork and its drop.
    check_pairs(&tables_stage, table_operations, ARRAY_SIZE(table_operations) - 1);
}

// ---- Page tables of parent and child ----

enum { PAGE_TABLE_FRAMES = 32, PAGES = 2 };

static const struct backing private_backing = {.name = "private"};
static const struct region private_region = {
    .end = PAGES * PAGE_SIZE, .protection = PROT_READ | PROT_WRITE, .backing = &private_backing};
static struct pagetable tables[OWNERS]; // of each hart, and of its child

static uint8_t *byte_in(const struct pagetable *pt, vaddr_t va) {
    struct mapping m;
    CHECK(pt_lookup(pt, va, &m));
    return frame_ptr(m.frame);
}

static void set_up_page_tables(void) {
    CHECK_EQUAL(0, pt_init(&tables[0]));
    for (vaddr_t va = 0; va < private_region.end; va += PAGE_SIZE) {
        struct mapping m = {.frame = frame_alloc(FRAME_USER), .rights = private_region.protection};
        CHECK_EQUAL(0, pt_map(&tables[0], va, m));
        *byte_in(&tables[0], va) = (uint8_t)(1 + va / PAGE_SIZE);
    }
    CHECK_EQUAL(0, pt_init(&tables[1]));
    CHECK_EQUAL(0, cow_share(&tables[1], &tables[0], &private_region));
}

// An entry that allows writing must be the only owner of its frame.
static void look_at_page_tables(struct result *result) {
    for (int i = 0; i < OWNERS; i++) {
        struct mapping m;
        vaddr_t va = 0;
        for (; tables[i].root != NULL && pt_next(&tables[i], &va, private_region.end, &m);
             va += PAGE_SIZE) {
            CHECK(!(m.rights & PROT_WRITE) || !mapping_is_shared(&m));
            CHECK_EQUAL(m.rights & PROT_WRITE ? 0 : ENTRY_COW, m.rights & ENTRY_COW);
            result->bytes[i][va / PAGE_SIZE] = *byte_in(&tables[i], va);
        }
    }
}

static void drain_page_tables(struct result *result, int references) {
    (void)result;
    (void)references;
    for (int i = 0; i < OWNERS; i++)
        pt_destroy(&tables[i]);
    struct memstat stat;
    frame_stat(&stat);
    CHECK_EQUAL(stat.frames_total, stat.frames_free);
}

static const struct stage page_tables_stage = {set_up_page_tables, look_at_page_tables,
                                               drain_page_tables};

// As a store of the program does, and its page fault.
static void store_byte(vaddr_t va) {
    struct mapping m;
    CHECK(pt_lookup(&tables[hart()], va, &m));
    if (m.rights & ENTRY_COW)
        CHECK_EQUAL(0, cow_break(&tables[hart()], &private_region, va, &m));
    *byte_in(&tables[hart()], va) += 10 + hart();
}

static bool store(void) {
    store_byte(0);
    return true;
}

// Copies the table, and leaves the first page shared.
static bool store_other(void) {
    store_byte(PAGE_SIZE);
    return true;
}

static bool store_both(void) {
    return store() && store_other();
}

static bool fork_space(void) {
    return pt_init(&tables[2 + hart()]) == 0 &&
           cow_share(&tables[2 + hart()], &tables[hart()], &private_region) == 0;
}

static bool fork_and_store(void) {
    return fork_space() && store();
}

static bool store_and_fork(void) {
    return store() && fork_space();
}

static bool unmap_one(void) {
    pt_unmap(&tables[hart()], 0, PAGE_SIZE);
    return true;
}

static bool exit_space(void) {
    pt_destroy(&tables[hart()]);
    return true;
}

TEST(parent_and_child_write_fork_and_exit_at_once) {
    static const struct operation operations[] = {
        {"store", store, 0},
        {"store other", store_other, 0},
        {"store both", store_both, 0},
        {"fork", fork_space, 0},
        {"fork and store", fork_and_store, 0},
        {"store and fork", store_and_fork, 0},
        {"unmap", unmap_one, 0},
        {"exit", exit_space, 0},
    };
    boot(PAGE_TABLE_FRAMES);
    check_pairs(&page_tables_stage, operations, ARRAY_SIZE(operations));
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
    boot(FRAMES);
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
