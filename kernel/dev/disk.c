// Driver and device share a queue in memory. A request has a slot in it, with a list of what the
// device is to read or write: a header, the pages, a status byte. The driver adds the number of the
// slot to the `available` ring. When the request is served, the device adds the number to the
// `used` ring and interrupts.
//
// Numbers in brackets are sections of the specification.
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

// Registers (4.2.2).
enum {
    MAGIC = 0x00,
    DEVICE = 0x08,
    DEVICE_FEATURES = 0x10,
    DEVICE_FEATURES_SELECT = 0x14,
    DRIVER_FEATURES = 0x20,
    DRIVER_FEATURES_SELECT = 0x24,
    QUEUE_SELECT = 0x30,
    QUEUE_SIZE_MAX = 0x34,
    QUEUE_SIZE = 0x38,
    QUEUE_READY = 0x44,
    QUEUE_NOTIFY = 0x50,
    INTERRUPT_STATUS = 0x60,
    INTERRUPT_ACKNOWLEDGE = 0x64,
    STATUS = 0x70,
    QUEUE_DESCRIPTORS = 0x80,
    QUEUE_AVAILABLE = 0x90,
    QUEUE_USED = 0xa0,
    CAPACITY = 0x100, // in sectors
};

enum { MAGIC_VALUE = 0x74726976, DEVICE_BLOCK = 2 };                     // of MAGIC, DEVICE
enum { CAN_FLUSH = 1 << 9, CAN_LIST = 1 << 28, HIGH_VERSION_1 = 1 };     // features
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };    // of STATUS
enum { DESCRIPTOR_NEXT = 1, DEVICE_WRITES = 2, DESCRIPTOR_OF_LIST = 4 }; // flags of a descriptor
enum { STATUS_OK = 0, STATUS_NONE = 0xff };                              // of a request
enum { SLOTS = 32, SECTORS_PER_BLOCK = BLOCK_SIZE / DISK_SECTOR };
enum { NUMBERED_END = 1 + DISK_PAGES_MAX * SECTORS_PER_BLOCK * 2 }; // index in numbered_list

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
    struct descriptor descriptors[SLOTS]; // each describes the list of a slot
    volatile uint16_t available_flags;
    volatile uint16_t available_index; // how many numbers have been added since boot
    volatile uint16_t available_ring[SLOTS];
    volatile uint16_t used_flags;
    volatile uint16_t used_index;
    volatile uint32_t used_ring[SLOTS][2]; // number of a descriptor, bytes written
    struct slot slots[SLOTS];
    // The list of the request that has a number: the header, for each sector the number and the
    // sector without its first word, the status byte. It is filled from its end, and the device
    // jumps from the header to the first sector. So only addresses of sectors ever change.
    struct descriptor numbered_list[NUMBERED_END + 1];
    uint64_t number;
};

// Locks: [I] set at boot; everything else is guarded by the lock.
static struct spinlock lock = SPINLOCK(RANK_DISK);
static paddr_t registers;                    // [I]
static uint32_t blocks;                      // [I]
static struct queue *queue;                  // [I] NULL: there is no disk
static uint16_t used_seen;                   // index up to which the used ring has been read
static struct disk_request *requests[SLOTS]; // by slot; NULL: it is free
static struct disk_request *numbered;        // the one that uses numbered_list, or NULL
static struct waitq room = WAITQ(room);      // for a free slot

static void write_address(unsigned offset, const volatile void *p) {
    paddr_t address = ptr_to_phys((const void *)p);
    mmio_write32(registers + offset, address);
    mmio_write32(registers + offset + 4, address >> 32);
}

// Lists the request's pages in list[1] and what follows. Returns the index after the last one.
static unsigned list_pages(struct descriptor *list, const struct disk_request *r) {
    uint16_t flags = DESCRIPTOR_NEXT | (r->operation == DISK_READ ? DEVICE_WRITES : 0);
    unsigned n = 1;
    for (; n <= r->count; n++)
        list[n] = (struct descriptor){ptr_to_phys(r->pages[n - 1]), BLOCK_SIZE, flags, n + 1};
    return n;
}

// Fills in what numbered_list has in common for all requests.
static void prepare_numbered_list(void) {
    const uint32_t word = sizeof queue->number;
    struct descriptor *list = queue->numbered_list;
    for (unsigned i = 1; i < NUMBERED_END; i += 2) {
        list[i] = (struct descriptor){ptr_to_phys(&queue->number), word, DESCRIPTOR_NEXT, i + 1};
        list[i + 1] = (struct descriptor){0, DISK_SECTOR - word, DESCRIPTOR_NEXT, i + 2};
    }
}

// As list_pages, but lists the pages' sectors, and at the end of numbered_list.
static unsigned list_sectors(struct descriptor *list, const struct disk_request *r) {
    unsigned first = NUMBERED_END - r->count * SECTORS_PER_BLOCK * 2;
    struct descriptor *number = &list[first];
    for (unsigned i = 0; i < r->count; i++) {
        paddr_t page = ptr_to_phys(r->pages[i]) + sizeof r->number;
        for (paddr_t p = page; p < page + BLOCK_SIZE; p += DISK_SECTOR, number += 2)
            number[1].address = p;
    }
    queue->number = r->number;
    list[0].next = first;
    return NUMBERED_END;
}

// Gives the request to the device in that slot, which is free.
static void start_request(struct disk_request *r, unsigned slot) {
    assert(spin_held(&lock) && requests[slot] == NULL);
    struct slot *s = &queue->slots[slot];
    struct descriptor *list = s->list;
    if (r->number != 0) {
        assert(numbered == NULL);
        numbered = r;
        list = queue->numbered_list;
    }
    s->header.type = r->operation;
    s->header.reserved = 0;
    s->header.sector = r->operation == DISK_FLUSH ? 0 : (uint64_t)r->block * SECTORS_PER_BLOCK;
    s->status = STATUS_NONE;
    list[0] = (struct descriptor){ptr_to_phys(&s->header), sizeof s->header, DESCRIPTOR_NEXT, 1};
    unsigned n = r->number != 0 ? list_sectors(list, r) : list_pages(list, r);
    list[n] = (struct descriptor){ptr_to_phys((void *)&s->status), 1, DEVICE_WRITES, 0};
    queue->descriptors[slot] =
        (struct descriptor){ptr_to_phys(list), (n + 1) * sizeof list[0], DESCRIPTOR_OF_LIST, 0};
    requests[slot] = r;
    queue->available_ring[queue->available_index % SLOTS] = slot;
    mmio_fence(); // the device may read the ring as soon as it sees the new index
    queue->available_index++;
    mmio_write32(registers + QUEUE_NOTIFY, 0);
}

// Handles that the device has served the request in that slot.
static void end_request(unsigned slot) {
    struct disk_request *r = requests[slot];
    bool is_good = queue->slots[slot].status == STATUS_OK;
    requests[slot] = NULL;
    if (numbered == r)
        numbered = NULL;
    if (is_good && r->flushes && r->operation == DISK_WRITE) {
        r->operation = DISK_FLUSH;
        r->count = 0;
        r->number = 0;
        start_request(r, slot);
        return;
    }
    r->error = is_good ? 0 : -EIO;
    r->done = true;
    wait_wake_all(&r->waiter);
    wait_wake_all(&room);
}

// Takes the requests that the device has served from the used ring. Numbers of slots that are not
// in use are ignored.
static void disk_interrupt(void) {
    spin_lock(&lock);
    mmio_write32(registers + INTERRUPT_ACKNOWLEDGE, mmio_read32(registers + INTERRUPT_STATUS));
    uint16_t index = queue->used_index;
    mmio_fence();
    while (used_seen != index) {
        uint32_t slot = queue->used_ring[used_seen++ % SLOTS][0];
        if (slot < SLOTS && requests[slot] != NULL)
            end_request(slot);
    }
    spin_unlock(&lock);
}

// Accepts features of group `select` (there are 32 in a group). Returns false if the device lacks
// one.
static bool accept_features(unsigned select, uint32_t features) {
    mmio_write32(registers + DEVICE_FEATURES_SELECT, select);
    mmio_write32(registers + DRIVER_FEATURES_SELECT, select);
    uint32_t accepted = mmio_read32(registers + DEVICE_FEATURES) & features;
    mmio_write32(registers + DRIVER_FEATURES, accepted);
    return accepted == features;
}

// Negotiates features and sets up the queue. Returns false if the device cannot be used.
static bool start_device(void) {
    mmio_write32(registers + STATUS, 0); // resets it
    mmio_write32(registers + STATUS, ACKNOWLEDGE | DRIVER);
    if (!accept_features(0, CAN_FLUSH | CAN_LIST) || !accept_features(1, HIGH_VERSION_1))
        return false;
    mmio_write32(registers + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    mmio_write32(registers + QUEUE_SELECT, 0);
    if (!(mmio_read32(registers + STATUS) & FEATURES_OK) ||
        mmio_read32(registers + QUEUE_SIZE_MAX) < SLOTS)
        return false;
    queue = memset(frame_set_aside(sizeof *queue), 0, offsetof(struct queue, slots));
    mmio_write32(registers + QUEUE_SIZE, SLOTS);
    prepare_numbered_list();
    write_address(QUEUE_DESCRIPTORS, queue->descriptors);
    write_address(QUEUE_AVAILABLE, &queue->available_flags);
    write_address(QUEUE_USED, &queue->used_flags);
    mmio_write32(registers + QUEUE_READY, 1);
    mmio_write32(registers + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    uint64_t high = mmio_read32(registers + CAPACITY + 4);
    blocks = (high << 32 | mmio_read32(registers + CAPACITY)) / SECTORS_PER_BLOCK;
    return true;
}

void disk_init(const struct machine *m) {
    // QEMU lists its slots in reverse order.
    for (unsigned i = m->virtio_count; i-- > 0 && queue == NULL;) {
        registers = m->virtio[i].address;
        if (mmio_read32(registers + MAGIC) != MAGIC_VALUE ||
            mmio_read32(registers + DEVICE) != DEVICE_BLOCK)
            continue;
        if (start_device())
            plic_handle(m->virtio[i].irq, disk_interrupt);
        else
            print("the disk at 0x%lx cannot be used; was QEMU started with -global "
                  "virtio-mmio.force-legacy=false?\n",
                  registers);
    }
}

uint32_t disk_blocks(void) {
    return blocks;
}

void disk_submit(struct disk_request *r) {
    assert(r->count <= DISK_PAGES_MAX && (r->count == 0) == (r->operation == DISK_FLUSH));
    waitq_init(&r->waiter);
    bool is_inside = r->count == 0 || (r->block < blocks && r->count <= blocks - r->block);
    r->done = queue == NULL || !is_inside;
    r->error = r->done ? -EIO : 0;
    if (r->done)
        return;
    spin_lock(&lock);
    unsigned slot = 0;
    while (requests[slot] != NULL) {
        if (++slot == SLOTS) {
            wait_sleep(&room, &lock);
            slot = 0;
        }
    }
    start_request(r, slot);
    spin_unlock(&lock);
}

int disk_wait(struct disk_request *r) {
    spin_lock(&lock);
    while (!r->done)
        wait_sleep(&r->waiter, &lock);
    spin_unlock(&lock);
    return r->error;
}
