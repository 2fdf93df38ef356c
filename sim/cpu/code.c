// Pages of decoded instructions, a page for each slot of a table.
#include "cpu/code.h"
#include "cpu/fast.h"
#include "memory/host.h"

#include <string.h>

static bool is_incoherent(const struct system *s) {
    return (s->profile & PROFILE_ICACHE) != 0;
}

void code_init(struct hart *h) {
    h->code_cache = &h->system->code[is_incoherent(h->system) ? h->r.id : 0];
    code_forget(h);
}

static uint64_t memory_page(uint64_t page) {
    return page - MEMORY_START / PAGE_BYTES;
}

// ---- Slots ----

static struct code_page **slot_of(const struct code_cache *cache, uint64_t pa) {
    return (struct code_page **)&cache->pages[pa / PAGE_BYTES % CODE_PAGES];
}

static bool is_for(const struct code_page *code, uint64_t pa) {
    return code != NULL && code->page == pa / PAGE_BYTES;
}

static void clear(struct code_page *code) {
    if (code == NULL)
        return;
    page_put(code->held);
    code->held = NULL;
    code->page = CODE_NO_PAGE;
}

// Harts may be executing what is in a slot that changes.
static void forget_places(struct hart *h) {
    if (is_incoherent(h->system)) {
        code_forget(h);
        return;
    }
    for (unsigned i = 0; i < h->system->hart_count; i++)
        code_forget(&h->system->harts[i]);
}

// Makes a slot ready for a page; returns NULL without memory.
static struct code_page *fill(struct system *s, struct code_page **slot, uint64_t page) {
    if (*slot == NULL)
        *slot = host_alloc(sizeof **slot);
    else
        clear(*slot);
    if (*slot == NULL) {
        s->bus.is_out_of_memory = true;
        return NULL;
    }
    memset((*slot)->operations, 0, sizeof(*slot)->operations);
    (*slot)->page = page;
    return *slot;
}

struct code_page *code_find(struct hart *h, uint64_t pa) {
    struct system *s = h->system;
    struct code_page **slot = slot_of(h->code_cache, pa);
    if (is_for(*slot, pa))
        return *slot;
    forget_places(h);
    struct code_page *code = fill(s, slot, pa / PAGE_BYTES);
    if (code == NULL)
        return NULL;
    // The next write must be seen, or must leave these bytes as they are.
    fast_forget_bytes(s, paged_read(&s->bus.memory, memory_page(code->page)), FAST_WRITES);
    if (is_incoherent(s))
        code->held = paged_get(&s->bus.memory, memory_page(code->page));
    return code;
}

uint32_t code_read(const struct system *s, const struct code_page *code, unsigned offset,
                   unsigned bytes) {
    uint32_t bits = 0;
    if (code->held != NULL)
        memcpy(&bits, code->held->bytes + offset, bytes);
    else if (!is_incoherent(s))
        memcpy(&bits, paged_read(&s->bus.memory, memory_page(code->page)) + offset, bytes);
    return bits;
}

uint32_t code_peek(const struct hart *h, uint64_t pa, unsigned bytes) {
    const struct system *s = h->system;
    const struct code_page *code = *slot_of(h->code_cache, pa);
    uint32_t bits = 0;
    if (is_for(code, pa))
        return code_read(s, code, pa % PAGE_BYTES, bytes);
    memcpy(&bits, paged_read(&s->bus.memory, memory_page(pa / PAGE_BYTES)) + pa % PAGE_BYTES,
           bytes);
    return bits;
}

void code_decode_again(struct system *s, uint64_t pc) {
    for (unsigned i = 0; i < HARTS_MAX * CODE_PAGES; i++) {
        struct code_page *code = s->code[i / CODE_PAGES].pages[i % CODE_PAGES];
        if (code != NULL)
            code->operations[pc % PAGE_BYTES / 2].code = NOT_DECODED;
    }
}

// ---- Writes, and fences ----

bool code_is_in(const struct system *s, uint64_t pa) {
    return !is_incoherent(s) && is_for(*slot_of(&s->code[0], pa), pa);
}

// An instruction of 4 bytes may begin 2 bytes before.
void code_written(struct system *s, uint64_t pa, uint64_t bytes) {
    if (!code_is_in(s, pa))
        return;
    struct operation *operations = (*slot_of(&s->code[0], pa))->operations;
    uint64_t offset = pa % PAGE_BYTES, last = (offset + bytes - 1) / 2;
    for (uint64_t i = offset >= 2 ? offset / 2 - 1 : 0; i <= last; i++)
        operations[i].code = NOT_DECODED;
}

static void clear_cache(struct code_cache *cache) {
    for (unsigned i = 0; i < CODE_PAGES; i++)
        clear(cache->pages[i]);
}

void code_fence(struct hart *h) {
    struct listener *l = h->system->listener;
    if (l != NULL && l->fenced_code != NULL)
        l->fenced_code(l, h);
    if (!is_incoherent(h->system))
        return;
    clear_cache(h->code_cache);
    code_forget(h);
}

void code_tick(struct hart *h) {
    uint64_t random = is_incoherent(h->system) ? system_random(h->system) >> 32 : 0;
    if (random / 8 % 8 != 1) // mostly, nothing happens
        return;
    for (unsigned i = random % 8; i < CODE_PAGES; i += 8)
        clear(h->code_cache->pages[i]);
    code_forget(h);
}

void code_drop(struct system *s) {
    for (unsigned i = 0; i < HARTS_MAX; i++)
        clear_cache(&s->code[i]);
    for (unsigned i = 0; i < s->hart_count; i++)
        code_forget(&s->harts[i]);
}

void code_destroy(struct system *s) {
    code_drop(s);
    for (unsigned i = 0; i < HARTS_MAX * CODE_PAGES; i++)
        host_free(s->code[i / CODE_PAGES].pages[i % CODE_PAGES]);
}

// ---- Snapshots ----

size_t code_places(const struct system *s) {
    return is_incoherent(s) ? s->hart_count * CODE_PAGES : 0;
}

static struct code_page **place(const struct system *s, size_t i) {
    return (struct code_page **)&s->code[i / CODE_PAGES].pages[i % CODE_PAGES];
}

void code_keep(const struct system *s, struct code_kept kept[]) {
    for (size_t i = 0; i < code_places(s); i++) {
        const struct code_page *code = *place(s, i);
        kept[i].page = code != NULL ? code->page : CODE_NO_PAGE;
        kept[i].held = code != NULL ? page_get(code->held) : NULL;
    }
}

bool code_restore(struct system *s, const struct code_kept kept[]) {
    code_drop(s);
    for (size_t i = 0; i < code_places(s); i++) {
        if (kept[i].page == CODE_NO_PAGE)
            continue;
        struct code_page *code = fill(s, place(s, i), kept[i].page);
        if (code == NULL)
            return false;
        code->held = page_get(kept[i].held);
    }
    return true;
}

void code_release(struct code_kept kept[], size_t places) {
    for (size_t i = 0; i < places; i++)
        page_put(kept[i].held);
}

void code_hash(const struct system *s, struct hash *hash) {
    for (size_t i = 0; i < code_places(s); i++) {
        const struct code_page *code = *place(s, i);
        if (code == NULL || code->page == CODE_NO_PAGE)
            continue;
        hash_bytes(hash, &code->page, sizeof code->page);
        if (code->held != NULL)
            hash_bytes(hash, code->held->bytes, PAGE_BYTES);
    }
}
