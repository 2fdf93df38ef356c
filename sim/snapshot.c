// The machine's whole state is the registers of harts and devices, memory, and disk.
#include "snapshot.h"
#include "cpu/code.h"
#include "cpu/fast.h"
#include "memory/hash.h"
#include "memory/host.h"

#include <assert.h>
#include <string.h>

enum { PARTS = 9 + 3 * HARTS_MAX };

// The structures have no gaps, whose bytes could be anything.
static_assert(sizeof(struct registers) == 8 * (INTEGER_REGISTERS + 30), "no gaps");
static_assert(sizeof(struct translation) == 40, "no gaps");
static_assert(sizeof(struct virtio_registers) == 4 * 14 + 8 * (3 + 2 * VIRTIO_IN_FLIGHT),
              "no gaps");

struct part {
    void *bytes;
    size_t size;
};

// All that is in pages.
enum { PAGED = 4 };

struct all_pages {
    struct paged of[PAGED];
};

struct snapshot {
    struct all_pages pages;
    struct code_kept *code; // of code_places
    size_t places;
    size_t size;
    uint8_t bytes[]; // of the parts, one after the other
};

// Lists all that is not in pages; returns how many parts there are.
static unsigned list_parts(struct machine *m, struct part parts[PARTS]) {
    unsigned n = 0;
    parts[n++] = (struct part){&m->system.time, sizeof m->system.time};
    parts[n++] = (struct part){&m->turns, sizeof m->turns};
    parts[n++] = (struct part){&m->clint.r, sizeof m->clint.r};
    parts[n++] = (struct part){&m->plic.r, sizeof m->plic.r};
    parts[n++] = (struct part){&m->uart.r, sizeof m->uart.r};
    parts[n++] = (struct part){&m->finisher.written, sizeof m->finisher.written};
    parts[n++] = (struct part){&m->slots[0].r, sizeof m->slots[0].r};
    parts[n++] = (struct part){&m->system.random, sizeof m->system.random};
    parts[n++] = (struct part){&m->schedule.state, sizeof m->schedule.state};
    for (unsigned i = 0; i < m->system.hart_count; i++) {
        struct hart *h = &m->system.harts[i];
        parts[n++] = (struct part){&h->r, sizeof h->r};
        parts[n++] = (struct part){&h->tlb, sizeof h->tlb};
        parts[n++] = (struct part){&h->stores, sizeof h->stores};
    }
    return n;
}

static void list_pages(struct machine *m, struct paged *pages[PAGED]) {
    pages[0] = &m->system.bus.memory;
    pages[1] = &m->disk;
    pages[2] = &m->medium.pages;
    pages[3] = &m->medium.flushing;
}

static void pages_destroy(struct all_pages *pages) {
    for (unsigned i = 0; i < PAGED; i++)
        paged_destroy(&pages->of[i]);
}

// Makes `to` a copy of what is listed. Returns false without memory; then `to` is empty.
static bool pages_copy(struct all_pages *to, const struct paged *const from[PAGED]) {
    *to = (struct all_pages){0};
    for (unsigned i = 0; i < PAGED; i++) {
        if (!paged_copy(&to->of[i], from[i])) {
            pages_destroy(to);
            return false;
        }
    }
    return true;
}

static size_t parts_size(const struct part *parts, unsigned count) {
    size_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += parts[i].size;
    return size;
}

void snapshot_free(struct snapshot *snapshot) {
    if (snapshot == NULL)
        return;
    pages_destroy(&snapshot->pages);
    code_release(snapshot->code, snapshot->places);
    host_free(snapshot->code);
    host_free(snapshot);
}

struct snapshot *snapshot_take(struct machine *m) {
    struct part parts[PARTS];
    struct paged *pages[PAGED];
    unsigned count = list_parts(m, parts);
    size_t size = parts_size(parts, count);
    struct snapshot *s = host_alloc(sizeof *s + size);
    if (s == NULL)
        return NULL;
    s->size = size;
    s->code = host_alloc((code_places(&m->system) + 1) * sizeof s->code[0]); // never 0 bytes
    list_pages(m, pages);
    if (s->code == NULL || !pages_copy(&s->pages, (const struct paged *const *)pages)) {
        snapshot_free(s);
        return NULL;
    }
    s->places = code_places(&m->system);
    code_keep(&m->system, s->code);
    uint8_t *to = s->bytes;
    for (unsigned i = 0; i < count; i++) {
        memcpy(to, parts[i].bytes, parts[i].size);
        to += parts[i].size;
    }
    fast_forget_all(&m->system); // no page may be written without being copied first
    return s;
}

// Gives the machine copies of the snapshot's pages.
static bool restore_pages(struct machine *m, const struct snapshot *snapshot) {
    struct paged *pages[PAGED];
    const struct paged *kept[PAGED];
    struct all_pages copies;
    for (unsigned i = 0; i < PAGED; i++)
        kept[i] = &snapshot->pages.of[i];
    if (!pages_copy(&copies, kept))
        return false;
    list_pages(m, pages);
    for (unsigned i = 0; i < PAGED; i++) {
        paged_destroy(pages[i]);
        *pages[i] = copies.of[i];
    }
    m->system.bus.is_out_of_memory = false;
    return true;
}

bool snapshot_restore(struct machine *m, const struct snapshot *snapshot) {
    struct part parts[PARTS];
    unsigned count = list_parts(m, parts);
    if (parts_size(parts, count) != snapshot->size ||
        paged_bytes(&snapshot->pages.of[0]) != m->settings.memory_bytes ||
        !restore_pages(m, snapshot))
        return false;
    const uint8_t *from = snapshot->bytes;
    for (unsigned i = 0; i < count; i++) {
        memcpy(parts[i].bytes, from, parts[i].size);
        from += parts[i].size;
    }
    if (!code_restore(&m->system, snapshot->code))
        return false;
    fast_forget_all(&m->system);
    for (unsigned i = 0; i < m->system.hart_count; i++)
        fast_select(&m->system.harts[i]);
    return true;
}

uint64_t snapshot_hash(const struct machine *m) {
    struct part parts[PARTS];
    struct paged *pages[PAGED];
    unsigned count = list_parts((struct machine *)m, parts);
    struct hash h = {0};
    for (unsigned i = 0; i < count; i++)
        hash_bytes(&h, parts[i].bytes, parts[i].size);
    code_hash(&m->system, &h);
    list_pages((struct machine *)m, pages);
    for (unsigned i = 0; i < PAGED; i++)
        hash_paged(&h, pages[i]);
    return h.value;
}
