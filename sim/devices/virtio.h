// A virtio block device with its MMIO transport (Virtual I/O Device 1.1, sections 4.2 and 5.2),
// modern or legacy. It has one queue. A request takes some time; its bytes move when that is over.
#pragma once
#include "devices/queue.h"

// Puts a device in that slot, with that disk, which stays the caller's; an empty slot has none. The
// disk has disk_bytes, a multiple of 512.
void virtio_init(struct virtio *v, unsigned slot, struct system *system, struct plic *plic,
                 struct paged *disk, uint64_t disk_bytes);
