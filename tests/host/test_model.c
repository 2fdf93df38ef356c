// Random operations on up to 8 spaces against a model that keeps each space's bytes in plain arrays
// and knows which pages share a frame, until a write or always. Contents, errors, frames, fault
// counters and what the disk has of the file must be the model's. SEED=n in the environment runs
// that seed alone.
#include "small_machine.h"

#include <string.h>

#include "sched/stop.h"

enum {
    FRAMES = 140,
    SPACES = 8,
    AREA_PAGES = 32,
    PAGES = 3 * AREA_PAGES,
    PAGE = PAGE_SIZE,
    NO_FRAME = 0,
    CACHE = 10000,
    OBJECTS = 10,
    OBJECT_PAGES = 8,
    STEPS = 6000,
    RW = PROT_READ | PROT_WRITE
};

// Files, zeroes, heap: two of them across two leaf tables.
static const vaddr_t area_start[] = {0x10000, 0x40000000 + 500 * PAGE, 0x80000000 + 495 * PAGE};

struct page {
    int protection; // 0: no region
    bool promised, writable;
    size_t file_bytes;     // of a page of the file: how many
    bool is_shared_file;   // a store is the file's; writable: it has changed
    struct object *object; // of a page of shared memory
    size_t object_page;
    int frame; // the model's number of it: NO_FRAME, CACHE + page of the file, or another
    uint8_t bytes[PAGE];
};

static struct space {
    struct addrspace *as;
    vaddr_t heap_end;
    struct page pages[PAGES];
} spaces[SPACES];

// Shared memory, which lives as long as some space has a page of it.
static struct object {
    unsigned mapped; // pages of spaces
    size_t page_count;
    int frame[OBJECT_PAGES];
    uint8_t bytes[OBJECT_PAGES][PAGE];
} objects[OBJECTS];

// The file as all who map it see it, and as the disk has it.
static uint8_t file_now[AREA_PAGES][PAGE], file_disk[AREA_PAGES][PAGE];

static struct {
    unsigned names; // pages that have it, and the object
    struct frame *real;
} frames[FRAMES + 1];

static struct inode *file;
static bool eager;
static uint64_t expected[FAULT_KINDS];

static vaddr_t address_of(size_t i) {
    return area_start[i / AREA_PAGES] + i % AREA_PAGES * PAGE;
}

static size_t available(void) {
    return frames_free() - frames_promised();
}

// ---- What the model says happens ----

static int new_frame(void) {
    int n = 1;
    while (frames[n].names > 0)
        CHECK(++n <= FRAMES);
    frames[n].names = 1;
    frames[n].real = NULL;
    return n;
}

static void drop_frame(struct page *p) {
    if (p->frame != NO_FRAME && p->frame < CACHE)
        frames[p->frame].names--;
    p->frame = NO_FRAME;
}

static uint8_t *bytes_of(struct page *p) {
    if (p->object != NULL)
        return p->object->bytes[p->object_page];
    return p->frame >= CACHE ? file_now[p->frame - CACHE] : p->bytes;
}

static bool is_shared(const struct page *p) {
    return p->frame >= CACHE || frames[p->frame].names > 1;
}

static void touch_shared(struct page *p) {
    int *frame = &p->object->frame[p->object_page];
    if (*frame == NO_FRAME) {
        *frame = new_frame();
        memset(p->object->bytes[p->object_page], 0, PAGE);
    }
    p->frame = *frame;
    frames[p->frame].names++;
    p->writable = p->protection & PROT_WRITE;
    expected[FAULT_SHARED]++;
}

static void touch_file(struct page *p, size_t i, bool write) {
    expected[p->is_shared_file ? FAULT_SHARED : FAULT_FILE]++;
    p->frame = p->file_bytes == PAGE ? CACHE + (int)i : new_frame();
    for (size_t at = 0; p->frame < CACHE && at < PAGE; at++)
        p->bytes[at] = at < p->file_bytes ? file_now[i][at] : 0;
    p->writable = p->protection & PROT_WRITE && (p->is_shared_file ? write : p->frame < CACHE);
}

static void touch(struct page *p, size_t i, bool write) {
    if (p->object != NULL) {
        touch_shared(p);
    } else if (p->file_bytes > 0) {
        touch_file(p, i, write);
    } else {
        expected[FAULT_ZERO_FILL]++;
        memset(p->bytes, 0, PAGE);
        p->frame = new_frame();
        p->writable = p->protection & PROT_WRITE;
    }
}

static void access_page(struct page *p, size_t i, bool write) {
    if (p->frame == NO_FRAME)
        touch(p, i, write);
    if (!write || p->writable)
        return;
    p->writable = true;
    if (p->is_shared_file) {
        expected[FAULT_SHARED]++;
        return;
    }
    expected[is_shared(p) ? FAULT_COW_COPY : FAULT_COW_REUSE]++;
    if (is_shared(p)) {
        memmove(p->bytes, bytes_of(p), PAGE);
        drop_frame(p);
        p->frame = new_frame();
    }
}

// After a failure: takes over which pages were resolved before it.
static void catch_up(struct space *s, size_t i) {
    struct mapping m = mapping_at(s->as, address_of(i));
    if (m.frame != NULL)
        access_page(&s->pages[i], i, m.rights & PROT_WRITE);
}

static void drop_object(struct object *o) {
    if (--o->mapped > 0)
        return;
    for (size_t i = 0; i < o->page_count; i++) {
        if (o->frame[i] != NO_FRAME)
            frames[o->frame[i]].names--;
    }
}

static void remove_pages(struct space *s, size_t first, size_t end) {
    for (size_t i = first; i < end; i++) {
        struct page *p = &s->pages[i];
        if (p->is_shared_file && p->writable)
            memcpy(file_disk[i], file_now[i], PAGE);
        drop_frame(p);
        if (p->object != NULL)
            drop_object(p->object);
        *p = (struct page){0};
    }
}

static size_t reserved_pages(void) {
    size_t n = 0;
    for (size_t k = 0; k < SPACES; k++)
        for (size_t i = 0; i < PAGES; i++)
            n += spaces[k].pages[i].is_shared_file;
    return n;
}

// ---- Operations ----

// How many more frames could be needed for an access to the page.
static size_t most_needed(const struct page *p) {
    if (p->object != NULL || p->is_shared_file)
        return 0;
    return p->frame == NO_FRAME ? (p->promised ? 0 : 3) : 1;
}

// Mostly one that a region covers.
static size_t random_page(const struct space *s) {
    size_t i = host_random(PAGES);
    for (int tries = 0; tries < 6 && s->pages[i].protection == 0; tries++)
        i = host_random(PAGES);
    return i;
}

static bool allows(const struct page *p, bool write) {
    return p->protection & (write ? PROT_WRITE : PROT_READ);
}

static void access_byte(struct space *s, bool write) {
    size_t i = random_page(s), at = host_random(PAGE);
    struct page *p = &s->pages[i];
    uint8_t byte = (uint8_t)host_random(256), loaded = 0;
    size_t left = available(), needed = most_needed(p);
    int error = write ? hart_store(s->as, address_of(i) + at, byte)
                      : hart_load(s->as, address_of(i) + at, &loaded);
    CHECK_EQUAL(error == -EFAULT, !allows(p, write));
    CHECK(error != -ENOMEM || left < needed);
    if (error) {
        catch_up(s, i);
        return;
    }
    access_page(p, i, write);
    if (write)
        bytes_of(p)[at] = byte;
    CHECK_EQUAL(bytes_of(p)[at], write ? byte : loaded);
}

static void copy(struct space *s, bool write) {
    static uint8_t data[PAGE];
    size_t i = random_page(s), at = host_random(PAGE), n = 1 + host_random(PAGE),
           last = i + (at + n - 1) / PAGE;
    if (last / AREA_PAGES != i / AREA_PAGES)
        return;
    bool fits = allows(&s->pages[i], write) && allows(&s->pages[last], write);
    size_t left = available(), needed = most_needed(&s->pages[i]) + most_needed(&s->pages[last]);
    memset(data, (int)host_random(256), n);
    int error = write ? user_copy_out(s->as, address_of(i) + at, data, n)
                      : user_copy_in(s->as, data, address_of(i) + at, n);
    CHECK(fits ? error == 0 || left < needed : error != 0);
    for (size_t page = i; page <= last; page++) {
        if (error)
            catch_up(s, page);
        else
            access_page(&s->pages[page], page, write);
    }
    for (size_t k = 0; k < n && error == 0; k++) {
        uint8_t *byte = &bytes_of(&s->pages[i + (at + k) / PAGE])[(at + k) % PAGE];
        if (write)
            *byte = data[k];
        CHECK_EQUAL(*byte, data[k]);
    }
}

static struct object *object_start(size_t page_count) {
    for (struct object *o = objects; o < objects + OBJECTS; o++) {
        if (o->mapped > 0)
            continue;
        *o = (struct object){.page_count = page_count};
        return o;
    }
    return NULL;
}

// Notes what n pages from i on are after they have been mapped.
static void note_mapped(struct space *s, size_t i, size_t n, struct page model, size_t bytes) {
    remove_pages(s, i, i + n);
    for (size_t k = 0; k < n; k++, bytes -= bytes < PAGE ? bytes : PAGE) {
        model.object_page = k;
        if (i < AREA_PAGES)
            model.file_bytes = bytes < PAGE ? bytes : PAGE;
        s->pages[i + k] = model;
        if (model.object != NULL)
            model.object->mapped++;
    }
}

// Maps pages from i on, zeroes or of the file, private or shared, where nothing is or in place of
// what is there.
static void map(struct space *s) {
    static const unsigned protections[] = {PROT_READ, RW, RW, PROT_READ | PROT_EXEC};
    size_t i = host_random(2 * AREA_PAGES), n = 1 + host_random(OBJECT_PAGES),
           room = AREA_PAGES - i % AREA_PAGES;
    n = n < room ? n : room;
    unsigned protection = protections[host_random(4)];
    size_t bytes = n * PAGE - (host_random(2) ? host_random(PAGE) : 0), left = available();
    bool of_file = i < AREA_PAGES, shared = host_random(3) == 0, replaces = host_random(3) == 0,
         is_free = true;
    struct object *o = shared && !of_file ? object_start(n) : NULL;
    if (shared && !of_file && o == NULL)
        return;
    if (shared)
        bytes = n * PAGE;
    struct region r = o != NULL  ? shared_region(address_of(i), n, protection)
                      : !of_file ? zero_region(address_of(i), n, protection)
                      : shared   ? shared_file_region(file, i * PAGE, address_of(i), n, protection)
                                 : file_region(file, i * PAGE, address_of(i), bytes, protection);
    for (size_t k = 0; k < n; k++)
        is_free = is_free && s->pages[i + k].protection == 0;
    bool may_fail = s->as->region_count + (replaces ? 2 : 1) > REGIONS_MAX;
    may_fail = may_fail || (shared && left < (of_file ? 4 : n + 12));
    may_fail = may_fail || (shared && of_file && reserved_pages() + n > FILE_FRAMES / 4);
    int error = -ENOMEM;
    if (o == NULL || r.object != NULL)
        error = replaces ? addrspace_replace(s->as, &r) : addrspace_map(s->as, &r);
    CHECK(error == 0 ? is_free || replaces : error == -ENOMEM ? may_fail : !is_free && !replaces);
    if (o != NULL && r.object != NULL && error)
        addrspace_put(r.object);
    if (error)
        return;
    if (of_file)
        r.backing->get(file);
    struct page model = {.protection = (int)protection, .object = o};
    model.is_shared_file = shared && of_file;
    note_mapped(s, i, n, model, bytes);
}

static void unmap(struct space *s) {
    size_t i = host_random(PAGES), n = 1 + host_random(host_random(8) ? 4 : PAGES / 2);
    n = n < PAGES - i ? n : PAGES - i;
    unsigned count = s->as->region_count;
    int error = addrspace_unmap(s->as, address_of(i), address_of(i + n - 1) + PAGE);
    CHECK(error == 0 || (error == -ENOMEM && count == REGIONS_MAX));
    if (error == 0)
        remove_pages(s, i, i + n);
}

static void move_heap(struct space *s) {
    vaddr_t start = area_start[2], end = start + AREA_PAGES * PAGE, old;
    int64_t delta = (int64_t)host_random(16 * PAGE) - 7 * PAGE;
    if (s->heap_end + (uint64_t)delta > end || s->heap_end + (uint64_t)delta < start)
        return;
    size_t old_pages = (round_up(s->heap_end, PAGE) - start) / PAGE;
    size_t new_pages = (round_up(s->heap_end + (uint64_t)delta, PAGE) - start) / PAGE;
    size_t left = available();
    bool full = s->as->region_count == REGIONS_MAX;
    int error = heap_move_end(s->as, delta, &old);
    CHECK(error == 0 || (error == -ENOMEM &&
                         (full || (new_pages > old_pages && left < new_pages - old_pages + 3))));
    if (error)
        return;
    CHECK_EQUAL(s->heap_end, old);
    s->heap_end += (uint64_t)delta;
    for (size_t i = old_pages; i < new_pages; i++)
        s->pages[2 * AREA_PAGES + i] = (struct page){.protection = RW, .promised = true};
    if (new_pages < old_pages)
        remove_pages(s, 2 * AREA_PAGES + new_pages, 2 * AREA_PAGES + old_pages);
}

static void copy_page(struct page *c, struct page *p) {
    bool is_private = p->object == NULL && !p->is_shared_file;
    c->promised = false;
    if (c->object != NULL)
        c->object->mapped++;
    if (c->frame == NO_FRAME)
        return;
    bool copies = eager && is_private && c->protection & PROT_WRITE;
    if (copies) {
        memmove(c->bytes, bytes_of(p), PAGE);
        c->frame = new_frame();
    } else if (c->frame < CACHE) {
        frames[c->frame].names++;
    }
    if (!is_private)
        return;
    c->writable = copies;
    p->writable = p->writable && eager;
}

static void copy_model(struct space *child, struct space *parent) {
    struct addrspace *as = child->as;
    *child = *parent;
    child->as = as;
    for (size_t i = 0; i < PAGES; i++)
        copy_page(&child->pages[i], &parent->pages[i]);
}

static bool is_saved(size_t i) {
    for (size_t at = 0; at < PAGE; at++)
        if (file_saved(file, i * PAGE + at) != file_now[i][at])
            return false;
    return true;
}

static void fork_one(struct space *parent) {
    struct space *child = spaces;
    while (child < spaces + SPACES && child->as != NULL)
        child++;
    if (child == spaces + SPACES)
        return;
    size_t left = available(), needed = 10 + (eager ? PAGES : 0), more = 0;
    for (size_t i = 0; i < AREA_PAGES; i++)
        more += parent->pages[i].is_shared_file;
    bool may_fail = left < needed || reserved_pages() + more > FILE_FRAMES / 4;
    struct addrspace *as = addrspace_create();
    int error = as == NULL ? -ENOMEM : fork_space(as, parent->as);
    CHECK(error == 0 || (error == -ENOMEM && may_fail));
    if (error == 0) {
        child->as = as;
        copy_model(child, parent);
        return;
    }
    if (as != NULL)
        addrspace_put(as);
    for (size_t i = 0; i < PAGES; i++) // what was shared for a while may be marked still
        if (parent->pages[i].writable &&
            !(mapping_at(parent->as, address_of(i)).rights & PROT_WRITE))
            parent->pages[i].writable = false;
    for (size_t i = 0; i < AREA_PAGES; i++) // what the child had of changed pages was written back
        if (parent->pages[i].is_shared_file && parent->pages[i].writable && is_saved(i))
            memcpy(file_disk[i], file_now[i], PAGE);
}

static void end_space(struct space *s) {
    space_end(s->as);
    remove_pages(s, 0, PAGES);
    s->as = NULL;
}

static unsigned alive_count(void) {
    unsigned n = 0;
    for (size_t i = 0; i < SPACES; i++)
        n += spaces[i].as != NULL;
    return n;
}

// ---- Comparing ----

// How many pages of all spaces and objects have each frame.
static unsigned page_count[MACHINE_RAM / PAGE_SIZE];

static void count_pages(struct addrspace *as) {
    struct mapping m;
    for (vaddr_t va = 0; pt_next(&as->pt, &va, USER_END, &m); va += PAGE)
        page_count[frame_index(m.frame)]++;
}

static void compare_page(struct space *s, size_t i) {
    struct page *p = &s->pages[i];
    struct mapping m = mapping_at(s->as, address_of(i));
    CHECK_EQUAL(p->frame != NO_FRAME, m.frame != NULL);
    if (m.frame == NULL)
        return;
    CHECK(memcmp(bytes_of(p), frame_ptr(m.frame), PAGE) == 0);
    CHECK_EQUAL(p->writable, (m.rights & PROT_WRITE) != 0);
    if (p->frame >= CACHE) {
        CHECK(m.frame == file_frame(file, i));
        return;
    }
    CHECK_EQUAL(frames[p->frame].names, page_count[frame_index(m.frame)]);
    CHECK(frames[p->frame].real == NULL || frames[p->frame].real == m.frame);
    frames[p->frame].real = m.frame;
}

static void compare_numbers(void) {
    size_t used = 0, promised = 0;
    for (size_t n = 1; n <= FRAMES; n++)
        used += frames[n].names > 0;
    for (size_t k = 0; k < SPACES; k++)
        for (size_t i = 0; i < PAGES; i++)
            promised += spaces[k].pages[i].promised && spaces[k].pages[i].frame == NO_FRAME;
    for (const struct object *o = objects; o < objects + OBJECTS; o++)
        for (size_t i = 0; i < o->page_count; i++)
            promised += o->mapped > 0 && o->frame[i] == NO_FRAME;
    CHECK_EQUAL(used, frames_used(FRAME_USER));
    CHECK_EQUAL(promised, frames_promised());
    CHECK_EQUAL(reserved_pages(), file_reserved());
    static const enum fault_kind kinds[] = {FAULT_ZERO_FILL, FAULT_FILE, FAULT_COW_COPY,
                                            FAULT_COW_REUSE, FAULT_SHARED};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        CHECK_EQUAL(expected[kinds[i]], faults(kinds[i]));
}

static void compare_all(void) {
    CHECK_SOUND();
    for (size_t n = 1; n <= FRAMES; n++)
        frames[n].real = NULL;
    memset(page_count, 0, sizeof page_count);
    sched_stop_others();
    addrspace_each(count_pages);
    sched_resume_others();
    for (size_t k = 0; k < SPACES; k++)
        for (size_t i = 0; i < PAGES && spaces[k].as != NULL; i++)
            compare_page(&spaces[k], i);
    for (size_t at = 0; at < AREA_PAGES * PAGE; at += 1 + host_random(64))
        CHECK_EQUAL(file_disk[at / PAGE][at % PAGE], file_saved(file, at));
}

static void step(void) {
    struct space *s = &spaces[host_random(SPACES)];
    if (s->as == NULL)
        return;
    space_use(s->as);
    uint32_t kind = host_random(100);
    if (kind < 50)
        access_byte(s, kind < 30);
    else if (kind < 65)
        copy(s, kind < 60);
    else if (kind < 75)
        map(s);
    else if (kind < 79)
        unmap(s);
    else if (kind < 87)
        move_heap(s);
    else if (kind < 95)
        fork_one(s);
    else if (alive_count() > 1)
        end_space(s);
}

static void follow_the_model(void) {
    spaces[0].as = space_make();
    spaces[0].as->heap_end = spaces[0].heap_end = area_start[2];
    for (int i = 0; i < STEPS; i++) {
        step();
        compare_numbers();
        if (i % 50 == 0)
            compare_all();
    }
    for (size_t k = 0; k < SPACES; k++)
        if (spaces[k].as != NULL)
            end_space(&spaces[k]);
}

static void start(void) {
    machine_start(FRAMES);
    file = file_make(AREA_PAGES * PAGE);
    for (size_t at = 0; at < AREA_PAGES * PAGE; at++)
        file_now[at / PAGE][at % PAGE] = file_byte(at);
    memcpy(file_disk, file_now, sizeof file_disk);
    if (eager)
        fork_set_eager();
}

TEST(spaces_follow_the_model) {
    start();
    run_seeds(1, 4, follow_the_model);
}

TEST(spaces_follow_the_model_with_eager_fork) {
    eager = true;
    start();
    run_seeds(11, 12, follow_the_model);
}
