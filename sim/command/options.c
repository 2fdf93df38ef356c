// The command line.
#include "command/options.h"
#include "command/profiles.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_DEFAULT = 128, MEMORY_MAX = 4096, MEBIBYTE = 1 << 20 };

static const char help[] =
    "usage: sim KERNEL [IMAGE] [options]\n"
    "\n"
    "Runs a kernel on a simulated RISC-V machine, with a console and a disk. Ctrl-A X leaves.\n"
    "\n"
    "  --harts N      1 to 8; 1\n"
    "  --mem M        MiB of memory; 128\n"
    "  --append TEXT  the kernel's command line\n"
    "  --seed S       decides what the machine does by chance; 1\n"
    "  --profile P    how unkind it is: kind; or some of tlb,svade,icache,stores,timing; or all\n"
    "  --firmware F   OpenSBI's fw_dynamic.bin, instead of the simulator's own firmware\n"
    "  --legacy-disk  the disk is as before version 1.0 of virtio, as old xv6 wants it\n"
    "  --snapshot     do not write the disk's changes to IMAGE\n"
    "  --disk-errors N  one of N requests to the disk fails, by chance\n"
    "  --power-loss-at N  the power fails after N instructions; IMAGE is left as a disk would be\n"
    "  --power-losses D   put into folder D what the disk would hold then, for many times\n"
    "  --loss-every N     which are N instructions apart, on average; 10000\n"
    "  --input FILE   type the file, as fast as the guest reads it\n"
    "  --stop-at N    end after N instructions; or before the instruction at an address (0x...), "
    "or\n"
    "                 at a function of the kernel: NAME or NAME+0x10\n"
    "  --trace FILE   write a line for each instruction and each trap; -: to stderr\n"
    "  --trace-from N leave out what happens before time N\n"
    "  --trace-traps  only traps\n"
    "  --gdb SOCKET   wait for gdb at a path, HOST:PORT or :PORT; it can also go back in time\n"
    "  --observe FD   for programs: speak gdb's protocol over an open socket, with --memory-file\n"
    "  --memory-file FILE  show memory in that file whenever the machine stops\n"
    "\n"
    "  --explore N    run N schedules of the harts, and say which do not end with status 0\n"
    "  --schedule I   run the one of that number again, with its output\n"
    "  --from N       schedules begin after N instructions, or where a place is first reached, as "
    "in\n"
    "                 --stop-at; 0\n"
    "  --limit N      a schedule fails after N instructions; 100 million\n";

_Noreturn static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("sim: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("; sim --help says what can be given\n", stderr);
    va_end(arguments);
    exit(2);
}

// Reads a number between the two.
static uint64_t number(const char *name, const char *text, uint64_t least, uint64_t most) {
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < least || value > most)
        fail("--%s %s: this must be a number from %" PRIu64 " to %" PRIu64, name, text, least,
             most);
    return value;
}

// Reads a time, or a place of the program, which is then stored instead.
static void time_or_place(const char *name, const char *text, uint64_t least, uint64_t *time,
                          const char **place) {
    bool is_time = *text >= '0' && *text <= '9' && strncmp(text, "0x", 2) != 0;
    if (is_time)
        *time = number(name, text, least, UINT64_MAX);
    else
        *place = text;
}

// As QEMU's -m: MiB, or with a suffix.
static uint64_t memory_bytes(const char *text) {
    char digits[16];
    size_t length = strlen(text), unit = 1;
    if (length == 0 || length >= sizeof digits)
        fail("--mem %s: this must be a number of MiB", text);
    memcpy(digits, text, length + 1);
    char suffix = digits[length - 1];
    if (suffix == 'M' || suffix == 'G') {
        unit = suffix == 'G' ? 1024 : 1;
        digits[length - 1] = '\0';
    }
    return number("mem", digits, 1, MEMORY_MAX / unit) * unit * MEBIBYTE;
}

enum option_number {
    HARTS = 1,
    MEM,
    APPEND,
    SEED,
    PROFILE,
    FIRMWARE,
    LEGACY_DISK,
    SNAPSHOT,
    DISK_ERRORS,
    POWER_LOSS_AT,
    POWER_LOSSES,
    LOSS_EVERY,
    INPUT,
    STOP_AT,
    TRACE,
    TRACE_FROM,
    TRACE_TRAPS,
    GDB,
    OBSERVE,
    MEMORY_FILE,
    EXPLORE,
    SCHEDULE,
    FROM,
    LIMIT,
    HELP
};

static const struct option known[] = {
    {"harts", required_argument, NULL, HARTS},
    {"mem", required_argument, NULL, MEM},
    {"append", required_argument, NULL, APPEND},
    {"seed", required_argument, NULL, SEED},
    {"profile", required_argument, NULL, PROFILE},
    {"firmware", required_argument, NULL, FIRMWARE},
    {"legacy-disk", no_argument, NULL, LEGACY_DISK},
    {"snapshot", no_argument, NULL, SNAPSHOT},
    {"disk-errors", required_argument, NULL, DISK_ERRORS},
    {"power-loss-at", required_argument, NULL, POWER_LOSS_AT},
    {"power-losses", required_argument, NULL, POWER_LOSSES},
    {"loss-every", required_argument, NULL, LOSS_EVERY},
    {"input", required_argument, NULL, INPUT},
    {"stop-at", required_argument, NULL, STOP_AT},
    {"trace", required_argument, NULL, TRACE},
    {"trace-from", required_argument, NULL, TRACE_FROM},
    {"trace-traps", no_argument, NULL, TRACE_TRAPS},
    {"gdb", required_argument, NULL, GDB},
    {"observe", required_argument, NULL, OBSERVE},
    {"memory-file", required_argument, NULL, MEMORY_FILE},
    {"explore", required_argument, NULL, EXPLORE},
    {"schedule", required_argument, NULL, SCHEDULE},
    {"from", required_argument, NULL, FROM},
    {"limit", required_argument, NULL, LIMIT},
    {"help", no_argument, NULL, HELP},
    {0},
};

// Options for schedules.
static void read_schedule_option(struct options *o, int option, const char *value) {
    switch (option) {
    case EXPLORE:
        o->explores = o->keeps_image = true;
        o->schedules = number("explore", value, 1, UINT64_MAX);
        break;
    case SCHEDULE:
        o->explores = o->keeps_image = true;
        o->schedule = number("schedule", value, 0, UINT64_MAX);
        break;
    case FROM:
        time_or_place("from", value, 0, &o->explore_from, &o->explore_from_place);
        break;
    case LIMIT:
        o->schedule_instructions = number("limit", value, 1, UINT64_MAX);
        break;
    default:
        exit(2); // getopt_long has said why
    }
}

// Options to see what happens.
static void read_debug_option(struct options *o, int option, const char *value) {
    switch (option) {
    case STOP_AT:
        time_or_place("stop-at", value, 1, &o->end, &o->stop_at);
        break;
    case TRACE:
        o->trace = value;
        break;
    case TRACE_FROM:
        o->trace_from = number("trace-from", value, 0, UINT64_MAX);
        break;
    case TRACE_TRAPS:
        o->traces_only_traps = true;
        break;
    case GDB:
        o->debugger = value;
        break;
    case OBSERVE:
        o->observer = (int)number("observe", value, 0, INT_MAX);
        break;
    case MEMORY_FILE:
        o->shown = value;
        break;
    default:
        read_schedule_option(o, option, value);
    }
}

// Options for disks that are not kind.
static void read_disk_option(struct options *o, int option, const char *value) {
    switch (option) {
    case DISK_ERRORS:
        o->machine.disk_errors = number("disk-errors", value, 1, UINT64_MAX);
        break;
    case POWER_LOSS_AT:
        o->end = number("power-loss-at", value, 1, UINT64_MAX);
        o->loses_power = true;
        break;
    case POWER_LOSSES:
        o->power_losses = value;
        break;
    case LOSS_EVERY:
        o->loss_every = number("loss-every", value, 1, UINT32_MAX);
        break;
    default:
        read_debug_option(o, option, value);
    }
}

static void read_option(struct options *o, int option, const char *value) {
    switch (option) {
    case HARTS:
        o->machine.harts = number("harts", value, 1, HARTS_MAX);
        break;
    case MEM:
        o->machine.memory_bytes = memory_bytes(value);
        break;
    case APPEND:
        o->machine.arguments = value;
        break;
    case SEED:
        o->machine.seed = number("seed", value, 0, UINT64_MAX);
        break;
    case PROFILE:
        if (!profiles_read(value, &o->machine.profile))
            fail("--profile %s: these must be some of " PROFILE_NAMES, value);
        break;
    case FIRMWARE:
        o->firmware = value;
        break;
    case LEGACY_DISK:
        o->machine.legacy_disk = true;
        break;
    case SNAPSHOT:
        o->keeps_image = true;
        break;
    case INPUT:
        o->input = value;
        break;
    case HELP:
        fputs(help, stdout);
        exit(0);
    default:
        read_disk_option(o, option, value);
    }
}

struct options options_read(int argc, char **argv) {
    struct options o = {
        .machine = {.harts = 1, .memory_bytes = MEMORY_DEFAULT * MEBIBYTE, .seed = 1},
        .end = UINT64_MAX,
        .observer = -1,
        .loss_every = 10 * 1000,
        .schedule_instructions = 100 * 1000 * 1000,
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        read_option(&o, option, optarg);
    if (argc - optind < 1 || argc - optind > 2)
        fail("a kernel is needed, and perhaps an image");
    if (o.trace == NULL && (o.trace_from != 0 || o.traces_only_traps))
        fail("--trace-from and --trace-traps need --trace FILE");
    if (o.debugger != NULL && (o.trace != NULL || o.stop_at != NULL))
        fail("--gdb and --trace, or a place to stop at, do not go together");
    if (o.explores && (o.debugger != NULL || o.trace != NULL || o.stop_at != NULL ||
                       o.input != NULL || o.end != UINT64_MAX))
        fail("schedules do not go together with --gdb, --trace, --stop-at or --input");
    if ((o.observer >= 0) != (o.shown != NULL))
        fail("--observe and --memory-file go together");
    if (o.observer >= 0 && (o.debugger != NULL || o.trace != NULL || o.stop_at != NULL ||
                            o.explores || o.input != NULL || o.end != UINT64_MAX))
        fail("--observe does not go together with other ways to look at the machine");
    if ((o.loses_power || o.power_losses != NULL) &&
        (o.explores || o.debugger != NULL || argc - optind < 2))
        fail("losses of power need an image, and do not go together with --gdb or schedules");
    if (o.power_losses != NULL && (o.loses_power || o.trace != NULL || o.stop_at != NULL))
        fail("--power-losses does not go together with --power-loss-at, --trace or a place");
    o.kernel = argv[optind];
    o.image = argv[optind + 1];
    return o;
}
