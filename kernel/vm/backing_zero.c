// Private memory that begins as zeroes.
#include "vm/backing_zero.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "lib/string.h"
#include "mem/frame.h"

int zero_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    *frame = r->promised ? frame_alloc_promised(FRAME_USER) : frame_alloc(FRAME_USER);
    if (*frame == NULL)
        return -ENOMEM;
    memset(frame_ptr(*frame), 0, PAGE_SIZE);
    return 0;
}

const struct backing backing_zero = {
    .name = "zero", .fill_kind = FAULT_ZERO_FILL, .get_page = zero_get_page};
