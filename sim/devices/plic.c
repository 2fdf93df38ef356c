// The interrupt controller.
#include "devices/plic.h"

enum {
    PENDING = 0x1000,
    ENABLE = 0x2000,
    ENABLE_STRIDE = 0x80,
    CONTEXT = 0x200000,
    CONTEXT_STRIDE = 0x1000,
    PRIORITY_MAX = 7,
    LATE_MAX = 1000, // instructions: 10 us
};

static bool bit(const uint32_t *words, unsigned n) {
    return words[n / 32] >> n % 32 & 1;
}

static void set_bit(uint32_t *words, unsigned n, bool value) {
    words[n / 32] = (words[n / 32] & ~(1u << n % 32)) | (uint32_t)value << n % 32;
}

// Returns the interrupt that the context gets next, 0 if there is none: of those with the highest
// priority, the first.
static unsigned best(const struct plic *p, unsigned context) {
    unsigned found = 0;
    uint32_t priority = p->r.threshold[context];
    for (unsigned word = 0; word < PLIC_WORDS; word++) {
        uint32_t candidates = p->r.pending[word] & ~p->r.claimed[word] & p->r.enable[context][word];
        for (unsigned i = 0; i < 32 && candidates >> i != 0; i++) {
            unsigned irq = word * 32 + i;
            if ((candidates >> i & 1) && p->r.priority[irq] > priority) {
                found = irq;
                priority = p->r.priority[irq];
            }
        }
    }
    return found;
}

static void set_line(struct plic *p, unsigned context, bool level) {
    struct registers *hart = &p->system->harts[context / 2].r;
    uint64_t line = BIT(context % 2 == 0 ? EXTERNAL_M : EXTERNAL_S);
    hart->interrupt_lines = level ? hart->interrupt_lines | line : hart->interrupt_lines & ~line;
}

static bool is_line_set(const struct plic *p, unsigned context) {
    uint64_t line = BIT(context % 2 == 0 ? EXTERNAL_M : EXTERNAL_S);
    return (p->system->harts[context / 2].r.interrupt_lines & line) != 0;
}

// Tells the harts whether they have interrupts. This may take a while: what they hear late is that
// there is one, or that another hart has claimed it; then the claim finds none.
static void update(struct plic *p) {
    bool varies = (p->system->profile & PROFILE_TIMING) != 0;
    for (unsigned i = 0; i < 2 * p->system->hart_count; i++) {
        bool level = best(p, i) != 0;
        if (!varies)
            set_line(p, i, level);
        else if (level == is_line_set(p, i))
            p->r.due[i] = 0;
        else if (p->r.due[i] == 0)
            p->r.due[i] = system_now(p->system) + 1 + system_random(p->system) % LATE_MAX;
    }
}

uint64_t plic_update(struct plic *p) {
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < 2 * p->system->hart_count; i++) {
        uint64_t due = p->r.due[i];
        if (due != 0 && due <= p->system->time) {
            set_line(p, i, best(p, i) != 0);
            p->r.due[i] = 0;
        } else if (due != 0 && due < next) {
            next = due;
        }
    }
    return next;
}

// One that is being served can be pending again, for when it has been completed.
void plic_set(struct plic *p, unsigned irq, bool asks) {
    set_bit(p->r.pending, irq, asks);
    update(p);
}

static uint32_t claim(struct plic *p, unsigned context) {
    unsigned irq = best(p, context);
    if (irq != 0) {
        set_bit(p->r.pending, irq, false);
        set_bit(p->r.claimed, irq, true);
    }
    return irq;
}

static void complete(struct plic *p, unsigned context, uint32_t irq) {
    if (irq == 0 || irq >= PLIC_SOURCES || !bit(p->r.enable[context], irq))
        return;
    set_bit(p->r.claimed, irq, false);
}

// Returns the register at that offset, NULL if there is none, or if it is not a plain one.
static uint32_t *plain_register(struct plic *p, uint64_t offset) {
    if (offset < PLIC_SOURCES * 4)
        return &p->r.priority[offset / 4];
    if (offset - PENDING < PLIC_WORDS * 4)
        return &p->r.pending[(offset - PENDING) / 4];
    uint64_t context = (offset - ENABLE) / ENABLE_STRIDE, place = offset % ENABLE_STRIDE;
    if (offset >= ENABLE && context < PLIC_CONTEXTS && place < PLIC_WORDS * 4)
        return &p->r.enable[context][place / 4];
    context = (offset - CONTEXT) / CONTEXT_STRIDE;
    if (offset >= CONTEXT && context < PLIC_CONTEXTS && offset % CONTEXT_STRIDE == 0)
        return &p->r.threshold[context];
    return NULL;
}

// Returns the context whose claim register is at that offset, PLIC_CONTEXTS if it is none.
static unsigned claim_context(uint64_t offset) {
    uint64_t context = (offset - CONTEXT) / CONTEXT_STRIDE;
    bool is_claim = offset >= CONTEXT && offset % CONTEXT_STRIDE == 4;
    return is_claim && context < PLIC_CONTEXTS ? context : PLIC_CONTEXTS;
}

static bool read(void *device, uint64_t offset, unsigned bytes, uint64_t *value) {
    struct plic *p = device;
    unsigned context = claim_context(offset);
    const uint32_t *plain = plain_register(p, offset);
    if (bytes != 4)
        return false;
    *value = context < PLIC_CONTEXTS ? claim(p, context) : plain != NULL ? *plain : 0;
    update(p);
    return true;
}

static bool write(void *device, uint64_t offset, unsigned bytes, uint64_t value) {
    struct plic *p = device;
    unsigned context = claim_context(offset);
    uint32_t *plain = plain_register(p, offset);
    if (bytes != 4)
        return false;
    if (context < PLIC_CONTEXTS)
        complete(p, context, value);
    else if (plain != NULL && offset < PENDING)
        *plain = offset != 0 ? value & PRIORITY_MAX : 0; // there is no interrupt 0
    else if (plain != NULL && offset >= CONTEXT)
        *plain = value & PRIORITY_MAX;
    else if (plain != NULL && offset >= ENABLE)
        *plain = offset % ENABLE_STRIDE == 0 ? value & ~1u : value;
    update(p);
    return true;
}

void plic_init(struct plic *p, struct system *system) {
    *p = (struct plic){.system = system};
    bus_add(&system->bus, (struct bus_device){PLIC_START, PLIC_BYTES, read, write, p});
}
