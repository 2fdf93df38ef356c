// Gives the simulator's machine page tables, queues of the disk, registers of devices and calls of
// the firmware that make no sense, as a program for a small machine of our own. The simulator must
// stay inside its memory, and come back to a state that it has kept.
#include <stdlib.h>
#include <string.h>

#include "cpu/access.h"
#include "cpu/fast.h"
#include "cpu/physical.h"
#include "snapshot.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

enum { HARTS = 2, MEMORY_BYTES = 1 << 20, DISK_BYTES = 5 * 4096, STEPS = 64, A0 = 10 };
enum { QUEUE_SIZE = 8, DESCRIPTORS = 0x1000, AVAILABLE = 0x2000, USED = 0x3000, DATA = 0x4000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void *host_alloc(size_t bytes) {
    return calloc(1, bytes);
}

void host_free(void *memory) {
    free(memory);
}

struct input {
    const uint8_t *at, *end;
};

static uint64_t take(struct input *in, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && in->at < in->end; i++)
        value |= (uint64_t)*in->at++ << 8 * i;
    return value;
}

// An address: mostly one where something is, or ends.
static uint64_t take_address(struct input *in) {
    static const uint64_t places[] = {
        MEMORY_START,
        MEMORY_START + MEMORY_BYTES - 64,
        MEMORY_START + DESCRIPTORS,
        MEMORY_START + DATA,
        PLIC_START,
        PLIC_START + 0x200000,
        VIRTIO_START,
        VIRTIO_START + VIRTIO_BYTES,
        0x10000000, // the serial line
        CLINT_START + 0xbff8,
        CLINT_START,
        UINT64_MAX - 32,
        UINT64_C(0x3fffffffc0),
        UINT64_C(0xffffffc000000000),
        0x1000,
    };
    unsigned place = take(in, 1);
    if (place >= sizeof places / sizeof places[0])
        return take(in, 8);
    return places[place] + take(in, 2);
}

// ---- What a step does ----

static void use_bus(struct machine *m, struct input *in) {
    uint64_t address = take_address(in), value = take(in, 8);
    unsigned kind = take(in, 1), bytes = 1u << kind % 4;
    if (bus_is_memory(&m->system.bus, address, bytes))
        physical_fill(&m->system, address, &value, bytes);
    else if (address % bytes == 0 && kind & 4)
        bus_write(&m->system.bus, address, bytes, value);
    else if (address % bytes == 0)
        bus_read(&m->system.bus, address, bytes, &value);
}

// Writes an entry of a page table in one of the first pages of memory: a pointer to one of them, a
// leaf, or anything.
static void set_entry(struct machine *m, struct input *in) {
    uint64_t place = take(in, 2) % (4 * PAGE_BYTES) / 8 * 8, rights = take(in, 2);
    uint64_t page = MEMORY_START / PAGE_BYTES + take(in, 1) % 8;
    uint64_t entry = rights & 0x8000 ? take(in, 8) : page << 10 | (rights & 0x3ff);
    physical_fill(&m->system, MEMORY_START + place, &entry, sizeof entry);
}

static void use_tables(struct machine *m, struct input *in) {
    struct hart *h = &m->system.harts[take(in, 1) % HARTS];
    unsigned kind = take(in, 1);
    if (kind & 8) {
        h->r.satp = UINT64_C(8) << 60 | (uint64_t)(kind >> 6) << 44 |
                    (MEMORY_START / PAGE_BYTES + take(in, 1) % 4);
        h->r.privilege = kind & 16 ? USER : SUPERVISOR;
        h->r.status ^= kind & 32 ? STATUS_SUM | STATUS_MXR : 0;
        fast_select(h);
    }
    uint64_t va = kind & 1 ? take_address(in) : take(in, 5), value = take(in, 1);
    unsigned bytes = 1u << take(in, 1) % 4;
    if (kind & 2)
        access_write(h, va, bytes, value);
    else if (kind & 4)
        access_fetch(h, va & ~UINT64_C(1));
    else
        access_read(h, va, bytes, &value);
}

static void call_firmware(struct machine *m, struct input *in) {
    static const uint64_t extensions[] = {
        0, 1, 2, 8, 0x10, 0x54494d45, 0x735049, 0x52464e43, 0x48534d, 0x53525354, 0x4442434e,
    };
    struct hart *h = &m->system.harts[take(in, 1) % HARTS];
    unsigned extension = take(in, 1), function = take(in, 1) % 8;
    for (unsigned i = 0; i < 6; i++)
        h->r.x[A0 + i] = extension & 0x80 ? take_address(in) : take(in, 1);
    h->r.x[A0 + 6] = function;
    h->r.x[A0 + 7] = extensions[(extension & 0x7f) % (sizeof extensions / sizeof extensions[0])];
    m->system.firmware_call(m->system.firmware, h);
}

static void set_register(struct machine *m, uint64_t offset, uint32_t value) {
    bus_write(&m->system.bus, VIRTIO_START + offset, 4, value);
}

// Makes the disk's queue ready, as a driver does.
static void start_queue(struct machine *m, struct input *in) {
    static const uint16_t addresses[] = {0x80, 0x90, 0xa0};
    static const uint16_t places[] = {DESCRIPTORS, AVAILABLE, USED};
    set_register(m, 0x70, 0);
    set_register(m, 0x20, take(in, 1) << 9);
    set_register(m, 0x38, QUEUE_SIZE);
    for (unsigned i = 0; i < 3; i++) {
        set_register(m, addresses[i], (uint32_t)MEMORY_START + places[i]);
        set_register(m, addresses[i] + 4u, 0);
    }
    set_register(m, 0x44, 1);
    set_register(m, 0x70, 15);
}

static void set_descriptor(struct machine *m, struct input *in) {
    struct {
        uint64_t address;
        uint32_t bytes;
        uint16_t flags, next;
    } d;
    unsigned place = take(in, 1) % QUEUE_SIZE;
    d.address = take_address(in);
    d.bytes = take(in, 2) << take(in, 1) % 17;
    d.flags = take(in, 1) & 7;
    d.next = take(in, 1) % (QUEUE_SIZE + 1);
    physical_fill(&m->system, MEMORY_START + DESCRIPTORS + place * sizeof d, &d, sizeof d);
}

// A header is where one descriptor points; the ring gets an entry, and the disk is told.
static void send_request(struct machine *m, struct input *in) {
    uint64_t header[2] = {take(in, 1) % 10, take(in, 2) & 0x80ff};
    uint16_t head = take(in, 1) % (QUEUE_SIZE + 1), index = take(in, 1);
    uint64_t ring = MEMORY_START + AVAILABLE;
    physical_fill(&m->system, MEMORY_START + DATA, header, sizeof header);
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        physical_fill(&m->system, ring + 4 + 2 * i, &head, sizeof head);
    physical_fill(&m->system, ring + 2, &index, sizeof index);
    set_register(m, 0x50, 0);
}

static void lose_power(struct machine *m, struct input *in) {
    struct paged left;
    REQUIRE(queue_lose_power(&m->slots[0], take(in, 1), &left));
    REQUIRE(paged_bytes(&left) == DISK_BYTES);
    paged_destroy(&left);
}

static void run_on(struct machine *m, struct input *in) {
    machine_run(m, machine_time(m) + (take(in, 2) & 0x3fff));
    m->finisher.written = 0;
}

// What follows a snapshot must be the same twice.
static void go_back(struct machine *m, struct input *in) {
    struct snapshot *s = snapshot_take(m);
    uint64_t until = machine_time(m) + take(in, 1), before = snapshot_hash(m);
    machine_run(m, until);
    uint64_t after = snapshot_hash(m);
    REQUIRE(snapshot_restore(m, s) && snapshot_hash(m) == before);
    machine_run(m, until);
    REQUIRE(snapshot_hash(m) == after);
    m->finisher.written = 0;
    snapshot_free(s);
}

static void (*const steps[])(struct machine *m, struct input *in) = {
    use_bus,        set_entry,    use_tables, use_tables, call_firmware, start_queue,
    set_descriptor, send_request, run_on,     lose_power, go_back,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t disk[DISK_BYTES] = {1};
    struct input in = {data, data + size};
    const struct machine_settings settings = {
        .harts = HARTS,
        .memory_bytes = MEMORY_BYTES,
        .seed = take(&in, 1),
        .profile = take(&in, 1) & 31,
        .disk_errors = take(&in, 1) & 3,
    };
    struct machine *m = machine_create(&settings);
    REQUIRE(m != NULL && machine_set_disk(m, disk, sizeof disk));
    firmware_start(&m->firmware, MEMORY_START + DATA, MEMORY_START);
    for (unsigned i = 0; i < STEPS && in.at < in.end; i++)
        steps[take(&in, 1) % (sizeof steps / sizeof steps[0])](m, &in);
    machine_destroy(m);
    return 0;
}
