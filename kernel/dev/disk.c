// Driver and device share a queue in memory. A request has a slot there with a list of what the device
// is to read or write: a header, the pages, a status byte. The driver adds the slot's number to the
// `available` ring; when the request is served, the device adds it to the `used` ring and interrupts.
//
// A device that breaks the protocol is reset, and all requests fail from then on.
#include "dev/disk.h"

#include "abi/diskformat.h"
#include "abi/errno.h"
#include "dev/machine.h"
#include "dev/mmio.h"
#include "dev/plic.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mem/frame.h"

// Registers (4.2.2) and their values; the capacity is in sectors.
enum { MAGIC = 0x00, VERSION = 0x04, DEVICE = 0x08, DEVICE_FEATURES = 0x10, DEVICE_FEATURES_SELECT = 0x14 };
enum { DRIVER_FEATURES = 0x20, DRIVER_FEATURES_SELECT = 0x24, QUEUE_SELECT = 0x30, QUEUE_SIZE_MAX = 0x34 };
enum { QUEUE_SIZE = 0x38, QUEUE_READY = 0x44, QUEUE_NOTIFY = 0x50, INTERRUPT_STATUS = 0x60 };
enum { INTERRUPT_ACKNOWLEDGE = 0x64, STATUS = 0x70, QUEUE_DESCRIPTORS = 0x80, QUEUE_AVAILABLE = 0x90 };
enum { QUEUE_USED = 0xa0, CAPACITY = 0x100 };
enum { MAGIC_VALUE = 0x74726976, VERSION_LEGACY = 1, DEVICE_BLOCK = 2 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };  // of STATUS
enum { READ_ONLY = 1 << 5, CAN_FLUSH = 1 << 9, CAN_LIST = 1 << 28, HIGH_VERSION_1 = 1 }; // features

enum { DESCRIPTOR_NEXT = 1, DEVICE_WRITES = 2, DESCRIPTOR_OF_LIST = 4 }; // flags
enum { REQUEST_READ = 0, REQUEST_WRITE = 1, REQUEST_FLUSH = 4, REQUEST_OK = 0, UNTOUCHED = 0xff };
enum { SLOTS = 32, SECTORS_PER_BLOCK = BLOCK_SIZE / 512 };

// What driver and device share (2.6, 5.2.6).
struct descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t flags, next;
};

struct slot {
    struct descriptor list[DISK_PAGES_MAX + 2];
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    volatile uint8_t status;
};

struct queue {
    struct descriptor descriptors[SLOTS]; // each is that of a slot's list
    volatile struct {
        uint16_t flags, index; // index counts all that was ever added
        uint16_t ring[SLOTS];
    } available;
    volatile struct {
        _Alignas(4) uint16_t flags;
        uint16_t index;
        struct {
            uint32_t id, size;
        } ring[SLOTS];
    } used;
    struct slot slots[SLOTS];
};

// Locks: [I] never changes after boot, the rest is guarded by the lock.
static struct {
    paddr_t registers;                    // [I]
    uint32_t blocks, features;            // [I]
    struct queue *queue;                  // [I]
    bool working;                         // false: there is none, or it broke the protocol
    uint16_t used_seen;                   // index of the used ring as far as it was looked at
    uint16_t in_flight;                   // requests
    struct disk_request *requests[SLOTS]; // by slot; NULL: it is free
    struct waitq room;                    // waiters for a free slot
} disk = {.room = WAITQ(disk.room)};

static struct spinlock lock = SPINLOCK(RANK_DISK);

static uint32_t register_read(unsigned offset)
{
    return mmio_read32(disk.registers + offset);
}

static void register_write(unsigned offset, uint32_t value)
{
    mmio_write32(disk.registers + offset, value);
}

static void register_write_address(unsigned offset, const volatile void *p)
{
    paddr_t address = ptr_to_phys((const void *)p);
    register_write(offset, address);
    register_write(offset + 4, address >> 32);
}

static void request_finish(unsigned slot, int error)
{
    struct disk_request *r = disk.requests[slot];
    disk.requests[slot] = NULL;
    disk.in_flight--;
    r->error = error;
    r->done = true;
    wait_wake_all(&r->waiter);
    wait_wake_all(&disk.room);
}

// Takes what the device has served from the used ring; false if it breaks the protocol.
static bool disk_serve(void)
{
    uint16_t index = disk.queue->used.index;
    mmio_fence();
    if ((uint16_t)(index - disk.used_seen) > disk.in_flight || register_read(STATUS) & NEEDS_RESET)
        return false;
    while (disk.used_seen != index) {
        uint32_t slot = disk.queue->used.ring[disk.used_seen++ % SLOTS].id;
        if (slot >= SLOTS || disk.requests[slot] == NULL)
            return false;
        request_finish(slot, disk.queue->slots[slot].status == REQUEST_OK ? 0 : -EIO);
    }
    return true;
}

static void disk_interrupt(void)
{
    spin_lock(&lock);
    register_write(INTERRUPT_ACKNOWLEDGE, register_read(INTERRUPT_STATUS));
    if (disk.working && !disk_serve()) {
        print("disk: the device breaks the protocol and is not used any more\n");
        register_write(STATUS, 0);
        disk.working = false;
        for (unsigned i = 0; i < SLOTS; i++)
            if (disk.requests[i] != NULL)
                request_finish(i, -EIO);
    }
    spin_unlock(&lock);
}

// Agrees on features and sets up the queue; false if the device does not do.
static bool device_start(void)
{
    register_write(STATUS, 0);
    register_write(STATUS, ACKNOWLEDGE | DRIVER);
    register_write(DEVICE_FEATURES_SELECT, 0);
    disk.features = register_read(DEVICE_FEATURES) & (READ_ONLY | CAN_FLUSH | CAN_LIST);
    register_write(DRIVER_FEATURES_SELECT, 0);
    register_write(DRIVER_FEATURES, disk.features);
    register_write(DEVICE_FEATURES_SELECT, 1);
    bool modern = register_read(DEVICE_FEATURES) & HIGH_VERSION_1;
    register_write(DRIVER_FEATURES_SELECT, 1);
    register_write(DRIVER_FEATURES, modern ? HIGH_VERSION_1 : 0);
    register_write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    register_write(QUEUE_SELECT, 0);
    if (!modern || !(disk.features & CAN_LIST) || !(register_read(STATUS) & FEATURES_OK) ||
        register_read(QUEUE_SIZE_MAX) < SLOTS)
        return false;
    disk.queue = frame_set_aside(sizeof *disk.queue);
    memset(disk.queue, 0, sizeof *disk.queue);
    register_write(QUEUE_SIZE, SLOTS);
    register_write_address(QUEUE_DESCRIPTORS, disk.queue->descriptors);
    register_write_address(QUEUE_AVAILABLE, &disk.queue->available);
    register_write_address(QUEUE_USED, &disk.queue->used);
    register_write(QUEUE_READY, 1);
    register_write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    return true;
}

void disk_init(const struct machine *m)
{
    for (unsigned i = 0; i < m->virtio_count && !disk.working; i++) {
        disk.registers = m->virtio[i].address;
        if (register_read(MAGIC) != MAGIC_VALUE || register_read(DEVICE) != DEVICE_BLOCK)
            continue;
        if (register_read(VERSION) == VERSION_LEGACY) {
            print("the virtio device at 0x%lx is legacy (version 1): start QEMU with "
                  "-global virtio-mmio.force-legacy=false\n",
                  disk.registers);
        } else if (!device_start()) {
            print("the disk at 0x%lx lacks virtio 1.0, indirect descriptors or a long queue\n",
                  disk.registers);
        } else {
            uint64_t sectors = register_read(CAPACITY) | (uint64_t)register_read(CAPACITY + 4) << 32;
            uint64_t blocks = sectors / SECTORS_PER_BLOCK;
            disk.blocks = blocks < UINT32_MAX ? blocks : UINT32_MAX;
            disk.working = true;
            plic_handle(m->virtio[i].irq, disk_interrupt);
        }
    }
}

uint32_t disk_blocks(void)
{
    return disk.blocks;
}

// Gives the request to the device in that slot, which is free.
static void request_start(struct disk_request *r, unsigned slot)
{
    static const uint8_t types[] = {REQUEST_READ, REQUEST_WRITE, REQUEST_FLUSH};
    unsigned page_flags = DESCRIPTOR_NEXT | (r->operation == DISK_READ ? DEVICE_WRITES : 0), n = 1;
    struct queue *q = disk.queue;
    struct slot *s = &q->slots[slot];
    s->header.type = types[r->operation];
    s->header.sector = (uint64_t)r->block * SECTORS_PER_BLOCK;
    s->status = UNTOUCHED;
    s->list[0] = (struct descriptor){ptr_to_phys(&s->header), sizeof s->header, DESCRIPTOR_NEXT, 1};
    for (; n <= r->count; n++)
        s->list[n] = (struct descriptor){ptr_to_phys(r->pages[n - 1]), BLOCK_SIZE, page_flags, n + 1};
    s->list[n] = (struct descriptor){ptr_to_phys((void *)&s->status), 1, DEVICE_WRITES, 0};
    q->descriptors[slot] =
        (struct descriptor){ptr_to_phys(s->list), (n + 1) * sizeof s->list[0], DESCRIPTOR_OF_LIST, 0};
    disk.requests[slot] = r;
    disk.in_flight++;
    q->available.ring[q->available.index % SLOTS] = slot;
    mmio_fence(); // the device may look as soon as it sees the new index
    q->available.index++;
    register_write(QUEUE_NOTIFY, 0);
}

void disk_submit(struct disk_request *r)
{
    assert(r->count <= DISK_PAGES_MAX && (r->count == 0) == (r->operation == DISK_FLUSH));
    waitq_init(&r->waiter);
    if (r->operation == DISK_FLUSH)
        r->block = 0;
    spin_lock(&lock);
    while (disk.in_flight == SLOTS)
        wait_sleep(&disk.room, &lock);
    bool valid = disk.working && r->block <= disk.blocks && r->count <= disk.blocks - r->block &&
                 (r->operation != DISK_WRITE || !(disk.features & READ_ONLY));
    bool needless = r->operation == DISK_FLUSH && !(disk.features & CAN_FLUSH); // it caches nothing
    r->error = valid ? 0 : -EIO;
    r->done = !valid || needless;
    unsigned slot = 0;
    while (!r->done && disk.requests[slot] != NULL)
        slot++;
    if (!r->done)
        request_start(r, slot);
    spin_unlock(&lock);
}

int disk_wait(struct disk_request *r)
{
    spin_lock(&lock);
    while (!r->done)
        wait_sleep(&r->waiter, &lock);
    spin_unlock(&lock);
    return r->error;
}
