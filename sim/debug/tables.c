// Tables are found by walking as a hart would, from each root to all that can be reached.
#include "debug/tables.h"
#include "cpu/fast.h"
#include "cpu/physical.h"
#include "memory/host.h"

bool tables_init(struct tables *t) {
    t->page_count = paged_bytes(&t->system->bus.memory) / PAGE_BYTES;
    t->pages = host_alloc(t->page_count * sizeof t->pages[0]);
    return t->pages != NULL;
}

void tables_destroy(struct tables *t) {
    for (uint64_t i = 0; t->pages != NULL && i < t->page_count; i++)
        host_free(t->pages[i]);
    host_free(t->pages);
}

static struct table **slot_of(const struct tables *t, uint64_t pa) {
    return &t->pages[(pa - MEMORY_START) / PAGE_BYTES];
}

static bool is_pointer(uint64_t pte) {
    return (pte & PTE_V) && !(pte & (PTE_R | PTE_W | PTE_X));
}

// Tells entries that are other ones now. Returns true if one of them points, or did, to a table.
static bool tell(struct tables *t, struct table *table, uint64_t start, uint64_t bytes,
                 bool is_found) {
    bool has_pointer = false;
    for (uint64_t pa = start & ~UINT64_C(7); pa < start + bytes; pa += 8) {
        uint64_t *told = &table->told[pa % PAGE_BYTES / 8];
        uint64_t before = *told, after = physical_read(t->system, pa, 8);
        if (before == after)
            continue;
        *told = after;
        has_pointer |= is_pointer(before) || is_pointer(after);
        t->changed(t->owner, &(struct table_change){table, pa, before, after, is_found});
    }
    return has_pointer;
}

// ---- Finding ----

// Returns what is known about the page, NULL if it is not in memory.
static struct table *get(struct tables *t, uint64_t pa) {
    if (!bus_is_memory(&t->system->bus, pa, PAGE_BYTES))
        return NULL;
    struct table **slot = slot_of(t, pa);
    if (*slot == NULL)
        *slot = host_alloc(sizeof **slot);
    if (*slot == NULL)
        t->system->bus.is_out_of_memory = true;
    return *slot;
}

// Adds the page to those that walks read.
static void reach(struct tables *t, struct table *table, uint64_t pa) {
    table->next = t->reached;
    t->reached = table;
    if (!table->is_watched)
        fast_forget_bytes(t->system, physical_page(t->system, pa), FAST_WRITES);
    table->is_watched = true;
    tell(t, table, pa, PAGE_BYTES, true);
}

// Goes through the table of that level, and all below.
static void visit(struct tables *t, uint64_t root, uint64_t pa, unsigned level, uint64_t page) {
    struct table *table = get(t, pa);
    if (table == NULL || (table->levels >> level & 1))
        return;
    bool is_first = table->levels == 0;
    table->levels |= BIT(level);
    if (is_first) {
        table->root = root;
        table->level = level;
        table->va = page << PAGE_SHIFT;
        reach(t, table, pa);
    }
    for (uint64_t i = 0, address, pte; level > 0 && i < TABLE_ENTRIES; i++) {
        uint64_t below = page + (i << LEVEL_BITS * level);
        if (walk_step(t->system, pa, level, below, &address, &pte) == STEP_TABLE)
            visit(t, root, walk_target(pte), level - 1, below);
    }
}

void tables_find(struct tables *t) {
    const struct system *s = t->system;
    for (struct table *table = t->reached; table != NULL; table = table->next)
        table->levels = 0;
    t->reached = NULL;
    for (unsigned i = 0; i < s->hart_count; i++) {
        uint64_t satp = s->harts[i].r.satp, root = (satp & SATP_PPN) << PAGE_SHIFT;
        if ((satp & SATP_MODE) == SATP_SV39)
            visit(t, root, root, LEVELS - 1, 0);
    }
}

void tables_leave(struct tables *t) {
    for (uint64_t i = 0; i < t->page_count; i++) {
        if (t->pages[i] != NULL) {
            t->pages[i]->levels = 0;
            t->pages[i]->is_watched = false;
        }
    }
    t->reached = NULL;
}

// ---- Writes ----

// What is no table any more is watched until it is next written.
bool tables_watch(struct tables *t, uint64_t pa) {
    struct table *table = *slot_of(t, pa);
    if (table == NULL || !table->is_watched)
        return false;
    table->is_watched = table->levels != 0;
    return table->is_watched;
}

void tables_written(struct tables *t, uint64_t pa, uint64_t bytes) {
    bool has_pointer = false;
    while (bytes > 0) {
        struct table *table = *slot_of(t, pa);
        uint64_t part = PAGE_BYTES - pa % PAGE_BYTES;
        part = part < bytes ? part : bytes;
        if (table != NULL && table->levels != 0)
            has_pointer |= tell(t, table, pa, part, false);
        pa += part;
        bytes -= part;
    }
    if (has_pointer)
        tables_find(t);
}
