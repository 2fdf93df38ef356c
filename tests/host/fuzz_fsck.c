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

// Completes what begins like a record: a fuzzer does not find the right numbers and checksums.
static void seal_records(const struct image *image) {
    const struct superblock *super = image_super(image);
    uint64_t sequence = 1;
    for (uint32_t position = 0; position < super->log_blocks; sequence++) {
        struct log_header *h = image_block(image, (uint64_t)super->log_start + position);
        if (h->sector[0].magic != LOG_MAGIC)
            return;
        for (unsigned i = 0; i < LOG_SECTORS; i++) {
            h->sector[i].magic = LOG_MAGIC;
            h->sector[i].sequence = sequence;
        }
        if (!log_header_fits(h, super, position, sequence))
            return;
        struct checksum sum;
        checksum_begin(&sum);
        checksum_add(&sum, h + 1, (size_t)h->sector[0].count * BLOCK_SIZE);
        h->sector[0].checksum = log_checksum_end(&sum, h);
        position += 1 + h->sector[0].count;
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
            seal_records(&image);
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
