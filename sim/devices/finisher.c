// The test finisher.
#include "devices/finisher.h"

static bool read(void *device, uint64_t offset, unsigned bytes, uint64_t *value) {
    *value = 0;
    return bytes == 2 || bytes == 4;
}

static bool write(void *device, uint64_t offset, unsigned bytes, uint64_t value) {
    struct finisher *f = device;
    unsigned what = value & 0xffff;
    bool is_known = what == FINISHER_FAIL || what == FINISHER_PASS || what == FINISHER_RESET;
    if (bytes != 2 && bytes != 4)
        return false;
    if (offset == 0 && is_known)
        f->written = value;
    return true;
}

void finisher_init(struct finisher *f, struct bus *bus) {
    f->written = 0;
    bus_add(bus, (struct bus_device){FINISHER_START, FINISHER_BYTES, read, write, f});
}
