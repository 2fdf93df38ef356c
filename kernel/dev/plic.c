// A device's interrupt pends in the controller until some hart claims it; the controller then holds
// back further ones of that device until the hart says that this one is complete.
#include "dev/plic.h"

#include "dev/machine.h"
#include "dev/mmio.h"
#include "lib/panic.h"

// Registers: priorities, 4 bytes an interrupt; enables, a bit an interrupt, in each context; the rest
// once in each context. Reading CLAIM claims, writing it completes.
enum { PRIORITY = 0, ENABLE = 0x2000, ENABLE_STRIDE = 0x80 };
enum { THRESHOLD = 0x200000, CLAIM = 0x200004, CONTEXT_STRIDE = 0x1000 };

// Locks: none, nothing changes after boot.
static const struct machine *machine;
static void (*handlers[IRQS_MAX])(void);

// The register of a hart's context.
static paddr_t context_register(unsigned hart, unsigned offset, unsigned stride)
{
    return machine->plic + offset + (paddr_t)machine->plic_contexts[hart] * stride;
}

void plic_init(const struct machine *m)
{
    machine = m;
}

void plic_handle(unsigned irq, void (*handler)(void))
{
    assert(irq > 0 && irq < IRQS_MAX);
    handlers[irq] = handler;
    mmio_write32(machine->plic + PRIORITY + 4 * irq, 1);
    for (unsigned hart = 0; hart < machine->hart_count; hart++) {
        paddr_t enable = context_register(hart, ENABLE, ENABLE_STRIDE) + irq / 32 * 4;
        if (machine->plic_contexts[hart] != PLIC_NO_CONTEXT)
            mmio_write32(enable, mmio_read32(enable) | 1u << irq % 32);
    }
}

void plic_init_hart(unsigned hart)
{
    if (machine->plic_contexts[hart] != PLIC_NO_CONTEXT)
        mmio_write32(context_register(hart, THRESHOLD, CONTEXT_STRIDE), 0);
}

void plic_serve(unsigned hart)
{
    paddr_t claim = context_register(hart, CLAIM, CONTEXT_STRIDE);
    unsigned irq;
    while (machine->plic_contexts[hart] != PLIC_NO_CONTEXT && (irq = mmio_read32(claim)) != 0) {
        if (irq < IRQS_MAX && handlers[irq] != NULL)
            handlers[irq]();
        mmio_write32(claim, irq);
    }
}
