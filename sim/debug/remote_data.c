// Registers, memory, breakpoints and descriptions.
#include "debug/remote_data.h"
#include "cpu/breakpoints.h"
#include "debug/description.h"
#include "debug/parse.h"
#include "debug/registers.h"

#include <string.h>

enum { GENERAL_REGISTERS = 33, REGISTER_BYTES = 8, DATA_BYTES = PACKET_BYTES / 2 - 8 };

#define REFUSED "E01"
#define NO_MEMORY_THERE "E14"

static struct hart *hart_of(const struct remote *r) {
    return &r->history->machine->system.harts[r->hart];
}

// ---- Registers ----

// The lowest byte comes first.
static void add_value(struct text *out, uint64_t value) {
    for (unsigned i = 0; i < REGISTER_BYTES; i++)
        text_add_hex(out, value >> 8 * i & 0xff, 2);
}

static bool parse_value(const char **at, uint64_t *value) {
    uint8_t bytes[REGISTER_BYTES];
    if (parse_bytes(at, bytes, sizeof bytes) != sizeof bytes)
        return false;
    memcpy(value, bytes, sizeof bytes);
    return true;
}

static void read_registers(const struct remote *r, struct text *out) {
    uint64_t value;
    for (unsigned i = 0; i < GENERAL_REGISTERS; i++) {
        registers_read(hart_of(r), i, &value);
        add_value(out, value);
    }
}

static const char *write_registers(struct remote *r, const char *at) {
    uint64_t value;
    for (unsigned i = 0; i < GENERAL_REGISTERS && parse_value(&at, &value); i++)
        registers_write(hart_of(r), i, value);
    history_changed(r->history);
    return "OK";
}

static void read_register(const struct remote *r, const char *at, struct text *out) {
    uint64_t number, value;
    if (!parse_hex(&at, &number) || number > UINT32_MAX ||
        !registers_read(hart_of(r), number, &value))
        text_add(out, REFUSED);
    else
        add_value(out, value);
}

static const char *write_register(struct remote *r, const char *at) {
    uint64_t number, value;
    if (!parse_hex(&at, &number) || !parse_word(&at, "=") || !parse_value(&at, &value) ||
        number > UINT32_MAX)
        return REFUSED;
    history_changed(r->history);
    return registers_write(hart_of(r), number, value) ? "OK" : REFUSED;
}

// ---- Memory ----

static bool parse_range(const char **at, uint64_t *address, uint64_t *count) {
    return parse_hex(at, address) && parse_word(at, ",") && parse_hex(at, count);
}

static void read_memory(const struct remote *r, const char *at, struct text *out) {
    uint8_t bytes[DATA_BYTES];
    uint64_t address, count;
    if (!parse_range(&at, &address, &count)) {
        text_add(out, REFUSED);
        return;
    }
    count = count < sizeof bytes ? count : sizeof bytes;
    size_t there = view_read(hart_of(r), r->space, address, bytes, count);
    if (there == 0 && count > 0)
        text_add(out, NO_MEMORY_THERE);
    for (size_t i = 0; i < there; i++)
        text_add_hex(out, bytes[i], 2);
}

static const char *write_bytes(struct remote *r, uint64_t address, const uint8_t *bytes,
                               uint64_t count) {
    if (count == 0)
        return "OK";
    history_changed(r->history);
    return view_write(hart_of(r), r->space, address, bytes, count) ? "OK" : NO_MEMORY_THERE;
}

static const char *write_memory(struct remote *r, const char *at) {
    uint8_t bytes[DATA_BYTES];
    uint64_t address, count;
    if (!parse_range(&at, &address, &count) || !parse_word(&at, ":") || count > sizeof bytes ||
        parse_bytes(&at, bytes, count) != count)
        return REFUSED;
    return write_bytes(r, address, bytes, count);
}

// The bytes stand in the packet as they are, but for some, which follow a } and have bit 5 changed.
static const char *write_binary(struct remote *r, const char *at) {
    static uint8_t none[1];
    uint64_t address, count, found = 0;
    const char *end = r->packets.received + r->packets.count;
    if (!parse_range(&at, &address, &count) || !parse_word(&at, ":"))
        return REFUSED;
    uint8_t *bytes = at < end ? (uint8_t *)r->packets.received : none; // what was read is free
    for (; at < end; at++) {
        bool is_changed = *at == '}' && at + 1 < end;
        at += is_changed;
        bytes[found++] = *at ^ (is_changed ? 0x20 : 0);
    }
    return found == count ? write_bytes(r, address, bytes, count) : REFUSED;
}

// ---- Breakpoints ----

// Serves Z and z: kind, address, size. Software breakpoints are as those of the hardware.
static const char *change_breakpoint(struct remote *r, const char *at, bool inserts) {
    static const unsigned kinds[] = {WATCH_WRITES, WATCH_READS, WATCH_READS | WATCH_WRITES};
    struct system *s = &r->history->machine->system;
    uint64_t kind, address, size;
    if (!parse_hex(&at, &kind) || !parse_word(&at, ",") || !parse_range(&at, &address, &size))
        return REFUSED;
    bool done;
    if (kind <= 1) {
        done = inserts ? breakpoints_add(s, address) : breakpoints_remove(s, address);
    } else if (kind <= 4) {
        struct watchpoint w = {address, size, kinds[kind - 2]};
        done = inserts ? breakpoints_watch(s, w) : breakpoints_unwatch(s, w);
    } else {
        return "";
    }
    return done || !inserts ? "OK" : REFUSED;
}

// ---- Descriptions ----

void remote_transfer(const struct remote *r, const char *at, struct text *out) {
    char bytes[DESCRIPTION_BYTES], name[32];
    struct text all = text_in(bytes, sizeof bytes), file = text_in(name, sizeof name);
    uint64_t offset, count;
    if (parse_word(&at, "features:read:")) {
        for (; *at != ':' && *at != '\0'; at++)
            text_add_byte(&file, *at);
    } else if (parse_word(&at, "threads:read:")) {
        text_add(&file, "threads");
    } else {
        return;
    }
    if (!parse_word(&at, ":") || !parse_range(&at, &offset, &count) ||
        !description_write(r->history->machine, name, &all)) {
        text_add(out, "E00");
        return;
    }
    offset = offset < all.used ? offset : all.used;
    uint64_t rest = all.used - offset, room = out->size - 2;
    count = count < room ? count : room;
    text_add_byte(out, rest > count ? 'm' : 'l');
    text_add_bytes(out, bytes + offset, rest < count ? rest : count);
}

// ---- All of them ----

void remote_access(struct remote *r, const char *packet, struct text *out) {
    const char *at = packet;
    switch (*at++) {
    case 'g':
        read_registers(r, out);
        break;
    case 'G':
        text_add(out, write_registers(r, at));
        break;
    case 'p':
        read_register(r, at, out);
        break;
    case 'P':
        text_add(out, write_register(r, at));
        break;
    case 'm':
        read_memory(r, at, out);
        break;
    case 'M':
        text_add(out, write_memory(r, at));
        break;
    case 'X':
        text_add(out, write_binary(r, at));
        break;
    case 'Z':
    case 'z':
        text_add(out, change_breakpoint(r, at, *packet == 'Z'));
        break;
    }
}
