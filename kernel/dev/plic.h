// The platform-level interrupt controller (RISC-V PLIC specification 1.0): takes interrupts from
// devices to harts. Any hart serves any device, one hart an interrupt: the one that claims it
// first.
#pragma once
struct machine;

void plic_init(const struct machine *m);
// Boot only. Calls handler, on any hart but on one at a time, whenever the device raises irq.
void plic_handle(unsigned irq, void (*handler)(void));
// Lets this hart take interrupts.
void plic_init_hart(unsigned hart);
// Serves what is pending for this hart.
void plic_serve(unsigned hart);
