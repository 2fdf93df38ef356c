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

// A request that is being served.
struct service {
    struct block *block;
    struct block_request request;
    struct header header;
};

// Notes that there was no memory for the disk.
static void need(struct block *b, bool has_memory) {
    if (!has_memory)
        b->system->bus.is_out_of_memory = true;
}

// Copies bytes of one sector between the disk and memory.
static bool transfer_sector(struct block *b, uint64_t address, uint64_t place, uint32_t count,
                            bool to_disk) {
    uint8_t bytes[SECTOR_BYTES];
    if (to_disk) {
        block_get(b, address, bytes, count);
        need(b, paged_fill(b->pages, place, bytes, count));
        return true;
    }
    paged_fetch(b->pages, place, bytes, count);
    return block_put(b, address, bytes, count);
}

// Copies a part of the request, a sector at a time. Returns false if disk or memory ends before.
static bool transfer(struct service *s, const struct descriptor *d, uint64_t place, bool to_disk) {
    struct block *b = s->block;
    if (d->bytes > b->bytes || place > b->bytes - d->bytes ||
        !bus_is_memory(&b->system->bus, d->address, d->bytes))
        return false;
    if (to_disk && b->medium != NULL)
        need(b, medium_evict(b->medium, b->pages, place, d->bytes, system_now(b->system)));
    uint64_t failure = s->request.failure;
    for (uint32_t done = 0; done < d->bytes;) {
        uint32_t part = SECTOR_BYTES - (place + done) % SECTOR_BYTES;
        part = d->bytes - done < part ? d->bytes - done : part;
        bool is_done = failure == 0 || medium_chooses(failure, (place + done) / SECTOR_BYTES);
        if (is_done && !transfer_sector(b, d->address + done, place + done, part, to_disk))
            return false;
        done += part;
    }
    if (to_disk && b->written != NULL)
        b->written(b->owner, place, d->bytes);
    return true;
}

static uint8_t serve_part(struct service *s, const struct descriptor *d, uint64_t place) {
    static const char id[ID_BYTES] = "cow6";
    bool is_read = s->header.type == READ;
    switch (s->header.type) {
    case READ:
    case WRITE:
        if (is_read != ((d->flags & DEVICE_WRITES) != 0))
            return BAD;
        return transfer(s, d, place, !is_read) ? GOOD : BAD;
    case GET_ID:
        return block_put(s->block, d->address, id, d->bytes < ID_BYTES ? d->bytes : ID_BYTES) ? GOOD
                                                                                              : BAD;
    }
    return UNKNOWN;
}

// Goes to the header, and to what follows it.
static bool start_service(struct service *s, struct chain *c, struct descriptor *d) {
    *c = (struct chain){s->request.table, s->request.count, s->request.head, 0};
    return chain_start(s->block, c, d) && d->bytes >= sizeof s->header &&
           block_get(s->block, d->address, &s->header, sizeof s->header) &&
           chain_next(s->block, c, d);
}

bool block_is_flush(const struct block *b, struct block_request request) {
    struct service s = {(struct block *)b, request, {0}};
    struct chain c;
    struct descriptor d;
    return start_service(&s, &c, &d) && s.header.type == FLUSH;
}

// Ends the request; returns its status.
static uint8_t end_service(struct service *s, uint8_t status) {
    struct block *b = s->block;
    bool is_flush = s->header.type == FLUSH && status == GOOD && s->request.failure == 0;
    if (b->medium != NULL && is_flush)
        need(b, medium_flush_ends(b->medium));
    if (b->medium != NULL && s->header.type == WRITE && !s->request.is_cached)
        need(b, medium_settle(b->medium, b->pages));
    return s->request.failure == 0 ? status : BAD;
}

bool block_serve(struct block *b, struct block_request request, uint32_t *written) {
    struct service s = {b, request, {0}};
    struct chain c;
    struct descriptor d;
    if (!start_service(&s, &c, &d))
        return false;
    uint32_t type = s.header.type;
    uint64_t sector = s.header.sector;
    if (request.is_cut && type != WRITE)
        return true;
    bool is_known = type == READ || type == WRITE || type == FLUSH || type == GET_ID;
    uint8_t status = is_known ? GOOD : UNKNOWN;
    uint64_t place = sector < UINT64_MAX / SECTOR_BYTES ? sector * SECTOR_BYTES : UINT64_MAX;
    *written = 1;
    while (d.flags & HAS_NEXT) {
        if (status == GOOD)
            status = serve_part(&s, &d, place);
        place += d.bytes;
        *written += d.flags & DEVICE_WRITES ? d.bytes : 0;
        if (!chain_next(b, &c, &d))
            return false;
    }
    status = end_service(&s, status);
    return request.is_cut ||
           ((d.flags & DEVICE_WRITES) && d.bytes > 0 && block_put(b, d.address, &status, 1));
}
