// Harts, by way of control and status registers and of calls to the firmware (SBI 0.3).
#include "arch/hart.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "arch/csr.h"

extern char trap_entry[], _start[];

// For entry.S: the id of each hart that was started, and its idle thread.
uint64_t harts_started[HARTS_MAX][2];

// Whether harts have a register that sets their timer (extension Sstc, ratified in 2021). Else the
// firmware sets it. Each hart writes this when it starts, and all harts are of one kind.
static bool has_stimecmp;

enum {
    SBI_PUTCHAR = 1,
    SBI_INTERRUPT = 0x735049,
    SBI_HART = 0x48534d,
    SBI_RESET = 0x53525354,
    SBI_TIME = 0x54494d45
};

// Calls function 0 of the extension; returns 0 or a negative SBI error.
static long sbi_call(uint64_t extension, uint64_t argument0, uint64_t argument1,
                     uint64_t argument2) {
    register uint64_t a0 __asm__("a0") = argument0;
    register uint64_t a1 __asm__("a1") = argument1;
    register uint64_t a2 __asm__("a2") = argument2;
    register uint64_t a6 __asm__("a6") = 0;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (long)a0;
}

// Tries to write to stimecmp. If that traps, the handler, which for a moment is the last of these
// instructions, finds `found` as it was.
static bool find_timer(void) {
    uint64_t found = 0, handler;
    __asm__ volatile("lla %1, 1f\n\t"
                     "csrrw %1, stvec, %1\n\t"
                     "csrw " STIMECMP ", %2\n\t"
                     "li %0, 1\n\t"
                     ".balign 4\n"
                     "1: csrw stvec, %1"
                     : "+r"(found), "=&r"(handler)
                     : "r"(UINT64_MAX)
                     : "memory");
    return found;
}

void hart_init(void) {
    has_stimecmp = find_timer();
    csr_write(stvec, trap_entry);
    csr_clear(sstatus, SSTATUS_SPP | SSTATUS_FS | SSTATUS_VS | SSTATUS_SUM);
    csr_write(scounteren, COUNTERS_ALL);
    csr_write(sie, 1 << INTERRUPT_SOFTWARE | 1 << INTERRUPT_TIMER | 1 << INTERRUPT_EXTERNAL);
}

int hart_start(unsigned id, struct thread *idle) {
    static unsigned count;
    if (count == HARTS_MAX)
        return -EIO;
    harts_started[count][0] = id;
    harts_started[count++][1] = (uint64_t)idle;
    return sbi_call(SBI_HART, id, ptr_to_phys(_start), 0) == 0 ? 0 : -EIO;
}

void hart_notify(unsigned id) {
    sbi_call(SBI_INTERRUPT, 1, id, 0); // a mask of one bit, for hart `id`
}

void hart_set_timer(uint64_t deadline) {
    if (has_stimecmp)
        __asm__ volatile("csrw " STIMECMP ", %0" ::"r"(deadline) : "memory");
    else
        sbi_call(SBI_TIME, deadline, 0, 0);
}

uint64_t hart_time(void) {
    return csr_read(time);
}

uint64_t hart_instructions(void) {
    return csr_read(instret);
}

unsigned hart_take_interrupt(void) {
    uint64_t pending = csr_read(sip) & csr_read(sie);
    if (pending & 1 << INTERRUPT_EXTERNAL)
        return INTERRUPT_EXTERNAL;
    if (pending & 1 << INTERRUPT_SOFTWARE) {
        csr_clear(sip, 1 << INTERRUPT_SOFTWARE);
        return INTERRUPT_SOFTWARE;
    }
    return pending & 1 << INTERRUPT_TIMER ? INTERRUPT_TIMER : 0;
}

void hart_wait(void) {
    __asm__ volatile("wfi" ::: "memory");
}

void firmware_write(const char *text, size_t n) {
    for (; n > 0; n--)
        sbi_call(SBI_PUTCHAR, (uint8_t)*text++, 0, 0);
}

void firmware_power_off(bool failure) {
    sbi_call(SBI_RESET, 0, failure, 0);
}
