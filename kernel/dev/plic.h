// The platform-level interrupt controller (RISC-V PLIC specification 1.0), which routes interrupts
// from devices to harts. Any hart may serve any device; each interrupt is served by the hart that
// claims it first.
#pragma once
struct machine;

void plic_init(const struct machine *m);

// Boot only. From now on handler is called whenever the device raises irq: on any hart, but only on
// one at a time. An irq can have only one handler.
void plic_handle(unsigned irq, void (*handler)(void));

// Lets this hart take interrupts.
void plic_init_hart(unsigned hart);

// Serves the interrupts that are pending for this hart.
void plic_serve(unsigned hart);
