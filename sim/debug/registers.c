// Registers, as a debugger sees them.
#include "debug/registers.h"
#include "cpu/csr.h"
#include "cpu/fast.h"

enum { GENERAL = 32, CSRS = 4096 };

const char *registers_name(unsigned number) {
    static const char *const names[GENERAL] = {
        "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
        "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
        "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    };
    return names[number < GENERAL ? number : 0];
}

static bool is_counter(unsigned number) {
    return number == CSR_CYCLE || number == CSR_INSTRET || number == CSR_MCYCLE ||
           number == CSR_MINSTRET;
}

// An instruction that reads a counter counts itself first, and takes that away again.
static bool read_csr(struct hart *h, unsigned number, uint64_t *value) {
    uint32_t privilege = h->r.privilege;
    h->r.privilege = MACHINE; // may read all
    bool exists = csr_read(h, number, false, value);
    h->r.privilege = privilege;
    *value += exists && is_counter(number);
    return exists;
}

static bool write_csr(struct hart *h, unsigned number, uint64_t value) {
    uint32_t privilege = h->r.privilege;
    h->r.privilege = MACHINE;
    bool done = csr_write(h, number, value);
    h->r.privilege = privilege;
    fast_forget(h);
    fast_select(h);
    return done;
}

bool registers_read(struct hart *h, unsigned number, uint64_t *value) {
    *value = 0;
    if (number < GENERAL)
        *value = h->r.x[number];
    else if (number == REGISTER_PC)
        *value = h->r.pc;
    else if (number == REGISTER_PRIVILEGE)
        *value = h->r.privilege;
    else
        return number >= REGISTER_CSR && number < REGISTER_CSR + CSRS &&
               read_csr(h, number - REGISTER_CSR, value);
    return true;
}

static bool write_privilege(struct hart *h, uint64_t value) {
    if (value != USER && value != SUPERVISOR && value != MACHINE)
        return false;
    h->r.privilege = value;
    fast_forget(h);
    fast_select(h);
    return true;
}

bool registers_write(struct hart *h, unsigned number, uint64_t value) {
    if (number == 0)
        return true;
    if (number < GENERAL)
        h->r.x[number] = value;
    else if (number == REGISTER_PC)
        h->r.pc = value & ~UINT64_C(1);
    else if (number == REGISTER_PRIVILEGE)
        return write_privilege(h, value);
    else
        return number >= REGISTER_CSR && number < REGISTER_CSR + CSRS &&
               write_csr(h, number - REGISTER_CSR, value);
    return true;
}
