// The machine as a whole: what a program that uses this library sees. Harts, memory, devices at the
// addresses of QEMU's virt, and firmware or none.
//
// Time is instructions, of all harts together; where all harts wait, it jumps to the next event. So
// the same kernel, image, input (at the same times) and seed give the same run everywhere.
#pragma once
#include "boot/firmware.h"
#include "devices/clint.h"
#include "devices/finisher.h"
#include "devices/plic.h"
#include "devices/uart.h"
#include "devices/virtio.h"
#include "schedule/schedule.h"

#define MACHINE_MEMORY_MAX (UINT64_C(4) << 30)

struct machine_settings {
    unsigned harts;        // 1 to HARTS_MAX
    uint64_t memory_bytes; // a multiple of PAGE_BYTES, at most MACHINE_MEMORY_MAX
    uint64_t seed;
    uint32_t profile;                       // enum profile, together; 0: a kind machine
    const char *arguments;                  // the kernel's command line; may be NULL
    bool legacy_disk;                       // as devices were before version 1.0 of virtio
    uint64_t disk_errors;                   // one of so many requests fails, by chance; 0: none
    void (*put)(void *owner, uint8_t byte); // prints a byte of the console; may be NULL
    void *owner;
};

enum machine_stop {
    STOP_TIME,       // as much as the caller wanted
    STOP_FINISHED,   // the guest has ended the machine; see machine_exit_status
    STOP_RESET,      // the guest wants to begin anew
    STOP_IDLE,       // all harts wait, and only input can wake them
    STOP_DEADLOCK,   // some harts go round in loops that nobody will end, the others wait
    STOP_NO_MEMORY,  // the host has none left
    STOP_BREAKPOINT, // the pause of system.breakpoints says where
    STOP_EVENT,      // somebody wanted to stop at one, see debug/events.h
};

// Whose turn it is.
struct turns {
    uint64_t quantum; // instructions until another hart has its turn
    uint64_t idle;    // time that was skipped because all harts waited
    uint64_t current; // hart
};

struct machine {
    struct system system;
    struct clint clint;
    struct plic plic;
    struct uart uart;
    struct finisher finisher;
    struct virtio slots[VIRTIO_SLOTS];
    struct paged disk;
    struct medium medium; // what the disk would hold without power
    struct firmware firmware;
    struct machine_settings settings;
    struct turns turns;
    struct schedule schedule; // in use between schedule_begin and schedule_end
    unsigned users_together;  // most harts that were in user mode at the end of a turn
};

// Makes a machine without a program. Returns NULL without memory, or if the settings are wrong. The
// arguments stay the caller's.
struct machine *machine_create(const struct machine_settings *settings);
void machine_destroy(struct machine *m);

// Bytes of the caller.
struct machine_file {
    const void *bytes;
    uint64_t size;
};

// Puts a program into memory: an ELF file, or plain bytes for MEMORY_START; and makes the harts
// ready to start it. With firmware (OpenSBI's fw_dynamic, as plain bytes; NULL: our own), that is
// started first. Returns NULL, or what is wrong.
const char *machine_load(struct machine *m, struct machine_file program,
                         const struct machine_file *firmware);

// Gives the machine a disk with these contents. Returns false without memory.
bool machine_set_disk(struct machine *m, const void *contents, uint64_t bytes);

// Runs until that time, in instructions, or until something else happens.
enum machine_stop machine_run(struct machine *m, uint64_t until);

// Types a byte; only while the guest listens, and has read what was typed before.
bool machine_can_type(const struct machine *m);
void machine_type(struct machine *m, uint8_t byte);

// Return the time, and how much of it all harts have waited, in instructions.
uint64_t machine_time(const struct machine *m);
uint64_t machine_idle_time(const struct machine *m);

int machine_exit_status(const struct machine *m);
