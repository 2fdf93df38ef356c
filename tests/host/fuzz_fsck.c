// libFuzzer target: the image checker on any bytes. It may find what it likes, but must end, stay
// inside of the image and give its memory back. It starts from a small image of mkfs (tests/check.py).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mkfs/check.h"

const char program_name[] = "fuzz_fsck";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct image image = {.blocks = size / BLOCK_SIZE};
    image.bytes = malloc(image.blocks * BLOCK_SIZE); // not image_create: the sanitizer guards its ends
    if (image.bytes == NULL) return 0;
    memcpy(image.bytes, data, image.blocks * BLOCK_SIZE);
    struct check check;
    if (check_superblock(&check, &image)) {
        check_log(&check, true);
        check_contents(&check);
    }
    FILE *out = fopen("/dev/null", "w");
    if (out != NULL) {
        check_print(&check, out, true);
        fclose(out);
    }
    check_destroy(&check);
    free(image.bytes);
    return 0;
}
