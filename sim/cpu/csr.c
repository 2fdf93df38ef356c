// Control and status registers. Most hold what is written, but for some bits; the others are parts
// of other registers, or have effects.
#include "cpu/csr.h"
#include "cpu/fast.h"
#include "cpu/translate.h"
#include "cpu/trap.h"

#define ALL UINT64_MAX
#define ISA \
    (UINT64_C(2) << 62 | BIT('A' - 'A') | BIT('C' - 'A') | BIT('I' - 'A') | BIT('M' - 'A') | \
     BIT('S' - 'A') | BIT('U' - 'A'))
#define COUNTERS UINT64_C(7) // cycle, time and instret
#define DELEGABLE UINT64_C(0xb3ff)

#define SSTATUS_WRITABLE (STATUS_SIE | STATUS_SPIE | STATUS_SPP | STATUS_SUM | STATUS_MXR)
#define MSTATUS_WRITABLE \
    (SSTATUS_WRITABLE | STATUS_MIE | STATUS_MPIE | STATUS_MPP | STATUS_MPRV | STATUS_TVM | \
     STATUS_TW | STATUS_TSR)
#define SSTATUS_BITS (SSTATUS_WRITABLE | UINT64_C(3) << 32)

// ---- Registers that hold what is written ----

struct plain {
    uint16_t number;
    uint16_t offset; // in struct registers
    uint64_t writable;
};

#define PLAIN(number, name, writable) \
    { number, offsetof(struct registers, name), writable }

static const struct plain plain_registers[] = {
    PLAIN(CSR_STVEC, stvec, ~UINT64_C(2)),
    PLAIN(CSR_SCOUNTEREN, scounteren, COUNTERS),
    PLAIN(CSR_SENVCFG, senvcfg, ENVIRONMENT_FIOM),
    PLAIN(CSR_SSCRATCH, sscratch, ALL),
    PLAIN(CSR_SEPC, sepc, ~UINT64_C(1)),
    PLAIN(CSR_SCAUSE, scause, ALL),
    PLAIN(CSR_STVAL, stval, ALL),
    PLAIN(CSR_STIMECMP, stimecmp, ALL),
    PLAIN(CSR_MEDELEG, exception_delegation, DELEGABLE),
    PLAIN(CSR_MIDELEG, interrupt_delegation, SUPERVISOR_INTERRUPTS),
    PLAIN(CSR_MIE, interrupt_enable, SUPERVISOR_INTERRUPTS | MACHINE_INTERRUPTS),
    PLAIN(CSR_MTVEC, mtvec, ~UINT64_C(2)),
    PLAIN(CSR_MCOUNTEREN, mcounteren, COUNTERS),
    PLAIN(CSR_MENVCFG, menvcfg, ENVIRONMENT_STCE | ENVIRONMENT_FIOM),
    PLAIN(CSR_MSCRATCH, mscratch, ALL),
    PLAIN(CSR_MEPC, mepc, ~UINT64_C(1)),
    PLAIN(CSR_MCAUSE, mcause, ALL),
    PLAIN(CSR_MTVAL, mtval, ALL),
};

static const struct plain *plain_find(unsigned number) {
    for (size_t i = 0; i < sizeof plain_registers / sizeof plain_registers[0]; i++) {
        if (plain_registers[i].number == number)
            return &plain_registers[i];
    }
    return NULL;
}

static uint64_t *plain_value(struct hart *h, const struct plain *p) {
    return (uint64_t *)((char *)&h->r + p->offset);
}

// ---- Who may read what ----

// User programs may read counters that both other modes allow.
static bool is_counter_allowed(const struct hart *h, unsigned counter) {
    if (h->r.privilege == MACHINE)
        return true;
    bool is_allowed = h->r.mcounteren >> counter & 1;
    return is_allowed && (h->r.privilege == SUPERVISOR || (h->r.scounteren >> counter & 1));
}

static bool is_allowed(const struct hart *h, unsigned number, bool writes) {
    if (h->r.privilege < (number >> 8 & 3) || (writes && number >> 10 == 3))
        return false;
    if (number == CSR_SATP)
        return h->r.privilege == MACHINE || !(h->r.status & STATUS_TVM);
    if (number == CSR_STIMECMP && h->r.privilege != MACHINE)
        return (h->r.menvcfg & ENVIRONMENT_STCE) && is_counter_allowed(h, CSR_TIME & 31);
    if (number >= CSR_CYCLE && number <= CSR_HPMCOUNTER31)
        return is_counter_allowed(h, number & 31);
    return true;
}

// ---- Reading ----

static bool is_between(unsigned number, unsigned first, unsigned last) {
    return number >= first && number <= last;
}

// Counters of events, and protection of physical memory: there are none.
static bool is_zero(unsigned number) {
    return is_between(number, CSR_MHPMEVENT3, CSR_MHPMEVENT31) ||
           is_between(number, CSR_MHPMCOUNTER3, CSR_MHPMCOUNTER31) ||
           is_between(number, CSR_PMPADDR0, CSR_PMPADDR63) ||
           (is_between(number, CSR_PMPCFG0, CSR_PMPCFG15) && number % 2 == 0) ||
           is_between(number, CSR_MVENDORID, CSR_MIMPID) || number == CSR_MCONFIGPTR ||
           number == CSR_MCOUNTINHIBIT;
}

// An instruction that reads a counter is not yet counted there.
static bool read_counter(struct hart *h, unsigned number, uint64_t *value) {
    uint64_t retired = h->r.retired + hart_executed(h) - 1;
    switch (number) {
    case CSR_CYCLE:
    case CSR_MCYCLE:
        *value = retired + h->r.cycle_offset;
        return true;
    case CSR_INSTRET:
    case CSR_MINSTRET:
        *value = retired;
        return true;
    case CSR_TIME:
        *value = system_ticks(h->system);
        return true;
    }
    *value = 0;
    return is_zero(number);
}

static bool special_read(struct hart *h, unsigned number, uint64_t *value) {
    const struct registers *r = &h->r;
    switch (number) {
    case CSR_SSTATUS:
        *value = (r->status | STATUS_WIDTHS) & SSTATUS_BITS;
        return true;
    case CSR_SIE:
        *value = r->interrupt_enable & r->interrupt_delegation;
        return true;
    case CSR_SIP:
        *value = (r->interrupt_pending | r->interrupt_lines) & r->interrupt_delegation;
        return true;
    case CSR_SATP:
        *value = r->satp;
        return true;
    case CSR_MSTATUS:
        *value = r->status | STATUS_WIDTHS;
        return true;
    case CSR_MISA:
        *value = ISA;
        return true;
    case CSR_MIP:
        *value = r->interrupt_pending | r->interrupt_lines;
        return true;
    case CSR_MHARTID:
        *value = r->id;
        return true;
    }
    return read_counter(h, number, value);
}

bool csr_read(struct hart *h, unsigned number, bool writes, uint64_t *value) {
    if (!is_allowed(h, number, writes))
        return false;
    const struct plain *plain = plain_find(number);
    if (plain == NULL)
        return special_read(h, number, value);
    *value = *plain_value(h, plain);
    return true;
}

uint64_t csr_base(const struct hart *h, unsigned number, uint64_t read) {
    return number == CSR_MIP ? h->r.interrupt_pending : read;
}

// ---- Writing ----

static uint64_t merge(uint64_t old, uint64_t value, uint64_t writable) {
    return (old & ~writable) | (value & writable);
}

static void write_status(struct hart *h, uint64_t value, uint64_t writable) {
    uint64_t old = h->r.status, now = merge(old, value, writable);
    if ((now & STATUS_MPP) == UINT64_C(2) << STATUS_MPP_SHIFT) // there is no such mode
        now = merge(now, old, STATUS_MPP);
    h->r.status = now;
    if ((old ^ now) & (STATUS_SUM | STATUS_MXR | STATUS_MPRV | STATUS_MPP))
        translate_switch(h); // they change what known pages allow
}

static void write_satp(struct hart *h, uint64_t value) {
    uint64_t mode = value & SATP_MODE;
    uint64_t before = h->r.satp;
    if ((mode != 0 && mode != SATP_SV39) || value == before)
        return;
    h->r.satp = value;
    translate_switch(h);
    struct listener *l = h->system->listener;
    if (l != NULL && l->switched != NULL)
        l->switched(l, h, before);
}

// The bits of mip that software in machine mode can write: that of the timer only as long as the
// timer does not set it.
static uint64_t pending_writable(const struct hart *h) {
    return h->r.menvcfg & ENVIRONMENT_STCE ? SUPERVISOR_INTERRUPTS & ~BIT(TIMER_S)
                                           : SUPERVISOR_INTERRUPTS;
}

static bool special_write(struct hart *h, unsigned number, uint64_t value) {
    struct registers *r = &h->r;
    switch (number) {
    case CSR_SSTATUS:
        write_status(h, value, SSTATUS_WRITABLE);
        return true;
    case CSR_MSTATUS:
        write_status(h, value, MSTATUS_WRITABLE);
        return true;
    case CSR_SIE:
        r->interrupt_enable = merge(r->interrupt_enable, value, r->interrupt_delegation);
        return true;
    case CSR_SIP:
        r->interrupt_pending =
            merge(r->interrupt_pending, value, r->interrupt_delegation & BIT(SOFTWARE_S));
        return true;
    case CSR_MIP:
        r->interrupt_pending = merge(r->interrupt_pending, value, pending_writable(h));
        return true;
    case CSR_SATP:
        write_satp(h, value);
        return true;
    case CSR_MCYCLE:
        r->cycle_offset = value - r->retired - hart_executed(h);
        return true;
    case CSR_MINSTRET:
        r->cycle_offset += r->retired + hart_executed(h) - value;
        r->retired = value - hart_executed(h);
        return true;
    }
    return number == CSR_MISA || is_zero(number);
}

bool csr_write(struct hart *h, unsigned number, uint64_t value) {
    if (!is_allowed(h, number, true))
        return false;
    const struct plain *plain = plain_find(number);
    if (plain != NULL)
        *plain_value(h, plain) = merge(*plain_value(h, plain), value, plain->writable);
    else if (!special_write(h, number, value))
        return false;
    if (h->r.menvcfg & ENVIRONMENT_STCE)
        h->r.interrupt_pending &= ~BIT(TIMER_S); // from now on, only the timer sets it
    if (number == CSR_STIMECMP || number == CSR_MENVCFG || trap_pending(h) != 0)
        hart_end_turn(h); // an interrupt may be due now
    return true;
}
