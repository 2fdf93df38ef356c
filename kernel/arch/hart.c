// Harts.
#include "arch/hart.h"

#include "abi/errno.h"
#include "arch/address.h"
#include "arch/csr.h"
#include "arch/sbi.h"

extern char trap_entry[], secondary_start[];

void hart_init(void)
{
    csr_write(stvec, trap_entry);
    csr_clear(sstatus, SSTATUS_SPP);
    csr_write(scounteren, COUNTERS_ALL);
    csr_write(sie, 1 << INTERRUPT_SOFTWARE | 1 << INTERRUPT_TIMER | 1 << INTERRUPT_EXTERNAL);
}

int hart_start(unsigned id, struct thread *idle)
{
    return sbi_call(SBI_HART_STATE, id, ptr_to_phys(secondary_start), (uint64_t)idle) == 0 ? 0 : -EIO;
}

void hart_notify(unsigned id)
{
    sbi_call(SBI_INTERRUPT, 1, id, 0); // a mask of one bit, and the hart it starts at
}

void hart_set_timer(uint64_t deadline)
{
    sbi_call(SBI_TIME, deadline, 0, 0);
}

uint64_t hart_time(void)
{
    return csr_read(time);
}

uint64_t hart_instructions(void)
{
    return csr_read(instret);
}

unsigned hart_take_interrupt(void)
{
    uint64_t pending = csr_read(sip) & csr_read(sie);
    if (pending & 1 << INTERRUPT_EXTERNAL)
        return INTERRUPT_EXTERNAL;
    if (pending & 1 << INTERRUPT_SOFTWARE) {
        csr_clear(sip, 1 << INTERRUPT_SOFTWARE);
        return INTERRUPT_SOFTWARE;
    }
    return pending & 1 << INTERRUPT_TIMER ? INTERRUPT_TIMER : 0;
}

void hart_wait(void)
{
    __asm__ volatile("wfi" ::: "memory");
}
