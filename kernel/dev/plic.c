// A device's interrupt pends in the controller until some hart claims it; the controller then holds
// back further ones of that device until the hart says that this one is complete.
#include "dev/plic.h"
#include "dev/machine.h"
#include "dev/mmio.h"

// Registers: priorities, 4 bytes an interrupt; enables, a bit an interrupt, in each context; the
// rest once in each context. Reading CLAIM claims, writing it completes.
enum { PRIORITY = 0, ENABLE = 0x2000, ENABLE_STRIDE = 0x80 };
enum { THRESHOLD = 0x200000, CLAIM = 0x200004, CONTEXT_STRIDE = 0x1000 };

// Nothing changes after boot.
static const struct machine *machine;
static void (*handlers[IRQS_MAX])(void);

void plic_init(const struct machine *m) {
    machine = m;
}

void plic_handle(unsigned irq, void (*handler)(void)) {
    handlers[irq] = handler;
    mmio_write32(machine->plic + PRIORITY + 4 * irq, 1);
    for (unsigned hart = 0; hart < machine->hart_count; hart++) {
        paddr_t enable =
            machine->plic + ENABLE + machine->plic_contexts[hart] * ENABLE_STRIDE + irq / 32 * 4;
        mmio_write32(enable, mmio_read32(enable) | 1u << irq % 32);
    }
}

void plic_init_hart(unsigned hart) {
    mmio_write32(machine->plic + THRESHOLD + machine->plic_contexts[hart] * CONTEXT_STRIDE, 0);
}

void plic_serve(unsigned hart) {
    paddr_t claim = machine->plic + CLAIM + machine->plic_contexts[hart] * CONTEXT_STRIDE;
    for (unsigned irq; (irq = mmio_read32(claim)) != 0; mmio_write32(claim, irq))
        if (irq < IRQS_MAX && handlers[irq] != NULL)
            handlers[irq]();
}
