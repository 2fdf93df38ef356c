// Pages of decoded instructions, a page for each slot of a table.
#include "cpu/code.h"
#include "cpu/access.h"
#include "memory/host.h"

static struct code_page **slot_of(const struct system *s, uint64_t pa) {
    return (struct code_page **)&s->code.pages[pa / PAGE_BYTES % CODE_PAGES];
}

bool code_is_in(const struct system *s, uint64_t pa) {
    const struct code_page *code = *slot_of(s, pa);
    return code != NULL && code->page == pa / PAGE_BYTES;
}

struct code_page *code_find(struct system *s, uint64_t pa) {
    struct code_page **slot = slot_of(s, pa);
    if (code_is_in(s, pa))
        return *slot;
    if (*slot == NULL)
        *slot = host_alloc(sizeof **slot);
    if (*slot == NULL) {
        s->bus.is_out_of_memory = true;
        return NULL;
    }
    // Harts may be executing what was in this slot.
    for (unsigned i = 0; i < s->hart_count; i++)
        code_forget(&s->harts[i]);
    memset((*slot)->operations, 0, sizeof(*slot)->operations);
    (*slot)->page = pa / PAGE_BYTES;
    fast_forget_writes(s, pa);
    return *slot;
}

// An instruction of 4 bytes may begin 2 bytes before.
void code_written(struct system *s, uint64_t pa, uint64_t bytes) {
    if (!code_is_in(s, pa))
        return;
    struct operation *operations = (*slot_of(s, pa))->operations;
    uint64_t offset = pa % PAGE_BYTES, last = (offset + bytes - 1) / 2;
    for (uint64_t i = offset >= 2 ? offset / 2 - 1 : 0; i <= last; i++)
        operations[i].code = NOT_DECODED;
}

void code_drop(struct system *s) {
    for (unsigned i = 0; i < CODE_PAGES; i++) {
        if (s->code.pages[i] != NULL)
            s->code.pages[i]->page = UINT64_MAX;
    }
    fast_forget_all(s);
}

void code_destroy(struct system *s) {
    for (unsigned i = 0; i < CODE_PAGES; i++)
        host_free(s->code.pages[i]);
}
