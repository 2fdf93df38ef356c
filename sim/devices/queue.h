// A virtio block device, and its queue: what becomes of the driver's requests.
#pragma once
#include "devices/block.h"
#include "devices/plic.h"

enum { VIRTIO_SLOTS = 8, VIRTIO_IRQ = 1, VIRTIO_QUEUE_MAX = 1024, VIRTIO_IN_FLIGHT = 64 };
enum { VIRTIO_FLUSHES = 1u << 9 }; // a feature

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
    uint64_t errors;    // one of so many requests ends with an error; 0: none
    struct block block; // without pages: an empty slot
};

// Takes new requests from the available ring, as many as there is room for.
void queue_take(struct virtio *v);

// Ends the requests that are due. Returns when the next one is, in system time; UINT64_MAX if none
// is in flight.
uint64_t queue_update(struct virtio *v);

// Makes `left` what the disk would hold if the power failed now. Requests that are under way may
// have done a part of their work. The machine is not changed. Returns false without memory.
bool queue_lose_power(const struct virtio *v, uint64_t chance, struct paged *left);
