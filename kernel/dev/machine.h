// The machine as the flattened device tree describes it (Devicetree Specification 0.4, chapter 5).
#pragma once
#include "abi/types.h"
#include "arch/hart.h"

enum { VIRTIO_MAX = 8, IRQS_MAX = 1024 };

struct device {
    paddr_t address;
    unsigned irq;
};

struct machine {
    paddr_t ram_start, ram_end;
    unsigned hart_count;
    unsigned hart_ids[HARTS_MAX];      // by hart index; the boot hart is the first
    unsigned plic_contexts[HARTS_MAX]; // the PLIC's number of each hart's S-mode context
    uint64_t timer_hz;
    struct device uart;
    paddr_t plic;
    unsigned virtio_count;
    struct device virtio[VIRTIO_MAX];
    paddr_t finisher; // QEMU's test device, which ends QEMU with an exit status; 0: none
    char command_line[256];
};

// Reads the blob, which has at most max_bytes bytes. Harts beyond HARTS_MAX are left out, but
// never the boot hart, which has the id boot_hart. Errors: -EINVAL if it is no device tree or
// damaged, -ENODEV if memory, the boot hart, timer, interrupt controller or UART are missing.
int machine_read(struct machine *m, const void *blob, size_t max_bytes, unsigned boot_hart);
