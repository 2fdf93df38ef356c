// Losses of power.
#include "command/power.h"
#include "command/console.h"
#include "command/image.h"
#include "command/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 4096 };

_Noreturn static void fail(const char *name, const char *problem) {
    fprintf(stderr, "sim: %s: %s\n", name, problem);
    exit(1);
}

// To a new file, or, if that is NULL, to the image.
static void save(const struct paged *pages, uint64_t bytes, FILE *file) {
    for (uint64_t start = 0; start < bytes; start += PAGE_BYTES) {
        size_t count = bytes - start < PAGE_BYTES ? bytes - start : PAGE_BYTES;
        const uint8_t *from = paged_read(pages, start / PAGE_BYTES);
        if (file != NULL)
            fwrite(from, 1, count, file); // fclose says whether it went well
        else
            image_write(start, from, count);
    }
}

static void save_lost(const struct machine *m, uint64_t chance, FILE *file) {
    struct paged left;
    if (!queue_lose_power(&m->slots[0], chance, &left))
        fail("the disk", "there is not enough memory");
    save(&left, m->slots[0].block.bytes, file);
    paged_destroy(&left);
}

void power_save(const struct machine *m, uint64_t chance, bool is_lost) {
    if (is_lost)
        save_lost(m, chance, NULL);
    else
        save(&m->disk, m->slots[0].block.bytes, NULL);
}

// What was printed before is what the guest has said by then.
static void leave_image(const struct machine *m, const char *folder, uint64_t chance) {
    char name[NAME_BYTES];
    uint64_t time = machine_time(m);
    int length = snprintf(name, sizeof name, "%s/%" PRIu64 ".img", folder, time);
    FILE *file = length < (int)sizeof name ? fopen(name, "wb") : NULL;
    if (file == NULL)
        fail(folder, strerror(errno));
    save_lost(m, chance, file);
    bool is_bad = ferror(file) != 0;
    if (fclose(file) != 0 || is_bad)
        fail(name, "it cannot be written");
    console_flush();
    fprintf(stderr, "sim: the power may be lost at %" PRIu64 "\n", time);
}

enum machine_stop power_run(struct machine *m, const struct options *o) {
    uint64_t chance = o->machine.seed;
    for (;;) {
        uint64_t left = o->end - machine_time(m), step = 1 + random_next(&chance) % o->loss_every +
                                                         random_next(&chance) % o->loss_every;
        enum machine_stop stop = run(m, NULL, machine_time(m) + (step < left ? step : left));
        if (stop != STOP_TIME || machine_time(m) >= o->end || console_leaves())
            return stop;
        leave_image(m, o->power_losses, random_next(&chance));
    }
}
