// Feeds machine_read with random blobs. It must not read outside the blob, and what it accepts must
// be usable.
#include <stdlib.h>
#include <string.h>

#include "abi/types.h"
#include "dev/machine.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

char *string_copy(char *to, const char *from, size_t size) {
    size_t n = strlen(from) < size ? strlen(from) : size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
    return to;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct machine m;
    // A copy of its own, so that the sanitizer notices a read past its end.
    char *blob = malloc(size);
    if (size > 0)
        memcpy(blob, data, size);
    if (machine_read(&m, blob, size, 0) == 0) {
        REQUIRE(m.ram_start < m.ram_end);
        REQUIRE(m.hart_count >= 1 && m.hart_count <= HARTS_MAX);
        REQUIRE(m.hart_ids[0] == 0);
        REQUIRE(m.timer_hz > 0);
        REQUIRE(m.uart.irq > 0 && m.uart.irq < IRQS_MAX);
        REQUIRE(m.virtio_count <= VIRTIO_MAX);
        for (unsigned i = 0; i < m.virtio_count; i++)
            REQUIRE(m.virtio[i].irq > 0 && m.virtio[i].irq < IRQS_MAX);
        REQUIRE(memchr(m.command_line, '\0', sizeof m.command_line) != NULL);
    }
    free(blob);
    return 0;
}
