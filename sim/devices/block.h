// What a virtio block device does for a request: it follows the chain of descriptors.
#pragma once
#include "devices/virtio.h"

enum { SECTOR_BYTES = 512 };

// Serves the request whose chain begins at that descriptor; stores how many bytes it has written to
// memory. Returns false if the chain makes no sense.
bool block_serve(struct virtio *v, uint32_t head, uint32_t *written);

// Copy from or to the guest's memory. Return false outside it.
bool block_get(const struct virtio *v, uint64_t address, void *bytes, uint64_t count);
bool block_put(struct virtio *v, uint64_t address, const void *bytes, uint64_t count);
