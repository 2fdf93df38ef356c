// An interrupt is pending in the controller until a hart claims it. The controller then holds back
// further interrupts of the device until the hart says that this one is complete.
#include "dev/plic.h"
#include "dev/machine.h"
#include "dev/mmio.h"
#include "lib/panic.h"

// Registers: priorities, 4 bytes for each interrupt; enables, a bit for each interrupt in each
// context; the others once in each context. Reading CLAIM claims an interrupt, writing completes
// it.
enum { PRIORITY = 0, ENABLE = 0x2000, ENABLE_STRIDE = 0x80 };
enum { THRESHOLD = 0x200000, CLAIM = 0x200004, CONTEXT_STRIDE = 0x1000 };

static const struct machine *machine;    // [I] set at boot
static void (*handlers[IRQS_MAX])(void); // [I]

void plic_init(const struct machine *m) {
    machine = m;
}

void plic_handle(unsigned irq, void (*handler)(void)) {
    assert(irq < IRQS_MAX && handlers[irq] == NULL);
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
    unsigned irq;
    while ((irq = mmio_read32(claim)) != 0) {
        if (irq < IRQS_MAX && handlers[irq] != NULL)
            handlers[irq]();
        mmio_write32(claim, irq);
    }
}
