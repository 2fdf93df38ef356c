// Memory, as a debugger sees it.
#include "debug/view.h"
#include "cpu/access.h"
#include "cpu/code.h"
#include "cpu/decode.h"
#include "cpu/physical.h"
#include "cpu/translate.h"

// Finds the memory that the hart has at that address.
static bool find(const struct hart *h, enum view_space space, uint64_t address, uint64_t *pa) {
    *pa = address;
    return (space == VIEW_PHYSICAL || translate_peek(h, address, pa)) &&
           bus_is_memory(&h->system->bus, *pa, 1);
}

size_t view_read(const struct hart *h, enum view_space space, uint64_t address, uint8_t *bytes,
                 size_t count) {
    size_t done = 0;
    for (uint64_t pa; done < count && find(h, space, address + done, &pa); done++) {
        uint8_t byte = physical_read(h->system, pa, 1);
        bytes[done] = stores_forward(&h->stores, pa, 1, byte);
    }
    return done;
}

// A reservation would not notice the write.
static void end_reservations(struct system *s) {
    for (unsigned i = 0; i < s->hart_count; i++)
        s->harts[i].r.reserved_address = RESERVED_NONE;
}

bool view_write(struct hart *h, enum view_space space, uint64_t address, const uint8_t *bytes,
                size_t count) {
    uint64_t pa;
    for (size_t i = 0; i < count; i++) {
        if (!find(h, space, address + i, &pa))
            return false;
    }
    access_drain(h); // what waits is older
    end_reservations(h->system);
    for (size_t i = 0; i < count; i++) {
        if (!find(h, space, address + i, &pa) || !physical_write(h->system, pa, 1, bytes[i]))
            return false;
    }
    return true;
}

bool view_instruction(const struct hart *h, uint64_t pc, uint32_t *bits) {
    uint64_t pa;
    if (!find(h, VIEW_VIRTUAL, pc, &pa))
        return false;
    *bits = code_peek(h, pa, 2);
    if (is_compressed(*bits))
        return true;
    if (!find(h, VIEW_VIRTUAL, pc + 2, &pa))
        return false;
    *bits |= code_peek(h, pa, 2) << 16;
    return true;
}
