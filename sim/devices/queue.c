// The queue of a virtio block device.
#include "devices/queue.h"

enum { USED_RING = 1, CONFIGURATION_CHANGED = 2, DRIVER_OK = 4, NEEDS_RESET = 64 };
enum { LATENCY = 5000, EARLY = 8 };

static void interrupt(struct virtio *v, uint32_t reason) {
    v->r.interrupts |= reason;
    plic_set(v->plic, v->irq, true);
}

// The driver has given the device something that makes no sense; the device goes on after a reset.
static void give_up(struct virtio *v) {
    v->r.status |= NEEDS_RESET;
    v->r.in_flight = 0;
    interrupt(v, CONFIGURATION_CHANGED);
}

// ---- Taking ----

static bool varies(const struct virtio *v) {
    return (v->system->profile & PROFILE_TIMING) != 0;
}

// Returns when a request that is given now ends.
static uint64_t due(struct virtio *v) {
    return system_now(v->system) +
           (varies(v) ? 1 + system_random(v->system) % (8 * LATENCY) : LATENCY);
}

static struct block_request request_at(const struct virtio *v, uint32_t head) {
    return (struct block_request){
        .table = v->r.descriptors,
        .count = v->r.queue_size,
        .head = head,
        .is_cached = (v->r.driver_features[0] & VIRTIO_FLUSHES) != 0,
    };
}

// Takes the request whose chain begins there.
static void take(struct virtio *v, uint16_t head) {
    struct block *b = &v->block;
    v->r.requests[v->r.in_flight++] = (struct virtio_request){due(v), head};
    if (b->medium != NULL && block_is_flush(b, request_at(v, head)) &&
        !medium_flush_begins(b->medium, b->pages))
        v->system->bus.is_out_of_memory = true;
    if (varies(v) && system_random(v->system) % EARLY == 0)
        interrupt(v, USED_RING); // too early: a driver must look at the ring
}

void queue_take(struct virtio *v) {
    struct virtio_registers *r = &v->r;
    uint16_t index;
    if (v->block.pages == NULL || !r->queue_ready || r->queue_size == 0 ||
        !(r->status & DRIVER_OK) || (r->status & NEEDS_RESET))
        return;
    if (!block_get(&v->block, r->available + 2, &index, sizeof index))
        return give_up(v);
    while ((uint16_t)r->available_seen != index && r->in_flight < VIRTIO_IN_FLIGHT) {
        uint16_t head, place = (uint16_t)r->available_seen % r->queue_size;
        if (!block_get(&v->block, r->available + 4 + 2 * place, &head, sizeof head) ||
            head >= r->queue_size)
            return give_up(v);
        take(v, head);
        r->available_seen = (uint16_t)(r->available_seen + 1);
    }
}

// ---- Ending ----

// Serves a request and reports it in the used ring.
static void end_request(struct virtio *v, uint32_t head) {
    struct virtio_registers *r = &v->r;
    struct block_request request = request_at(v, head);
    uint16_t index;
    struct {
        uint32_t head, bytes;
    } element = {head, 0};
    if (v->errors != 0 && system_random(v->system) % v->errors == 0)
        request.failure = system_random(v->system) | 1;
    if (!block_serve(&v->block, request, &element.bytes) ||
        !block_get(&v->block, r->used + 2, &index, sizeof index))
        return give_up(v);
    uint64_t place = r->used + 4 + 8 * (index % r->queue_size);
    index++;
    if (!block_put(&v->block, place, &element, sizeof element) ||
        !block_put(&v->block, r->used + 2, &index, sizeof index))
        return give_up(v);
    interrupt(v, USED_RING);
}

uint64_t queue_update(struct virtio *v) {
    struct virtio_registers *r = &v->r;
    uint64_t next = UINT64_MAX;
    bool was_full = r->in_flight == VIRTIO_IN_FLIGHT;
    for (unsigned i = 0; i < r->in_flight;) {
        struct virtio_request request = r->requests[i];
        if (request.due > v->system->time) {
            i++;
            continue;
        }
        r->in_flight--;
        for (unsigned j = i; j < r->in_flight; j++)
            r->requests[j] = r->requests[j + 1];
        end_request(v, request.head);
    }
    if (was_full)
        queue_take(v); // there was no room for them
    for (unsigned i = 0; i < r->in_flight; i++) {
        if (r->requests[i].due < next)
            next = r->requests[i].due;
    }
    return next;
}

// ---- Power ----

// Requests under way, in the order in which they would end, are done in a copy of the disk. Later,
// chance decides for each sector.
bool queue_lose_power(const struct virtio *v, uint64_t chance, struct paged *left) {
    struct paged cached;
    struct block b = v->block;
    uint32_t written;
    if (!paged_copy(&cached, b.pages))
        return false;
    b.pages = &cached;
    b.medium = NULL;
    b.written = NULL;
    for (uint64_t done = 0; done < v->r.in_flight; done++) {
        struct block_request request = request_at(v, v->r.requests[done].head);
        request.is_cut = true;
        if (medium_chooses(chance, UINT64_MAX - done))
            block_serve(&b, request, &written);
    }
    bool is_made = medium_without_power(v->block.medium, &cached, chance, left);
    paged_destroy(&cached);
    return is_made;
}
