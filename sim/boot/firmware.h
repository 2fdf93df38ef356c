// What firmware does for a kernel in supervisor mode (RISC-V Supervisor Binary Interface 2.0), here
// as a part of the machine: base, time, IPI, rfence, hart state management, system reset, debug
// console, and the legacy calls for the console and for shutdown.
#pragma once
#include "devices/finisher.h"
#include "devices/uart.h"

struct firmware {
    struct system *system;
    struct uart *uart;
    struct finisher *finisher;
};

// Makes all harts wait to be started, but the first, which will start at `entry` with the address
// of the device tree.
void firmware_start(struct firmware *f, uint64_t entry, uint64_t devicetree);

// What OpenSBI wants to be told about what it starts (its fw_dynamic interface, version 2).
struct firmware_info {
    uint64_t magic, version, next_address, next_mode, options, boot_hart;
};

#define FIRMWARE_INFO_MAGIC 0x4942534fu
