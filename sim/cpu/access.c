// Accesses that are not served by what is already known.
#include "cpu/access.h"
#include "cpu/code.h"
#include "cpu/walk.h"

bool access_fails(struct hart *h, uint32_t exception, uint64_t value) {
    h->exception = exception;
    h->exception_value = value;
    return false;
}

// ---- Known addresses ----

void fast_forget(struct hart *h) {
    for (unsigned set = 0; set < FAST_SETS; set++) {
        for (unsigned i = 0; i < FAST_ENTRIES; i++)
            h->sets[set][i].read_tag = h->sets[set][i].write_tag = FAST_NONE;
    }
    code_forget(h);
}

void fast_forget_all(struct system *s) {
    for (unsigned i = 0; i < s->hart_count; i++)
        fast_forget(&s->harts[i]);
}

void fast_select(struct hart *h) {
    enum privilege privilege = access_privilege(h, ACCESS_READ);
    unsigned set = !is_translated(h, privilege) ? FAST_PHYSICAL
                   : privilege == USER          ? FAST_USER
                                                : FAST_SUPERVISOR;
    h->data = &h->sets[set];
}

// Forgets what harts know about the page that has its bytes there, or only that it can be written.
static void forget_page(struct system *s, const uint8_t *bytes, bool forgets_reads) {
    for (unsigned i = 0; i < s->hart_count; i++) {
        for (unsigned j = 0; j < FAST_SETS * FAST_ENTRIES; j++) {
            struct fast_entry *e = &s->harts[i].sets[j / FAST_ENTRIES][j % FAST_ENTRIES];
            if (e->bytes != bytes)
                continue;
            e->write_tag = FAST_NONE;
            if (forgets_reads)
                e->read_tag = FAST_NONE;
        }
    }
}

void fast_forget_writes(struct system *s, uint64_t pa) {
    forget_page(s, paged_read(&s->bus.memory, (pa - MEMORY_START) / PAGE_BYTES), false);
}

// ---- Physical memory ----

uint64_t memory_read(const struct system *s, uint64_t pa, unsigned bytes) {
    uint64_t value = 0, offset = pa - MEMORY_START;
    memcpy(&value, paged_read(&s->bus.memory, offset / PAGE_BYTES) + offset % PAGE_BYTES, bytes);
    return value;
}

// Returns the page's bytes for writing, NULL without memory.
static uint8_t *writable(struct system *s, uint64_t page) {
    const uint8_t *before = paged_read(&s->bus.memory, page);
    uint8_t *bytes = paged_write(&s->bus.memory, page);
    if (bytes == NULL)
        s->bus.is_out_of_memory = true;
    else if (bytes != before)
        forget_page(s, before, true); // the page is elsewhere now
    return bytes;
}

bool memory_write(struct system *s, uint64_t pa, unsigned bytes, uint64_t value) {
    uint64_t offset = pa - MEMORY_START;
    uint8_t *page = writable(s, offset / PAGE_BYTES);
    if (page == NULL)
        return false;
    memcpy(page + offset % PAGE_BYTES, &value, bytes);
    code_written(s, pa, bytes);
    return true;
}

bool memory_fill(struct system *s, uint64_t pa, const void *bytes, uint64_t count) {
    const uint8_t *from = bytes;
    while (count > 0) {
        uint64_t offset = pa - MEMORY_START, part = PAGE_BYTES - offset % PAGE_BYTES;
        if (part > count)
            part = count;
        uint8_t *page = writable(s, offset / PAGE_BYTES);
        if (page == NULL)
            return false;
        memcpy(page + offset % PAGE_BYTES, from, part);
        code_written(s, pa, part);
        from += part;
        pa += part;
        count -= part;
    }
    return true;
}

// ---- Virtual addresses ----

static bool translate(struct hart *h, uint64_t va, enum access access, uint64_t *pa) {
    enum privilege privilege = access_privilege(h, access);
    if (is_translated(h, privilege))
        return walk(h, va, access, privilege, pa);
    *pa = va;
    return true;
}

// From now on, reads of that page of memory, or writes, are quick. Writes of a page with decoded
// instructions are not: each must be seen.
static void remember(struct hart *h, uint64_t va, uint64_t pa, enum access access) {
    struct system *s = h->system;
    struct fast_entry *e = fast_of(h, va);
    uint64_t tag = va & ~(uint64_t)(PAGE_BYTES - 1);
    uint8_t *bytes = (uint8_t *)paged_read(&s->bus.memory, (pa - MEMORY_START) / PAGE_BYTES);
    if (access == ACCESS_WRITE && code_is_in(s, pa))
        return;
    if (e->bytes != bytes || (e->read_tag != tag && e->write_tag != tag))
        e->read_tag = e->write_tag = FAST_NONE;
    if (access == ACCESS_WRITE)
        e->write_tag = tag;
    else
        e->read_tag = tag;
    e->bytes = bytes;
}

// True if a device can be accessed like that: in one piece, of 1, 2, 4 or 8 bytes.
static bool is_whole(uint64_t va, unsigned bytes) {
    return (bytes & (bytes - 1)) == 0 && va % bytes == 0;
}

static bool read_inside_page(struct hart *h, uint64_t va, unsigned bytes, uint64_t *value) {
    uint64_t pa;
    if (!translate(h, va, ACCESS_READ, &pa))
        return false;
    if (bus_is_memory(&h->system->bus, pa, bytes)) {
        *value = memory_read(h->system, pa, bytes);
        remember(h, va, pa, ACCESS_READ);
        return true;
    }
    if (!is_whole(va, bytes) || !bus_read(&h->system->bus, pa, bytes, value))
        return access_fails(h, LOAD_FAULT, va);
    hart_end_turn(h); // what the device does may be due now
    return true;
}

// A range that crosses a page is read in two parts.
bool access_read(struct hart *h, uint64_t va, unsigned bytes, uint64_t *value) {
    unsigned first = PAGE_BYTES - va % PAGE_BYTES;
    if (first >= bytes)
        return read_inside_page(h, va, bytes, value);
    uint64_t low, high;
    if (!read_inside_page(h, va, first, &low) ||
        !read_inside_page(h, va + first, bytes - first, &high))
        return false;
    *value = low | high << 8 * first;
    return true;
}

static bool write_physical(struct hart *h, uint64_t va, uint64_t pa, unsigned bytes,
                           uint64_t value) {
    if (bus_is_memory(&h->system->bus, pa, bytes)) {
        if (!memory_write(h->system, pa, bytes, value))
            return access_fails(h, STORE_FAULT, va);
        remember(h, va, pa, ACCESS_WRITE);
        return true;
    }
    if (!is_whole(va, bytes) || !bus_write(&h->system->bus, pa, bytes, value))
        return access_fails(h, STORE_FAULT, va);
    hart_end_turn(h);
    return true;
}

bool access_write(struct hart *h, uint64_t va, unsigned bytes, uint64_t value) {
    unsigned first = PAGE_BYTES - va % PAGE_BYTES;
    uint64_t low, high;
    if (!translate(h, va, ACCESS_WRITE, &low))
        return false;
    if (first >= bytes)
        return write_physical(h, va, low, bytes, value);
    if (!translate(h, va + first, ACCESS_WRITE, &high))
        return false;
    return write_physical(h, va, low, first, value) &&
           write_physical(h, va + first, high, bytes - first, value >> 8 * first);
}

bool access_atomic(struct hart *h, uint64_t va, unsigned bytes, bool writes, uint64_t *pa) {
    if (va % bytes != 0)
        return access_fails(h, writes ? STORE_MISALIGNED : LOAD_MISALIGNED, va);
    if (!translate(h, va, writes ? ACCESS_WRITE : ACCESS_READ, pa))
        return false;
    if (!bus_is_memory(&h->system->bus, *pa, bytes))
        return access_fails(h, writes ? STORE_FAULT : LOAD_FAULT, va);
    return true;
}

// ---- Instructions ----

static bool fetch_page(struct hart *h, uint64_t pc, uint64_t *pa) {
    if (!translate(h, pc, ACCESS_FETCH, pa))
        return false;
    return bus_is_memory(&h->system->bus, *pa, 2) || access_fails(h, FETCH_FAULT, pc);
}

bool access_fetch(struct hart *h, uint64_t pc) {
    uint64_t pa;
    if (!fetch_page(h, pc, &pa))
        return false;
    h->code = code_find(h->system, pa);
    if (h->code == NULL)
        return access_fails(h, FETCH_FAULT, pc);
    h->code_start = pc & ~(uint64_t)(PAGE_BYTES - 1);
    return true;
}

bool access_fetch_instruction(struct hart *h, uint64_t pc, uint32_t *bits) {
    uint64_t pa, next;
    if (!fetch_page(h, pc, &pa))
        return false;
    *bits = memory_read(h->system, pa, 2);
    if ((*bits & 3) != 3)
        return true;
    if (!fetch_page(h, pc + 2, &next))
        return false;
    *bits |= (uint32_t)memory_read(h->system, next, 2) << 16;
    return true;
}
