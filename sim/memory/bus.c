// Which device an address belongs to.
#include "memory/bus.h"

#include <assert.h>

void bus_add(struct bus *bus, struct bus_device device) {
    assert(bus->device_count < BUS_DEVICES_MAX);
    bus->devices[bus->device_count++] = device;
}

static const struct bus_device *find(const struct bus *bus, uint64_t address, unsigned bytes) {
    for (unsigned i = 0; i < bus->device_count; i++) {
        const struct bus_device *d = &bus->devices[i];
        if (address - d->start < d->bytes && d->bytes - (address - d->start) >= bytes)
            return d;
    }
    return NULL;
}

bool bus_read(const struct bus *bus, uint64_t address, unsigned bytes, uint64_t *value) {
    const struct bus_device *d = find(bus, address, bytes);
    return d != NULL && d->read(d->device, address - d->start, bytes, value);
}

bool bus_write(const struct bus *bus, uint64_t address, unsigned bytes, uint64_t value) {
    const struct bus_device *d = find(bus, address, bytes);
    return d != NULL && d->write(d->device, address - d->start, bytes, value);
}
