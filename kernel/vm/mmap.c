// mmap: checks a request, chooses bounds and backing, and adds the region.
#include "vm/mmap.h"
#include "abi/errno.h"
#include "fs/file.h"
#include "vm/backing_file.h"
#include "vm/backing_shared.h"
#include "vm/backing_zero.h"

static bool makes_sense(const struct mmap_request *request) {
    unsigned kind = request->flags & ~(unsigned)(MAP_FIXED | MAP_ANONYMOUS);
    if (kind != MAP_SHARED && kind != MAP_PRIVATE)
        return false;
    if (request->flags & MAP_FIXED && request->address % PAGE_SIZE != 0)
        return false;
    if (request->offset % PAGE_SIZE != 0 || (int64_t)request->offset < 0)
        return false;
    return request->length > 0 && (request->protection & ~(uint64_t)PROT_ALL) == 0;
}

vaddr_t mmap_place(const struct addrspace *as, vaddr_t hint, uint64_t size) {
    if (size > USER_END)
        return 0;
    const struct region *next = addrspace_next(as, hint);
    bool is_possible = hint != 0 && hint % PAGE_SIZE == 0 && hint <= USER_END - size;
    if (is_possible && (next == NULL || next->start >= hint + size))
        return hint;
    vaddr_t end = USER_END;
    for (unsigned i = as->region_count; i > 0; i--) {
        if (end - as->regions[i - 1].end >= size)
            return end - size;
        end = as->regions[i - 1].start;
    }
    return end > size ? end - size : 0;
}

// Chooses the bounds of the new region.
static int choose_bounds(struct region *r, const struct addrspace *as,
                         const struct mmap_request *request) {
    if (request->length > USER_END)
        return -ENOMEM;
    uint64_t size = round_up(request->length, PAGE_SIZE);
    bool is_fixed = request->flags & MAP_FIXED;
    r->start = is_fixed ? request->address : mmap_place(as, request->address, size);
    r->end = r->start + size;
    bool has_place = is_fixed ? r->start <= USER_END - size : r->start != 0;
    return has_place ? 0 : -ENOMEM;
}

static int back_with_zeroes(struct region *r) {
    r->backing = &backing_zero;
    r->promised = r->protection != PROT_NONE;
    return 0;
}

static int back_with_shared_memory(struct region *r) {
    r->backing = &backing_shared;
    r->object = addrspace_create_shared(r->end - r->start);
    return r->object != NULL ? 0 : -ENOMEM;
}

static int back_with_file(struct region *r, const struct mmap_request *request) {
    bool is_shared = request->flags & MAP_SHARED;
    struct inode *ip;
    if (request->file == NULL)
        return -EBADF;
    int error = file_map(request->file, is_shared && r->protection & PROT_WRITE, &ip);
    if (error)
        return error;
    r->backing = is_shared ? &backing_shared_file : &backing_file;
    r->object = ip;
    r->backing->get(ip);
    return 0;
}

// Chooses the backing of the new region, and takes a reference to the object if there is one.
static int choose_backing(struct region *r, const struct mmap_request *request) {
    if (!(request->flags & MAP_ANONYMOUS))
        return back_with_file(r, request);
    return request->flags & MAP_SHARED ? back_with_shared_memory(r) : back_with_zeroes(r);
}

int mmap_create(struct addrspace *as, const struct mmap_request *request, vaddr_t *start) {
    struct region r = {.protection = (uint8_t)request->protection, .name = "mapping"};
    if (!makes_sense(request))
        return -EINVAL;
    if (r.protection & PROT_WRITE)
        r.protection |= PROT_READ; // RISC-V has no write-only pages
    int error = choose_bounds(&r, as, request);
    if (error)
        return error;
    r.offset = (request->flags & MAP_ANONYMOUS ? 0 : request->offset) - r.start;
    r.content_end = r.end;
    error = choose_backing(&r, request);
    if (error)
        return error;
    error = request->flags & MAP_FIXED ? addrspace_replace(as, &r) : addrspace_map(as, &r);
    if (error && r.object != NULL)
        r.backing->put(r.object);
    if (error == 0)
        *start = r.start;
    return error;
}
