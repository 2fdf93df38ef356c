// Registers of the hart and of devices. Some bits are the implementation's choice, and are left out
// here: fuzz_sim.py says which.
#include "guest.h"

#define CLINT 0x2000000
#define PLIC 0xc000000
#define PLIC_ENABLE(context) (PLIC + 0x2000 + 0x80 * (context))
#define PLIC_THRESHOLD(context) (PLIC + 0x200000 + 0x1000 * (context))
#define PLIC_CLAIM(context) (PLIC + 0x200004 + 0x1000 * (context))
#define UART 0x10000000
enum { COMPARE = 0x4000, SOURCES = 12, UART_IRQ = 10 };
enum { UART_INTERRUPTS = 1, UART_ID = 2, UART_LINE = 3, UART_SCRATCH = 7 };

#define DELEGABLE 0xb3ff
#define SUPERVISOR_INTERRUPTS 0x222
#define INTERRUPTS 0xaaa
#define COUNTERS 7
#define STCE ((uint64_t)1 << 63)
#define FIOM 1

static volatile uint8_t *uart(unsigned offset) {
    return (volatile uint8_t *)(uint64_t)(UART + offset);
}

static void reset_devices(void) {
    *uart(UART_LINE) = 3;
    *uart(UART_INTERRUPTS) = 0;
    *uart(UART_SCRATCH) = 0;
    (void)*uart(UART_ID);
    device_write(CLINT, 0);
    device_write(CLINT + COMPARE, UINT32_MAX);
    device_write(CLINT + COMPARE + 4, UINT32_MAX);
    for (unsigned context = 0; context < 2; context++) {
        device_write(PLIC_ENABLE(context), 1 << UART_IRQ);
        device_write(PLIC_CLAIM(context), UART_IRQ);
        device_write(PLIC_ENABLE(context), 0);
        device_write(PLIC_THRESHOLD(context), 0);
    }
    for (unsigned i = 1; i < SOURCES; i++)
        device_write(PLIC + 4 * i, i == UART_IRQ);
}

void registers_reset(const struct record *r) {
    extern char delegated_entry[];
    CSR_WRITE(mstatus, 0);
    CSR_WRITE(mie, 0);
    reset_devices();
    CSR_WRITE(0x14d, UINT64_MAX); // stimecmp
    CSR_WRITE(0x30a, r->menvcfg);
    CSR_WRITE(0x10a, 0); // senvcfg
    CSR_WRITE(mip, r->mip);
    CSR_WRITE(medeleg, r->medeleg);
    CSR_WRITE(mideleg, r->mideleg);
    CSR_WRITE(mcounteren, r->mcounteren);
    CSR_WRITE(scounteren, r->scounteren);
    CSR_WRITE(sscratch, r->number);
    CSR_WRITE(sepc, 0);
    CSR_WRITE(scause, 0);
    CSR_WRITE(stval, 0);
    CSR_WRITE(mcause, 0);
    CSR_WRITE(mtval, 0);
    uint64_t handler = (uint64_t)delegated_entry;
    CSR_WRITE(stvec, r->satp == 0 ? handler : handler - 0x80000000 + 0xffffffffc0000000);
    CSR_WRITE(satp, r->satp);
    __asm__ volatile("sfence.vma" ::: "memory");
    CSR_WRITE(mie, r->mie);
    CSR_WRITE(mepc, r->pc);
    CSR_WRITE(mstatus, r->mstatus);
}

static void note_devices(void) {
    note(device_read(CLINT));
    for (unsigned i = 0; i < SOURCES; i++)
        note(device_read(PLIC + 4 * i));
    note(device_read(PLIC + 0x1000));
    for (unsigned context = 0; context < 2; context++) {
        note(device_read(PLIC_ENABLE(context)) & ~1u);
        note(device_read(PLIC_THRESHOLD(context)));
    }
    uint8_t line = *uart(UART_LINE);
    note(line);
    *uart(UART_LINE) = line & 0x7f;
    note(*uart(UART_INTERRUPTS));
    note(*uart(UART_SCRATCH));
}

void registers_note(void) {
    note(CSR_READ(medeleg) & DELEGABLE);
    note(CSR_READ(mideleg) & SUPERVISOR_INTERRUPTS);
    note(CSR_READ(mie) & INTERRUPTS);
    note(CSR_READ(mip) & INTERRUPTS);
    note(CSR_READ(mcounteren) & COUNTERS);
    note(CSR_READ(scounteren) & COUNTERS);
    note(CSR_READ(0x30a) & (STCE | FIOM));
    note(CSR_READ(0x10a) & FIOM);
    note(CSR_READ(sstatus));
    note(CSR_READ(sie) & SUPERVISOR_INTERRUPTS);
    note(CSR_READ(sip) & SUPERVISOR_INTERRUPTS);
    note(CSR_READ(stvec));
    note(CSR_READ(satp));
    note_devices();
}
