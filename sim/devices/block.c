// Requests to a block device. A chain has a header, then the pages, and a byte for the status last;
// the parts may lie in the queue's table, or in a list that one descriptor names.
#include "devices/block.h"
#include "cpu/physical.h"

enum { HAS_NEXT = 1, DEVICE_WRITES = 2, IS_LIST = 4 };
enum { READ = 0, WRITE = 1, FLUSH = 4, GET_ID = 8 };
enum { GOOD = 0, BAD = 1, UNKNOWN = 2 };
enum { PARTS_MAX = 4096, ID_BYTES = 20 };

struct descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

// A place in a chain.
struct chain {
    uint64_t table;
    uint32_t count; // of descriptors in the table
    uint32_t index;
    uint32_t steps; // so far; a chain that is a ring does not end
};

bool block_get(const struct block *b, uint64_t address, void *bytes, uint64_t count) {
    if (!bus_is_memory(&b->system->bus, address, count))
        return false;
    paged_fetch(&b->system->bus.memory, address - MEMORY_START, bytes, count);
    return true;
}

bool block_put(struct block *b, uint64_t address, const void *bytes, uint64_t count) {
    for (unsigned i = 0; i < b->system->hart_count; i++)
        b->system->harts[i].r.reserved_address = RESERVED_NONE; // it may be there
    if (!bus_is_memory(&b->system->bus, address, count) ||
        !physical_fill(b->system, address, bytes, count))
        return false;
    struct observer *o = b->system->observer;
    if (o != NULL)
        o->changed(o, NULL, address, count);
    return true;
}

static bool get_descriptor(const struct block *b, struct chain *c, struct descriptor *d) {
    return c->index < c->count && c->steps++ < PARTS_MAX &&
           block_get(b, c->table + (uint64_t)c->index * sizeof *d, d, sizeof *d);
}

// Goes to the first descriptor of the chain, which may be in a list.
static bool chain_start(const struct block *b, struct chain *c, struct descriptor *d) {
    if (!get_descriptor(b, c, d))
        return false;
    if (!(d->flags & IS_LIST))
        return true;
    *c = (struct chain){d->address, d->bytes / sizeof *d, 0, 0};
    return get_descriptor(b, c, d) && !(d->flags & IS_LIST);
}

static bool chain_next(const struct block *b, struct chain *c, struct descriptor *d) {
    if (!(d->flags & HAS_NEXT))
        return false;
    c->index = d->next;
    return get_descriptor(b, c, d) && !(d->flags & IS_LIST);
}

// Copies between the disk and memory, a sector at a time. Returns false if either ends before.
static bool transfer(struct block *b, const struct descriptor *d, uint64_t place, bool to_disk) {
    uint8_t bytes[SECTOR_BYTES];
    if (d->bytes > b->bytes || place > b->bytes - d->bytes ||
        !bus_is_memory(&b->system->bus, d->address, d->bytes))
        return false;
    for (uint32_t done = 0; done < d->bytes;) {
        uint32_t part = d->bytes - done < sizeof bytes ? d->bytes - done : sizeof bytes;
        if (to_disk) {
            block_get(b, d->address + done, bytes, part);
            if (!paged_fill(b->pages, place + done, bytes, part))
                b->system->bus.is_out_of_memory = true;
        } else {
            paged_fetch(b->pages, place + done, bytes, part);
            if (!block_put(b, d->address + done, bytes, part))
                return false;
        }
        done += part;
    }
    if (to_disk && b->written != NULL)
        b->written(b->owner, place, d->bytes);
    return true;
}

static uint8_t serve_part(struct block *b, const struct header *h, const struct descriptor *d,
                          uint64_t place) {
    static const char id[ID_BYTES] = "cow6";
    bool is_read = h->type == READ;
    switch (h->type) {
    case READ:
    case WRITE:
        if (is_read != ((d->flags & DEVICE_WRITES) != 0))
            return BAD;
        return transfer(b, d, place, !is_read) ? GOOD : BAD;
    case GET_ID:
        return block_put(b, d->address, id, d->bytes < ID_BYTES ? d->bytes : ID_BYTES) ? GOOD : BAD;
    }
    return UNKNOWN;
}

bool block_serve(struct block *b, struct block_request request, uint32_t *written) {
    struct chain c = {request.table, request.count, request.head, 0};
    struct descriptor d;
    struct header h;
    if (!chain_start(b, &c, &d) || d.bytes < sizeof h || !block_get(b, d.address, &h, sizeof h) ||
        !chain_next(b, &c, &d))
        return false;
    bool is_transfer = h.type == READ || h.type == WRITE;
    uint8_t status = is_transfer || h.type == FLUSH || h.type == GET_ID ? GOOD : UNKNOWN;
    uint64_t place = h.sector < UINT64_MAX / SECTOR_BYTES ? h.sector * SECTOR_BYTES : UINT64_MAX;
    *written = 1;
    while (d.flags & HAS_NEXT) {
        if (status == GOOD)
            status = serve_part(b, &h, &d, place);
        place += d.bytes;
        *written += d.flags & DEVICE_WRITES ? d.bytes : 0;
        if (!chain_next(b, &c, &d))
            return false;
    }
    return (d.flags & DEVICE_WRITES) && d.bytes > 0 && block_put(b, d.address, &status, 1);
}
