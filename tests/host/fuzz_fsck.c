// libFuzzer target: the image checker on arbitrary bytes. Whatever it finds, it must end, stay
// inside the image and free its memory. The fuzzer starts from a small image made by mkfs
// (tests/check.py).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/logformat.h"
#include "mkfs/check.h"

const char program_name[] = "fuzz_fsck";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Completes what begins like a segment: a fuzzer does not find the right numbers and checksums.
static void seal_segments(const struct image *image) {
    const struct superblock *super = image_super(image);
    for (uint32_t position = 0; position < super->log_blocks;) {
        struct log_header *h = image_block(image, (uint64_t)super->log_start + position);
        uint32_t count = h->sector[0].count;
        if (h->sector[0].number == 0 || count > LOG_SEGMENT_MAX ||
            count >= super->log_blocks - position)
            return;
        struct log_sector *sector = (struct log_sector *)h;
        for (uint32_t i = 0; i < (1 + count) * LOG_SECTORS; i++)
            sector[i].number = sector[0].number;
        h->sector[0].checksum = log_checksum(h);
        position += 1 + count;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct image image = {.blocks = size / BLOCK_SIZE};
    image.bytes = malloc(image.blocks * BLOCK_SIZE); // whose ends the sanitizer guards
    if (image.bytes == NULL)
        return 0;
    memcpy(image.bytes, data, image.blocks * BLOCK_SIZE);
    struct check check;
    if (check_superblock(&check, &image)) {
        if (image.bytes[BLOCK_SIZE - 1] == 0)
            seal_segments(&image);
        check_log(&check, true);
        check_contents(&check);
    }
    FILE *out = fopen("/dev/null", "w");
    if (out != NULL) {
        findings_print(&check, out, true);
        fclose(out);
    }
    check_destroy(&check);
    free(image.bytes);
    return 0;
}
