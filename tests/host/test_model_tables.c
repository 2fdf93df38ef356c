// Random programs on up to 6 spaces whose regions cover whole leaf tables and parts of them,
// against a model that knows of a few pages in each table: their bytes, and which pages have the
// same frame. After each step contents, rights, faults, frames and sharers must be the model's, and
// the checkers find nothing. After a fork each table that can be shared as a whole is. SEED=n in
// the environment runs that seed alone.
#include "vm_help.h"

#include <string.h>

#include "sched/stop.h"

enum {
    SPACES = 6,
    MACHINE_FRAMES = 3000,
    HEAP_TABLES = 3,
    MAP_TABLES = 4,
    TABLES = HEAP_TABLES + MAP_TABLES,
    PLACES = 6, // in each table
    PAGES = TABLES * PLACES,
    UNIT = 128, // pages: bounds of mappings are multiples of it, and each has a place
    OBJECTS = 6,
    OBJECT_PAGES = 512 * MAP_TABLES,
    MODEL_FRAMES = SPACES * PAGES + OBJECTS * PAGES,
    NO_FRAME = 0,
    STEPS = 3000
};

#define HEAP 0x40000000ul
#define MAPS 0x80000000ul

static const vaddr_t places[PLACES] = {0, 1, 127, 128, 300, 511};

struct page {
    unsigned protection; // 0: no region
    bool promised, writable;
    struct object *object; // of shared memory
    size_t object_page;
    int frame; // the model's number of it
};

static struct space {
    struct addrspace *as;
    vaddr_t heap_end;
    struct page pages[PAGES];
} spaces[SPACES];

static struct object {
    unsigned mapped; // pages of spaces
    int frame[OBJECT_PAGES];
} objects[OBJECTS];

static struct {
    unsigned names; // pages that have it, and the object
    uint8_t byte;
} frames[MODEL_FRAMES + 1];

static bool eager;
static uint64_t expected[FAULT_KINDS];

static vaddr_t address_of(size_t i) {
    vaddr_t table = i / PLACES;
    vaddr_t start = table < HEAP_TABLES ? HEAP : MAPS - HEAP_TABLES * LEAF_SPAN;
    return start + table * LEAF_SPAN + places[i % PLACES] * PAGE;
}

static size_t available(void) {
    return frames_free() - frames_promised();
}

// ---- What the model says happens ----

static int new_frame(uint8_t byte) {
    int n = 1;
    while (frames[n].names > 0)
        CHECK(++n <= MODEL_FRAMES);
    frames[n].names = 1;
    frames[n].byte = byte;
    return n;
}

static void drop_object(struct object *o) {
    if (--o->mapped > 0)
        return;
    for (size_t i = 0; i < OBJECT_PAGES; i++) {
        if (o->frame[i] != NO_FRAME)
            frames[o->frame[i]].names--;
    }
}

static void drop_page(struct page *p) {
    if (p->frame != NO_FRAME)
        frames[p->frame].names--;
    if (p->object != NULL)
        drop_object(p->object);
    *p = (struct page){0};
}

static void drop_pages(struct space *s, vaddr_t start, vaddr_t end) {
    for (size_t i = 0; i < PAGES; i++) {
        if (address_of(i) >= start && address_of(i) < end)
            drop_page(&s->pages[i]);
    }
}

static void set_pages(struct space *s, vaddr_t start, vaddr_t end, struct page new) {
    drop_pages(s, start, end);
    for (size_t i = 0; i < PAGES; i++) {
        if (address_of(i) < start || address_of(i) >= end)
            continue;
        s->pages[i] = new;
        s->pages[i].object_page = (address_of(i) - start) / PAGE;
        if (new.object != NULL)
            new.object->mapped++;
    }
}

static void touch(struct page *p) {
    p->writable = p->protection & PROT_WRITE;
    expected[p->object != NULL ? FAULT_SHARED : FAULT_ZERO_FILL]++;
    if (p->object == NULL) {
        p->frame = new_frame(0);
        return;
    }
    int *frame = &p->object->frame[p->object_page];
    if (*frame == NO_FRAME)
        *frame = new_frame(0);
    p->frame = *frame;
    frames[p->frame].names++;
}

static void break_sharing(struct page *p) {
    bool copies = frames[p->frame].names > 1;
    expected[copies ? FAULT_COW_COPY : FAULT_COW_REUSE]++;
    p->writable = true;
    if (!copies)
        return;
    frames[p->frame].names--;
    p->frame = new_frame(frames[p->frame].byte);
}

static void access_page(struct page *p, bool write) {
    if (p->frame == NO_FRAME)
        touch(p);
    if (write && !p->writable)
        break_sharing(p);
}

static struct page forked(struct page *p) {
    struct page c = *p;
    c.promised = false;
    if (c.object != NULL)
        c.object->mapped++;
    if (c.frame == NO_FRAME)
        return c;
    bool is_cow = c.object == NULL && c.protection & PROT_WRITE;
    if (eager && is_cow) {
        c.frame = new_frame(frames[c.frame].byte);
        c.writable = true;
        return c;
    }
    frames[c.frame].names++;
    if (is_cow)
        c.writable = p->writable = false;
    return c;
}

// ---- Operations ----

// Mostly one that a region covers.
static size_t random_page(const struct space *s) {
    size_t i = host_random(PAGES);
    for (int tries = 0; tries < 6 && s->pages[i].protection == 0; tries++)
        i = host_random(PAGES);
    return i;
}

static void access_byte(struct space *s, bool write) {
    size_t i = random_page(s), left = available();
    struct page *p = &s->pages[i];
    uint8_t byte = (uint8_t)host_random(256);
    size_t needed = p->object != NULL ? 0 : p->frame != NO_FRAME ? 1 : p->promised ? 0 : 3;
    bool allowed = p->protection & (write ? PROT_WRITE : PROT_READ);
    int error =
        write ? hart_store(s->as, address_of(i), byte) : hart_load(s->as, address_of(i), &byte);
    CHECK_EQUAL(error == -EFAULT, !allowed);
    CHECK(error != -ENOMEM || left < needed);
    if (error)
        return;
    access_page(p, write);
    if (write)
        frames[p->frame].byte = byte;
    CHECK_EQUAL(frames[p->frame].byte, byte);
}

static void move_heap_end(struct space *s) {
    int64_t pages = (int64_t)host_random(1200) - 550;
    vaddr_t old, end = s->heap_end + (uint64_t)pages * PAGE;
    size_t left = available();
    if (end < HEAP || end > HEAP + HEAP_TABLES * LEAF_SPAN)
        return;
    bool full = s->as->region_count == REGIONS_MAX;
    int error = heap_move_end(s->as, pages * PAGE, &old);
    CHECK(error == 0 || (error == -ENOMEM && (full || (int64_t)left < pages + 4)));
    if (error)
        return;
    if (pages > 0)
        set_pages(s, s->heap_end, end, (struct page){.protection = RW, .promised = true});
    else
        drop_pages(s, end, s->heap_end);
    s->heap_end = end;
}

static struct object *object_start(void) {
    for (struct object *o = objects; o < objects + OBJECTS; o++) {
        if (o->mapped > 0)
            continue;
        memset(o, 0, sizeof *o);
        return o;
    }
    return NULL;
}

// Maps zeroes with or without promises, or shared memory, in place of what is there.
static void map(struct space *s) {
    static const unsigned protections[] = {RW, RW, RW, PROT_READ};
    vaddr_t first = host_random(512 * MAP_TABLES / UNIT), units = 1 + host_random(7);
    units = min(units, 512 * MAP_TABLES / UNIT - first);
    struct page new = {.protection = protections[host_random(4)], .promised = host_random(2)};
    vaddr_t start = MAPS + first * UNIT * PAGE;
    size_t left = available(), n = units * UNIT;
    struct region r = zero_region(start, n, new.protection);
    bool is_shared = host_random(4) == 0;
    if (is_shared) {
        new = (struct page){.protection = new.protection, .object = object_start()};
        if (new.object == NULL)
            return;
        r = shared_region(start, n, new.protection);
    }
    r.promised = new.promised;
    bool may_fail =
        s->as->region_count + 2 > REGIONS_MAX || left < (new.promised || is_shared ? n + 12 : 0);
    int error = is_shared && r.object == NULL ? -ENOMEM : addrspace_replace(s->as, &r);
    CHECK(error == 0 || (error == -ENOMEM && may_fail));
    if (error && is_shared && r.object != NULL)
        addrspace_put(r.object);
    if (error == 0)
        set_pages(s, start, start + n * PAGE, new);
}

static void unmap(struct space *s) {
    vaddr_t first = host_random(512 * MAP_TABLES / UNIT), units = 1 + host_random(6);
    vaddr_t start = MAPS + first * UNIT * PAGE, end = start + units * UNIT * PAGE;
    bool full = s->as->region_count == REGIONS_MAX;
    int error = addrspace_unmap(s->as, start, end);
    CHECK(error == 0 || (error == -ENOMEM && full));
    if (error == 0)
        drop_pages(s, start, end);
}

// The table can be shared if the present pages in it are of one region, and none is of shared
// memory, whose tables fork makes.
static void check_table_is_shared(const struct addrspace *as, const struct addrspace *child,
                                  vaddr_t table) {
    unsigned owners = 0;
    for (const struct region *r = as->regions; r < as->regions + as->region_count; r++) {
        if (r->end <= table || r->start >= table + LEAF_SPAN)
            continue;
        if (r->backing->shared)
            return;
        vaddr_t start = max(r->start, table), end = min(r->end, table + LEAF_SPAN);
        owners += pt_count(&as->pt, start, end) > 0;
    }
    const struct frame *mine = leaf_at(as, table), *childs = leaf_at(child, table);
    if (owners == 0)
        CHECK(childs == NULL);
    else
        CHECK_EQUAL(owners == 1, mine == childs);
}

static void check_tables_are_shared(const struct addrspace *as, const struct addrspace *child) {
    for (vaddr_t i = 0; i < HEAP_TABLES; i++)
        check_table_is_shared(as, child, HEAP + i * LEAF_SPAN);
    for (vaddr_t i = 0; i < MAP_TABLES; i++)
        check_table_is_shared(as, child, MAPS + i * LEAF_SPAN);
}

// What was shared for a while may be marked still.
static void note_failed_fork(struct space *parent) {
    for (size_t i = 0; i < PAGES; i++) {
        struct page *p = &parent->pages[i];
        if (p->writable && !(mapping_at(parent->as, address_of(i)).rights & PROT_WRITE)) {
            CHECK(p->object == NULL && !eager);
            p->writable = false;
        }
    }
}

static void fork_one(struct space *parent) {
    struct space *child = spaces;
    while (child < spaces + SPACES && child->as != NULL)
        child++;
    if (child == spaces + SPACES)
        return;
    size_t left = available();
    struct addrspace *as = addrspace_create();
    int error = as == NULL ? -ENOMEM : fork_space(as, parent->as);
    CHECK(error == 0 || (error == -ENOMEM && left < 1 + 2 + TABLES + (eager ? PAGES : 0)));
    if (error) {
        if (as != NULL) {
            CHECK_SOUND();
            addrspace_put(as);
        }
        note_failed_fork(parent);
        CHECK_EQUAL(left, available());
        return;
    }
    child->as = as;
    child->heap_end = parent->heap_end;
    for (size_t i = 0; i < PAGES; i++)
        child->pages[i] = forked(&parent->pages[i]);
    if (!eager)
        check_tables_are_shared(parent->as, as);
}

static void end_one(struct space *s) {
    space_end(s->as);
    drop_pages(s, 0, USER_END);
    s->as = NULL;
}

static unsigned alive_count(void) {
    unsigned n = 0;
    for (size_t i = 0; i < SPACES; i++)
        n += spaces[i].as != NULL;
    return n;
}

// ---- Comparing ----

static void compare_page(struct space *s, size_t i) {
    struct page *p = &s->pages[i];
    struct mapping m = mapping_at(s->as, address_of(i));
    CHECK_EQUAL(p->frame != NO_FRAME, m.frame != NULL);
    if (m.frame == NULL)
        return;
    CHECK_EQUAL(frames[p->frame].byte, *(uint8_t *)frame_ptr(m.frame));
    CHECK_EQUAL(p->writable, (m.rights & PROT_WRITE) != 0);
    CHECK_EQUAL(frames[p->frame].names > 1, mapping_is_shared(&m));
    struct pageinfo info;
    sched_stop_others();
    CHECK_EQUAL(1, pagemap_describe(s->as, address_of(i), 1, &info));
    sched_resume_others();
    CHECK_EQUAL(frames[p->frame].names, info.sharers);
}

static void compare_all(void) {
    size_t used = 0;
    CHECK_SOUND();
    for (size_t n = 1; n <= MODEL_FRAMES; n++)
        used += frames[n].names > 0;
    CHECK_EQUAL(used, frames_used(FRAME_USER));
    static const enum fault_kind kinds[] = {FAULT_ZERO_FILL, FAULT_COW_COPY, FAULT_COW_REUSE,
                                            FAULT_SHARED};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        CHECK_EQUAL(expected[kinds[i]], faults(kinds[i]));
    for (size_t k = 0; k < SPACES; k++)
        for (size_t i = 0; i < PAGES && spaces[k].as != NULL; i++)
            compare_page(&spaces[k], i);
}

static void step(struct space *s) {
    uint32_t kind = host_random(100);
    if (kind < 70)
        access_byte(s, kind < 50);
    else if (kind < 76)
        map(s);
    else if (kind < 80)
        unmap(s);
    else if (kind < 85)
        move_heap_end(s);
    else if (kind < 93)
        fork_one(s);
    else if (alive_count() > 1)
        end_one(s);
}

// Now and then there is next to no memory for a step.
static void random_step(void) {
    struct space *s = &spaces[host_random(SPACES)];
    if (s->as == NULL)
        return;
    space_use(s->as);
    bool is_scarce = host_random(6) == 0;
    if (is_scarce)
        frames_hold(min(host_random(12), available()));
    step(s);
    if (is_scarce)
        frames_release();
    compare_all();
}

static void follow_the_model(void) {
    spaces[0].as = space_make();
    spaces[0].as->heap_end = spaces[0].heap_end = HEAP;
    for (int i = 0; i < STEPS; i++)
        random_step();
    for (size_t k = 0; k < SPACES; k++)
        if (spaces[k].as != NULL)
            end_one(&spaces[k]);
}

TEST(whole_tables_follow_the_model) {
    machine_start(MACHINE_FRAMES);
    run_seeds(1, 8, follow_the_model);
}

TEST(whole_tables_follow_the_model_with_eager_fork) {
    machine_start(MACHINE_FRAMES);
    eager = true;
    fork_set_eager();
    run_seeds(11, 12, follow_the_model);
}
