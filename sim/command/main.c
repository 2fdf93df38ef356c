// Runs a kernel in the user's terminal.
#include "command/console.h"
#include "command/debugger.h"
#include "command/explore.h"
#include "command/image.h"
#include "command/observed.h"
#include "command/options.h"
#include "command/power.h"
#include "command/run.h"
#include "cpu/breakpoints.h"
#include "debug/symbols.h"
#include "memory/host.h"
#include "snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE_BYTES = 200 };

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

static struct machine *make_machine(const struct options *o, struct machine_file *kernel) {
    struct machine_file image = {NULL, 0}, firmware;
    *kernel = read_or_fail(o->kernel);
    if (o->image != NULL)
        image = read_or_fail(o->image);
    if (o->firmware != NULL)
        firmware = read_or_fail(o->firmware);
    if (o->image != NULL && !o->keeps_image && !image_open(o->image))
        fail(o->image, strerror(errno));
    struct machine *m = machine_create(&o->machine);
    const char *problem = "there is not enough memory";
    if (m != NULL)
        problem = machine_load(m, *kernel, o->firmware != NULL ? &firmware : NULL);
    if (problem == NULL && o->image != NULL && !machine_set_disk(m, image.bytes, image.size))
        problem = "there is not enough memory for the disk";
    if (problem != NULL) {
        machine_destroy(m);
        fail(o->kernel, problem);
    }
    if (o->image != NULL && !o->keeps_image && !o->loses_power) {
        m->slots[0].block.written = save;
        m->slots[0].block.owner = m;
    }
    return m;
}

// ---- Stopping and tracing ----

// Sets a breakpoint where the user wants the run, or what comes before it, to end: also where the
// program executes the instruction before it has a page table.
static void stop_at(struct machine *m, const struct symbols *symbols, const char *place) {
    uint64_t address;
    char *end;
    if (strncmp(place, "0x", 2) == 0) {
        errno = 0;
        address = strtoull(place, &end, 0);
        if (place[2] == '\0' || *end != '\0' || errno != 0 || address % 2 != 0)
            fail(place, "this is not the address of an instruction");
    } else if (symbols == NULL) {
        fail(place, "the kernel's file has no symbols");
    } else if (!symbols_find(symbols, place, &address)) {
        fail(place, "the kernel has no function of that name");
    }
    if (!breakpoints_add(&m->system, address))
        fail(place, "this is not the address of an instruction");
    breakpoints_add(&m->system, symbols_physical(symbols, address));
}

static void put_line(void *owner, const char *line) {
    if (fprintf(owner, "%s\n", line) < 0)
        fail("the trace", strerror(errno));
}

static bool open_trace(const struct options *o, struct trace *t) {
    if (o->trace == NULL)
        return false;
    t->only_traps = o->traces_only_traps;
    t->from = o->trace_from;
    t->put = put_line;
    t->owner = strcmp(o->trace, "-") == 0 ? stderr : fopen(o->trace, "w");
    if (t->owner == NULL)
        fail(o->trace, strerror(errno));
    trace_init(t);
    return true;
}

// ---- Running ----

static enum machine_stop run_debugger(const struct options *o, struct machine *m) {
    const char *problem = debugger_open(o->debugger);
    if (problem != NULL)
        fail(o->debugger, problem);
    fprintf(stderr, "sim: waiting for gdb: target remote %s\n", o->debugger);
    return debugger_run(m, o->end);
}

static enum machine_stop run_observed(const struct options *o, struct machine *m) {
    if (!memory_file_open(o->shown, o->machine.memory_bytes))
        fail(o->shown, strerror(errno));
    return observed_run(m, o->observer);
}

static enum machine_stop run_machine(const struct options *o, struct machine *m,
                                     struct trace *trace) {
    if (o->observer >= 0)
        return run_observed(o, m);
    if (o->debugger != NULL)
        return run_debugger(o, m);
    if (o->power_losses != NULL)
        return power_run(m, o);
    enum machine_stop stop = run(m, open_trace(o, trace) ? trace : NULL, o->end);
    if (o->loses_power && !o->keeps_image)
        power_save(m, o->machine.seed, stop == STOP_TIME);
    return stop;
}

// ---- The end ----

// Returns why the machine has stopped, and where.
static const char *reason(const struct machine *m, enum machine_stop stop,
                          const struct symbols *symbols) {
    static char place[PLACE_BYTES];
    struct text t = text_in(place, sizeof place);
    const struct pause *pause = &m->system.breakpoints.pause;
    if (stop != STOP_BREAKPOINT)
        return run_reason(stop);
    text_add(&t, "stopped at ");
    if (!symbols_add_name(symbols, pause->address, &t))
        text_add_address(&t, pause->address);
    text_add(&t, " (hart ");
    text_add_number(&t, pause->hart);
    text_add(&t, ")");
    return place;
}

int main(int argc, char **argv) {
    struct options o = options_read(argc, argv);
    o.machine.put = console_put;
    if (!console_open(o.input))
        fail(o.input != NULL ? o.input : "the terminal", strerror(errno));
    struct machine_file kernel;
    struct machine *m = make_machine(&o, &kernel);
    struct symbols *symbols = symbols_read(kernel.bytes, kernel.size);
    struct trace trace = {.machine = m, .symbols = symbols};
    if (o.stop_at != NULL)
        stop_at(m, symbols, o.stop_at);
    if (o.explores) {
        if (o.explore_from_place != NULL)
            stop_at(m, symbols, o.explore_from_place);
        int failed = explore(m, &o, symbols);
        symbols_free(symbols);
        machine_destroy(m);
        return failed;
    }
    enum machine_stop stop = run_machine(&o, m, &trace);
    int status = stop == STOP_FINISHED ? machine_exit_status(m) : 1;
    uint64_t idle = machine_idle_time(m);
    fprintf(stderr,
            "sim: %s after %" PRIu64 " instructions (%" PRIu64 " idle); state %016" PRIx64 "\n",
            reason(m, stop, symbols), machine_time(m) - idle, idle, snapshot_hash(m));
    symbols_free(symbols);
    machine_destroy(m);
    return status;
}
