// A virtio block device with its MMIO transport (Virtual I/O Device 1.1, sections 4.2 and 5.2),
// modern or legacy. It has one queue. A request takes some time; its bytes move when that is over.
#pragma once
#include "devices/block.h"
#include "devices/plic.h"

enum { VIRTIO_SLOTS = 8, VIRTIO_IRQ = 1, VIRTIO_QUEUE_MAX = 1024, VIRTIO_IN_FLIGHT = 64 };

#define VIRTIO_START 0x10001000u
#define VIRTIO_BYTES 0x1000u

struct virtio_request {
    uint64_t due;  // system time
    uint64_t head; // descriptor
};

struct virtio_registers {
    uint32_t device_select, driver_select, status, interrupts, page_bytes;
    uint32_t driver_features[2];
    uint32_t queue_select, queue_size, queue_ready, queue_align;
    uint32_t available_seen; // index in the available ring up to which requests were taken; 16 bits
    uint64_t descriptors, available, used; // addresses of the queue's parts
    uint32_t in_flight, unused;
    struct virtio_request requests[VIRTIO_IN_FLIGHT];
};

struct virtio {
    struct virtio_registers r;
    struct system *system;
    struct plic *plic;
    unsigned irq;
    bool is_legacy;
    struct block block; // without pages: an empty slot
};

// Puts a device in that slot, with that disk, which stays the caller's; an empty slot has none. The
// disk has disk_bytes, a multiple of 512.
void virtio_init(struct virtio *v, unsigned slot, struct system *system, struct plic *plic,
                 struct paged *disk, uint64_t disk_bytes);

// Ends the requests that are due. Returns when the next one is, in system time; UINT64_MAX if none
// is in flight.
uint64_t virtio_update(struct virtio *v);
