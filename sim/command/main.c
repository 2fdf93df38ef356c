// Runs a kernel in the user's terminal.
#include "command/console.h"
#include "command/explore.h"
#include "command/image.h"
#include "command/options.h"
#include "memory/host.h"
#include "snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INSTRUCTIONS_PER_MILLISECOND = 100000 };
enum { SLICE = INSTRUCTIONS_PER_MILLISECOND }; // between two looks at what is typed

void *host_alloc(size_t bytes) {
    return calloc(1, bytes);
}

void host_free(void *memory) {
    free(memory);
}

_Noreturn static void fail(const char *name, const char *problem) {
    fprintf(stderr, "sim: %s: %s\n", name, problem);
    exit(2);
}

// The guest has written to the disk.
static void save(void *owner, uint64_t start, uint64_t bytes) {
    const struct machine *m = owner;
    while (bytes > 0) {
        uint64_t offset = start % PAGE_BYTES, part = PAGE_BYTES - offset;
        if (part > bytes)
            part = bytes;
        image_write(start, paged_read(&m->disk, start / PAGE_BYTES) + offset, part);
        start += part;
        bytes -= part;
    }
}

static struct machine_file read_or_fail(const char *name) {
    struct machine_file file;
    if (!file_read(name, &file))
        fail(name, strerror(errno));
    return file;
}

static struct machine *make_machine(const struct options *o) {
    struct machine_file kernel = read_or_fail(o->kernel), image = {NULL, 0}, firmware;
    if (o->image != NULL)
        image = read_or_fail(o->image);
    if (o->firmware != NULL)
        firmware = read_or_fail(o->firmware);
    if (o->image != NULL && !o->keeps_image && !image_open(o->image))
        fail(o->image, strerror(errno));
    struct machine *m = machine_create(&o->machine);
    const char *problem = "there is not enough memory";
    if (m != NULL)
        problem = machine_load(m, kernel, o->firmware != NULL ? &firmware : NULL);
    if (problem == NULL && o->image != NULL && !machine_set_disk(m, image.bytes, image.size))
        problem = "there is not enough memory for the disk";
    if (problem != NULL) {
        machine_destroy(m);
        fail(o->kernel, problem);
    }
    if (o->image != NULL && !o->keeps_image) {
        m->slots[0].block.written = save;
        m->slots[0].block.owner = m;
    }
    return m;
}

// Runs until the machine ends or is left; returns why. While all harts wait, time passes as it does
// for the user.
static enum machine_stop run(struct machine *m, uint64_t end) {
    for (;;) {
        uint64_t now = machine_time(m), idle = machine_idle_time(m);
        enum machine_stop stop = machine_run(m, end - now < SLICE ? end : now + SLICE);
        console_flush();
        if ((stop != STOP_TIME && stop != STOP_IDLE) || machine_time(m) >= end)
            return stop;
        if (console_leaves())
            return stop;
        bool is_idle = stop == STOP_IDLE;
        if (!machine_can_type(m)) {
            if (is_idle)
                return stop; // typing does not wake it
            continue;
        }
        int waited = (machine_idle_time(m) - idle) / INSTRUCTIONS_PER_MILLISECOND;
        int byte = console_get(is_idle ? CONSOLE_FOREVER : waited);
        if (byte >= 0)
            machine_type(m, byte);
        if (byte == CONSOLE_LEAVE || (byte == CONSOLE_END && is_idle))
            return stop;
    }
}

static const char *reason(enum machine_stop stop) {
    switch (stop) {
    case STOP_FINISHED:
        return "the guest has ended";
    case STOP_RESET:
        return "the guest wants to start again";
    case STOP_IDLE:
        return "all harts wait for what nobody will type";
    case STOP_NO_MEMORY:
        return "this computer has no memory left";
    default:
        return "stopped";
    }
}

int main(int argc, char **argv) {
    struct options o = options_read(argc, argv);
    o.machine.put = console_put;
    if (!console_open(o.input))
        fail(o.input != NULL ? o.input : "the terminal", strerror(errno));
    struct machine *m = make_machine(&o);
    if (o.explores)
        return explore(m, &o);
    enum machine_stop stop = run(m, o.end);
    int status = stop == STOP_FINISHED ? machine_exit_status(m) : 1;
    uint64_t idle = machine_idle_time(m);
    fprintf(stderr,
            "sim: %s after %" PRIu64 " instructions (%" PRIu64 " idle); state %016" PRIx64 "\n",
            reason(stop), machine_time(m) - idle, idle, snapshot_hash(m));
    machine_destroy(m);
    return status;
}
