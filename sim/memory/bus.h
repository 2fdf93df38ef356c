// Physical addresses: memory from MEMORY_START on, devices below.
#pragma once
#include "memory/paged.h"

#define MEMORY_START 0x80000000u

enum { BUS_DEVICES_MAX = 16 };

// A device in a range of addresses. Its functions get the offset there, and 1, 2, 4 or 8 bytes;
// they return false if there is nothing that can be read or written like that.
struct bus_device {
    uint64_t start, bytes;
    bool (*read)(void *device, uint64_t offset, unsigned bytes, uint64_t *value);
    bool (*write)(void *device, uint64_t offset, unsigned bytes, uint64_t value);
    void *device;
};

struct bus {
    struct paged memory;
    bool is_out_of_memory; // the host's: the machine cannot go on
    unsigned device_count;
    struct bus_device devices[BUS_DEVICES_MAX];
};

void bus_add(struct bus *bus, struct bus_device device);

// True if the whole range is memory.
static inline bool bus_is_memory(const struct bus *bus, uint64_t address, uint64_t bytes) {
    uint64_t all = bus->memory.page_count * PAGE_BYTES;
    return address >= MEMORY_START && bytes <= all && address - MEMORY_START <= all - bytes;
}

// Reads or writes a device's registers. Returns false if there is none.
bool bus_read(const struct bus *bus, uint64_t address, unsigned bytes, uint64_t *value);
bool bus_write(const struct bus *bus, uint64_t address, unsigned bytes, uint64_t value);
