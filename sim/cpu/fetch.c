// Instructions that the loop does not find decoded.
#include "cpu/fetch.h"
#include "cpu/access.h"
#include "cpu/breakpoints.h"
#include "cpu/code.h"
#include "cpu/decode.h"

void fetch_first(struct hart *h, uint64_t pc, struct operation *op) {
    bool is_last = pc % PAGE_BYTES == PAGE_BYTES - 2;
    uint32_t bits = code_read(h->system, h->code, pc % PAGE_BYTES, is_last ? 2 : 4);
    *op = decode(bits);
    if ((is_last && !is_compressed(bits)) || breakpoints_may_be_at(&h->system->breakpoints, pc))
        op->code = OP_UNCACHED;
}

const struct operation *fetch_uncached(struct hart *h, uint64_t pc) {
    uint32_t bits;
    if (breakpoints_stop(h, pc)) {
        hart_raises(h, PAUSED, pc);
        return NULL;
    }
    if (!access_fetch_instruction(h, pc, &bits))
        return NULL;
    h->uncached = decode(bits);
    return &h->uncached;
}
