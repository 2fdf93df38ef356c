// The simulator's events: what is told of page tables, against walks through what is in memory.
#include "cpu/physical.h"
#include "cpu/translate.h"
#include "debug/events.h"
#include "memory/host.h"

#include <string.h>

#include "test.h" // last, because the kernel has macros with names of the simulator

enum { PAGES = 12, HARTS = 2, STEPS = 4000, EVENTS_MAX = 8192, WORDS = PAGES * TABLE_ENTRIES };

static struct machine *machine;
static struct events events;
static uint64_t told[WORDS];
static struct event seen[EVENTS_MAX];
static unsigned seen_count;
static bool stops;
static uint64_t random_state = 1;

void *host_alloc(size_t bytes) {
    return calloc(1, bytes);
}

void host_free(void *memory) {
    free(memory);
}

static uint64_t below(uint64_t end) {
    return random_next(&random_state) % end;
}

static uint64_t page_at(unsigned page) {
    return MEMORY_START + page * (uint64_t)PAGE_BYTES;
}

static uint64_t pte(uint64_t pa, uint64_t bits) {
    return pa >> PAGE_SHIFT << PTE_PPN_SHIFT | bits;
}

static uint64_t word_at(uint64_t pa) {
    return physical_read(&machine->system, pa, 8);
}

static bool happened(void *owner, const struct event *e) {
    CHECK(seen_count < EVENTS_MAX);
    seen[seen_count++] = *e;
    if (e->kind == EVENT_ENTRY) {
        uint64_t *entry = &told[(e->address - MEMORY_START) / 8];
        CHECK_EQUAL(*entry, e->before);
        CHECK_EQUAL(word_at(e->address), e->after);
        CHECK(e->before != e->after);
        *entry = e->after;
    }
    return stops;
}

static void begin(uint64_t kinds) {
    const struct machine_settings settings = {
        .harts = HARTS, .memory_bytes = PAGES * PAGE_BYTES, .seed = 1};
    machine = machine_create(&settings);
    events = (struct events){.machine = machine, .happened = happened};
    CHECK(events_init(&events));
    events_begin(&events, kinds);
}

static void end(void) {
    events_end(&events);
    events_destroy(&events);
    machine_destroy(machine);
}

// ---- What a hart or a device does ----

static void write_word(struct hart *h, uint64_t pa, uint64_t value) {
    struct observer *o = machine->system.observer;
    physical_write(&machine->system, pa, 8, value);
    o->changed(o, h, pa, 8);
}

static void set_root(struct hart *h, unsigned page) {
    struct listener *l = machine->system.listener;
    uint64_t before = h->r.satp;
    h->r.satp = page < PAGES ? SATP_SV39 | page_at(page) >> PAGE_SHIFT : 0;
    l->switched(l, h, before);
}

// ---- A model ----

// Marks the tables below that one, with the way to each.
static void mark(bool is_table[], uint64_t pa, unsigned level) {
    is_table[(pa - MEMORY_START) / PAGE_BYTES] = true;
    for (unsigned i = 0; level > 0 && i < TABLE_ENTRIES; i++) {
        uint64_t entry = word_at(pa + i * 8), target = walk_target(entry);
        bool is_pointer =
            (entry & (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D)) == PTE_V;
        if (is_pointer && target >= MEMORY_START && target < page_at(PAGES))
            mark(is_table, target, level - 1);
    }
}

static void find_tables(bool is_table[]) {
    memset(is_table, 0, PAGES);
    for (unsigned i = 0; i < HARTS; i++) {
        uint64_t satp = machine->system.harts[i].r.satp;
        if (satp != 0)
            mark(is_table, (satp & SATP_PPN) << PAGE_SHIFT, LEVELS - 1);
    }
}

// Does something at random with a page table, or with what is none.
static void step(void) {
    static const unsigned places[] = {0, 1, 2, 511};
    static const uint64_t bits[] = {0, PTE_V, PTE_V, PTE_V, PTE_V | PTE_R, PTE_V | PTE_A};
    struct hart *h = &machine->system.harts[below(HARTS)];
    uint64_t pa = page_at(below(PAGES)) + places[below(ARRAY_SIZE(places))] * 8;
    unsigned what = below(16);
    if (what == 0)
        set_root(h, below(PAGES + 1));
    else
        write_word(what == 1 ? NULL : h, pa,
                   pte(page_at(below(PAGES + 1)), bits[below(ARRAY_SIZE(bits))]));
}

// Those that a walk can read are told as they are, and nothing is told of others.
TEST(events_tell_what_walks_can_read) {
    bool before[PAGES], after[PAGES];
    begin(EVENT_ENTRY);
    struct observer *o = machine->system.observer;
    for (unsigned i = 0; i < STEPS; i++) {
        find_tables(before);
        seen_count = 0;
        step();
        find_tables(after);
        for (unsigned page = 0; page < PAGES; page++) {
            for (unsigned w = 0; after[page] && w < TABLE_ENTRIES; w++)
                CHECK_EQUAL(word_at(page_at(page) + w * 8), told[page * TABLE_ENTRIES + w]);
            CHECK_EQUAL(!after[page], o->is_quiet(o, page_at(page), true));
            CHECK(o->is_quiet(o, page_at(page), false));
        }
        for (unsigned e = 0; e < seen_count; e++) {
            unsigned page = (seen[e].address - MEMORY_START) / PAGE_BYTES;
            CHECK(before[page] || after[page]);
        }
    }
    end();
}

// ---- What an event says ----

// A table with one page, at 0x40201000.
static void make_table(struct hart *h) {
    write_word(h, page_at(1) + 1 * 8, pte(page_at(2), PTE_V));
    write_word(h, page_at(2) + 1 * 8, pte(page_at(3), PTE_V));
    write_word(h, page_at(3) + 1 * 8, pte(page_at(4), PTE_V | PTE_R | PTE_W));
    CHECK_EQUAL(0, seen_count);
    set_root(h, 1);
}

TEST(entries_are_told_with_their_place) {
    begin(EVENT_ENTRY | EVENT_SWITCH);
    struct hart *h = &machine->system.harts[1];
    h->r.privilege = SUPERVISOR;
    make_table(h);
    CHECK_EQUAL(4, seen_count);
    CHECK(seen[0].kind == EVENT_SWITCH && seen[0].before == 0 && seen[0].after == h->r.satp);
    CHECK(seen[3].by == BY_NOBODY && seen[3].va == 0x40201000 && seen[3].level == 0);
    CHECK(seen[1].va == 0x40000000 && seen[1].level == 2 && seen[3].root == page_at(1));

    uint64_t pa;
    CHECK(translate(h, 0x40201008, ACCESS_WRITE, &pa));
    CHECK_EQUAL(page_at(4) + 8, pa);
    CHECK_EQUAL(5, seen_count);
    CHECK(seen[4].by == BY_HARDWARE && seen[4].hart == 1 && seen[4].address == page_at(3) + 8);
    CHECK_EQUAL(PTE_A | PTE_D, seen[4].before ^ seen[4].after);

    write_word(NULL, page_at(3) + 511 * 8, 1);
    CHECK(seen[5].by == BY_DEVICE && seen[5].hart == NO_HART && seen[5].va == 0x403ff000);
    write_word(h, page_at(1) + 511 * 8, pte(page_at(2), PTE_V));
    CHECK(seen[6].by == BY_STORE && seen[6].va == UINT64_C(0xffffffffc0000000));
    CHECK_EQUAL(7, seen_count);
    end();
}

TEST(machine_stops_at_an_event) {
    begin(EVENT_ENTRY);
    struct hart *h = &machine->system.harts[0];
    make_table(h);
    CHECK_EQUAL(NO_PAUSE, machine->system.breakpoints.pause.reason);
    stops = true;
    write_word(h, page_at(3), 1);
    CHECK_EQUAL(PAUSE_EVENT, machine->system.breakpoints.pause.reason);
    end();
}

TEST(what_was_missed_is_found) {
    begin(EVENT_ENTRY);
    struct hart *h = &machine->system.harts[0];
    make_table(h);
    events_end(&events);
    physical_write(&machine->system, page_at(3) + 8, 8, 0);
    seen_count = 0;
    events_begin(&events, EVENT_ENTRY);
    CHECK_EQUAL(1, seen_count);
    CHECK(seen[0].by == BY_NOBODY && seen[0].hart == NO_HART && seen[0].after == 0);
    end();
}
