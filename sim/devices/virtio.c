// The registers of a virtio block device, and its queue.
#include "devices/virtio.h"

enum register_offset {
    MAGIC = 0x00,
    VERSION = 0x04,
    DEVICE = 0x08,
    VENDOR = 0x0c,
    DEVICE_FEATURES = 0x10,
    DEVICE_SELECT = 0x14,
    DRIVER_FEATURES = 0x20,
    DRIVER_SELECT = 0x24,
    PAGE_SIZE = 0x28,
    QUEUE_SELECT = 0x30,
    QUEUE_MAX = 0x34,
    QUEUE_SIZE = 0x38,
    QUEUE_ALIGN = 0x3c,
    QUEUE_PAGE = 0x40,
    QUEUE_READY = 0x44,
    NOTIFY = 0x50,
    INTERRUPTS = 0x60,
    ACKNOWLEDGE = 0x64,
    STATUS = 0x70,
    DESCRIPTORS = 0x80,
    AVAILABLE = 0x90,
    USED = 0xa0,
    CONFIGURATION = 0x100,
};

#define MAGIC_VALUE 0x74726976u
#define VENDOR_VALUE 0x554d4551u

enum { BLOCK_DEVICE = 2 };
enum { HAS_INDIRECT = 1u << 28, HIGH_VERSION_1 = 1 };

// ---- Registers ----

static uint32_t features(const struct virtio *v, uint32_t select) {
    if (select == 0)
        return VIRTIO_FLUSHES | HAS_INDIRECT;
    return select == 1 && !v->is_legacy ? HIGH_VERSION_1 : 0;
}

static uint64_t sectors(const struct virtio *v) {
    return v->block.bytes / SECTOR_BYTES;
}

static uint32_t read_register(const struct virtio *v, uint64_t offset) {
    const struct virtio_registers *r = &v->r;
    if (v->block.pages == NULL && offset > VENDOR)
        return 0;
    switch (offset) {
    case MAGIC:
        return MAGIC_VALUE;
    case VERSION:
        return v->is_legacy ? 1 : 2;
    case DEVICE:
        return v->block.pages != NULL ? BLOCK_DEVICE : 0;
    case VENDOR:
        return VENDOR_VALUE;
    case DEVICE_FEATURES:
        return features(v, r->device_select);
    case QUEUE_MAX:
        return r->queue_select == 0 ? VIRTIO_QUEUE_MAX : 0;
    case QUEUE_PAGE:
        return r->page_bytes == 0 ? 0 : r->descriptors / r->page_bytes;
    case QUEUE_READY:
        return r->queue_ready;
    case INTERRUPTS:
        return r->interrupts;
    case STATUS:
        return r->status;
    }
    return 0;
}

static void set_half(uint64_t *address, bool is_high, uint32_t value) {
    unsigned shift = is_high ? 32 : 0;
    *address = (*address & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)value << shift;
}

static void set_address(struct virtio_registers *r, uint64_t offset, uint32_t value) {
    switch (offset & ~UINT64_C(4)) {
    case DESCRIPTORS:
        set_half(&r->descriptors, offset != DESCRIPTORS, value);
        break;
    case AVAILABLE:
        set_half(&r->available, offset != AVAILABLE, value);
        break;
    case USED:
        set_half(&r->used, offset != USED, value);
        break;
    }
}

// A legacy driver gives the page where the queue's three parts begin.
static void set_legacy_queue(struct virtio_registers *r, uint32_t page) {
    uint64_t align = r->queue_align != 0 ? r->queue_align : PAGE_BYTES;
    r->descriptors = (uint64_t)page * r->page_bytes;
    r->available = r->descriptors + 16 * (uint64_t)r->queue_size;
    uint64_t end = r->available + 6 + 2 * (uint64_t)r->queue_size;
    r->used = (end + align - 1) / align * align;
    r->queue_ready = page != 0;
}

static void set_status(struct virtio *v, uint32_t status) {
    v->r.status = status;
    if (status == 0) {
        v->r = (struct virtio_registers){0};
        plic_set(v->plic, v->irq, false);
    }
}

static void acknowledge(struct virtio *v, uint32_t bits) {
    v->r.interrupts &= ~bits;
    plic_set(v->plic, v->irq, v->r.interrupts != 0);
}

// Writes a register of the chosen queue. There is only the first one.
static void write_queue_register(struct virtio_registers *r, uint64_t offset, uint32_t value) {
    if (r->queue_select != 0)
        return;
    switch (offset) {
    case QUEUE_SIZE:
        r->queue_size = value <= VIRTIO_QUEUE_MAX && (value & (value - 1)) == 0 ? value : 0;
        break;
    case QUEUE_ALIGN:
        r->queue_align = value;
        break;
    case QUEUE_PAGE:
        set_legacy_queue(r, value);
        break;
    case QUEUE_READY:
        r->queue_ready = value & 1;
        break;
    default:
        set_address(r, offset, value);
    }
}

static void write_register(struct virtio *v, uint64_t offset, uint32_t value) {
    struct virtio_registers *r = &v->r;
    switch (offset) {
    case DEVICE_SELECT:
        r->device_select = value;
        break;
    case DRIVER_SELECT:
        r->driver_select = value;
        break;
    case DRIVER_FEATURES:
        if (r->driver_select < 2)
            r->driver_features[r->driver_select] = value;
        break;
    case PAGE_SIZE:
        r->page_bytes = value;
        break;
    case QUEUE_SELECT:
        r->queue_select = value;
        break;
    case ACKNOWLEDGE:
        acknowledge(v, value);
        break;
    case STATUS:
        set_status(v, value);
        break;
    default:
        write_queue_register(r, offset, value);
    }
}

// ---- The bus ----

static bool read(void *device, uint64_t offset, unsigned bytes, uint64_t *value) {
    const struct virtio *v = device;
    bool is_capacity = offset - CONFIGURATION < sizeof(uint64_t);
    if (is_capacity)
        *value = v->block.pages != NULL ? sectors(v) >> 8 * (offset - CONFIGURATION) : 0;
    else
        *value = read_register(v, offset);
    return bytes == 4 || offset >= CONFIGURATION;
}

static bool write(void *device, uint64_t offset, unsigned bytes, uint64_t value) {
    struct virtio *v = device;
    if (bytes != 4 && offset < CONFIGURATION)
        return false;
    if (v->block.pages == NULL)
        return true; // nobody is there
    if (offset == NOTIFY)
        queue_take(v);
    else
        write_register(v, offset, value);
    return true;
}

void virtio_init(struct virtio *v, unsigned slot, struct system *system, struct plic *plic,
                 struct paged *disk, uint64_t disk_bytes) {
    *v = (struct virtio){
        .system = system,
        .plic = plic,
        .irq = VIRTIO_IRQ + slot,
        .block = {.system = system, .pages = disk, .bytes = disk_bytes},
    };
    uint64_t start = VIRTIO_START + slot * VIRTIO_BYTES;
    bus_add(&system->bus, (struct bus_device){start, VIRTIO_BYTES, read, write, v});
}
