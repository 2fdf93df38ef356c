// Traps.
#include "cpu/trap.h"
#include "cpu/fast.h"

static void set_privilege(struct hart *h, enum privilege privilege) {
    h->r.privilege = privilege;
    fast_select(h);
    code_forget(h);
}

// Returns where the handler is; interrupts may have a vector each.
static uint64_t handler(uint64_t vector, uint64_t cause) {
    uint64_t base = vector & ~UINT64_C(3);
    bool is_vectored = (vector & 1) && (cause & CAUSE_INTERRUPT);
    return is_vectored ? base + 4 * (cause & ~CAUSE_INTERRUPT) : base;
}

static bool is_delegated(const struct hart *h, uint64_t cause) {
    uint64_t delegation =
        cause & CAUSE_INTERRUPT ? h->r.interrupt_delegation : h->r.exception_delegation;
    return h->r.privilege != MACHINE && (delegation >> (cause & 63) & 1);
}

static void enter_supervisor(struct hart *h, uint64_t cause, uint64_t value) {
    struct registers *r = &h->r;
    r->sepc = r->pc;
    r->scause = cause;
    r->stval = value;
    uint64_t status = r->status & ~(STATUS_SPIE | STATUS_SPP | STATUS_SIE);
    status |= r->status & STATUS_SIE ? STATUS_SPIE : 0;
    status |= r->privilege == SUPERVISOR ? STATUS_SPP : 0;
    r->status = status;
    r->pc = handler(r->stvec, cause);
    set_privilege(h, SUPERVISOR);
}

static void enter_machine(struct hart *h, uint64_t cause, uint64_t value) {
    struct registers *r = &h->r;
    r->mepc = r->pc;
    r->mcause = cause;
    r->mtval = value;
    uint64_t status = r->status & ~(STATUS_MPIE | STATUS_MPP | STATUS_MIE);
    status |= r->status & STATUS_MIE ? STATUS_MPIE : 0;
    status |= (uint64_t)r->privilege << STATUS_MPP_SHIFT;
    r->status = status;
    r->pc = handler(r->mtvec, cause);
    set_privilege(h, MACHINE);
}

void trap_enter(struct hart *h, uint64_t cause, uint64_t value) {
    if (is_delegated(h, cause))
        enter_supervisor(h, cause, value);
    else
        enter_machine(h, cause, value);
    struct listener *l = h->system->listener;
    if (l != NULL && l->trapped != NULL)
        l->trapped(l, h, cause, value);
}

static uint64_t pending(const struct hart *h) {
    return (h->r.interrupt_pending | h->r.interrupt_lines) & h->r.interrupt_enable;
}

bool trap_wakes(const struct hart *h) {
    return pending(h) != 0;
}

unsigned trap_pending(const struct hart *h) {
    static const uint8_t by_priority[] = {
        EXTERNAL_M, SOFTWARE_M, TIMER_M, EXTERNAL_S, SOFTWARE_S, TIMER_S,
    };
    uint64_t for_machine = pending(h) & ~h->r.interrupt_delegation;
    uint64_t for_supervisor = pending(h) & h->r.interrupt_delegation;
    if (h->r.privilege == MACHINE && !(h->r.status & STATUS_MIE))
        for_machine = 0;
    if (h->r.privilege == MACHINE || (h->r.privilege == SUPERVISOR && !(h->r.status & STATUS_SIE)))
        for_supervisor = 0;
    uint64_t taken = for_machine != 0 ? for_machine : for_supervisor;
    for (unsigned i = 0; taken != 0 && i < sizeof by_priority; i++) {
        if (taken & BIT(by_priority[i]))
            return by_priority[i];
    }
    return 0;
}

bool trap_return_machine(struct hart *h) {
    struct registers *r = &h->r;
    if (r->privilege != MACHINE)
        return false;
    enum privilege to = (r->status & STATUS_MPP) >> STATUS_MPP_SHIFT;
    uint64_t status = r->status & ~(STATUS_MIE | STATUS_MPP);
    status |= (r->status & STATUS_MPIE ? STATUS_MIE : 0) | STATUS_MPIE;
    if (to != MACHINE)
        status &= ~STATUS_MPRV;
    r->status = status;
    r->pc = r->mepc;
    set_privilege(h, to);
    return true;
}

bool trap_return_supervisor(struct hart *h) {
    struct registers *r = &h->r;
    if (r->privilege == USER || (r->privilege == SUPERVISOR && (r->status & STATUS_TSR)))
        return false;
    enum privilege to = r->status & STATUS_SPP ? SUPERVISOR : USER;
    uint64_t status = r->status & ~(STATUS_SIE | STATUS_SPP);
    status |= (r->status & STATUS_SPIE ? STATUS_SIE : 0) | STATUS_SPIE;
    r->status = status & ~STATUS_MPRV;
    r->pc = r->sepc;
    set_privilege(h, to);
    return true;
}
