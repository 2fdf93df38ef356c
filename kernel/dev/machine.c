// Reads the flattened device tree: a block of tokens, which form nested nodes with properties, and
// a block of property names. Numbers are big-endian; a cell is 32 bits. A node is evaluated where
// it ends.
//
// The blob is not trusted: part_of checks every access. But the machine is expected to be like
// QEMU's virt: buses map addresses one to one, and if a device has several names, the first is the
// one known here.
#include "dev/machine.h"
#include "abi/errno.h"
#include "lib/string.h"

enum { TREE_MAGIC = 0xd00dfeed, TREE_VERSION = 17, DEPTH_MAX = 8, CELL = 4, S_EXTERNAL = 9 };
enum { TOKENS = 8, NAMES = 12, COMPATIBLE_VERSION = 24, NAMES_SIZE = 32, TOKENS_SIZE = 36 };
enum token { NODE = 1, NODE_END = 2, PROPERTY = 3, NOP = 4, END = 9 };

// The properties that are kept.
enum {
    ADDRESS_CELLS,
    SIZE_CELLS,
    COMPATIBLE,
    TYPE,
    STATUS,
    REG,
    IRQ,
    TARGETS,
    PHANDLE,
    HZ,
    ARGUMENTS,
};

static const char *const property_names[] = {
    [ADDRESS_CELLS] = "#address-cells",
    [SIZE_CELLS] = "#size-cells",
    [COMPATIBLE] = "compatible",
    [TYPE] = "device_type",
    [STATUS] = "status",
    [REG] = "reg",
    [IRQ] = "interrupts",
    [TARGETS] = "interrupts-extended",
    [PHANDLE] = "phandle",
    [HZ] = "timebase-frequency",
    [ARGUMENTS] = "bootargs",
};

struct bytes {
    const char *data;
    size_t size;
};

struct node {
    struct bytes properties[ARRAY_SIZE(property_names)];
    uint32_t controller; // of a hart: phandle of its interrupt controller, a node inside; 0: none
};

// A walk through the tree, and what it has found so far.
struct tree {
    struct bytes tokens, names;
    size_t position; // in the tokens
    unsigned depth;
    struct node nodes[DEPTH_MAX]; // nodes[1] is the root, nodes[depth] the current node
    struct machine *m;
    unsigned boot_hart;
    uint32_t controllers[HARTS_MAX];
    struct bytes plic_targets;
};

// Returns a part of the bytes, or no bytes if the part is not entirely inside.
static struct bytes part_of(struct bytes whole, size_t start, size_t size) {
    bool inside = start < whole.size && size <= whole.size - start;
    return inside ? (struct bytes){whole.data + start, size} : (struct bytes){NULL, 0};
}

// Returns the number that this many cells form, or 0 if they are not entirely inside.
static uint64_t number_at(struct bytes whole, size_t start, size_t cells) {
    struct bytes part = part_of(whole, start, cells * CELL);
    uint64_t number = 0;
    for (size_t i = 0; i < part.size; i++)
        number = number << 8 | (uint8_t)part.data[i];
    return number;
}

// True if the text, or the first of several texts, is `wanted`.
static bool text_is(struct bytes text, const char *wanted) {
    size_t size = strlen(wanted) + 1;
    return text.size >= size && memcmp(text.data, wanted, size) == 0;
}

// Takes and returns the next cell of the tokens; after the last one returns 0, which is no token.
static uint32_t take_cell(struct tree *t) {
    uint32_t cell = number_at(t->tokens, t->position, 1);
    t->position += CELL;
    return cell;
}

// Adds a property to the current node; returns false if it is damaged.
static bool take_property(struct tree *t) {
    size_t size = take_cell(t), name = take_cell(t);
    struct bytes value = part_of(t->tokens, t->position, size);
    if (value.size != size || name >= t->names.size)
        return false;
    t->position += (size + CELL - 1) / CELL * CELL;
    for (unsigned i = 0; i < ARRAY_SIZE(property_names); i++) {
        if (strcmp(t->names.data + name, property_names[i]) == 0)
            t->nodes[t->depth].properties[i] = value;
    }
    return true;
}

static void add_hart(struct tree *t, unsigned id, const struct node *n) {
    unsigned hart = id == t->boot_hart ? 0 : t->m->hart_count;
    if (hart == HARTS_MAX)
        return;
    t->m->hart_ids[hart] = id;
    t->m->timer_hz = number_at(n[-1].properties[HZ], 0, 1);
    t->m->hart_count += hart > 0; // the boot hart is counted from the start
    t->controllers[hart] = n->controller;
}

// Stores what the node says about the machine.
static void read_node(struct tree *t, struct node *n) {
    struct machine *m = t->m;
    const struct bytes *own = n->properties, *outer = n[-1].properties;
    size_t address_cells = number_at(outer[ADDRESS_CELLS], 0, 1);
    size_t size_cells = number_at(outer[SIZE_CELLS], 0, 1);
    uint64_t size = number_at(own[REG], address_cells * CELL, size_cells);
    struct device device = {number_at(own[REG], 0, address_cells), number_at(own[IRQ], 0, 1)};
    bool usable = device.address != 0 && device.irq > 0 && device.irq < IRQS_MAX;
    if (own[STATUS].size > 0 && !text_is(own[STATUS], "okay"))
        return;
    if (own[ARGUMENTS].size > 0 && own[ARGUMENTS].data[own[ARGUMENTS].size - 1] == '\0')
        string_copy(m->command_line, own[ARGUMENTS].data, sizeof m->command_line);
    if (text_is(own[TYPE], "memory") && m->ram_end == 0) {
        m->ram_start = device.address;
        m->ram_end = device.address + size;
    } else if (text_is(own[TYPE], "cpu")) {
        add_hart(t, device.address, n);
    } else if (text_is(own[COMPATIBLE], "riscv,cpu-intc")) {
        n[-1].controller = number_at(own[PHANDLE], 0, 1);
    } else if (text_is(own[COMPATIBLE], "sifive,plic-1.0.0") && device.address != 0) {
        m->plic = device.address;
        t->plic_targets = own[TARGETS];
    } else if (text_is(own[COMPATIBLE], "ns16550a") && usable && m->uart.irq == 0) {
        m->uart = device;
    } else if (text_is(own[COMPATIBLE], "virtio,mmio") && usable && m->virtio_count < VIRTIO_MAX) {
        m->virtio[m->virtio_count++] = device;
    } else if (text_is(own[COMPATIBLE], "sifive,test1")) {
        m->finisher = device.address;
    }
}

// Reads all nodes; returns false if the tree is damaged.
static bool walk_tree(struct tree *t) {
    for (;;) {
        uint32_t token = take_cell(t);
        if (token == NODE && ++t->depth < DEPTH_MAX) {
            t->nodes[t->depth] = (struct node){0};
            while (take_cell(t) & 0xff) // the name; zeros fill its last cell
                continue;
        } else if (token == NODE_END && t->depth > 0) {
            read_node(t, &t->nodes[t->depth--]);
        } else if (token == END && t->depth == 0) {
            return true;
        } else if (token != NOP && !(token == PROPERTY && take_property(t))) {
            return false;
        }
    }
}

// The PLIC lists the interrupts that it raises as pairs: the phandle of a hart's own controller and
// a number there. The place of a pair in the list is the number of the context. Returns false if a
// hart has none.
static bool find_contexts(struct tree *t) {
    for (unsigned hart = 0; hart < t->m->hart_count; hart++) {
        uint64_t wanted = (uint64_t)t->controllers[hart] << 32 | S_EXTERNAL;
        size_t place = 0;
        while (place < t->plic_targets.size && number_at(t->plic_targets, place, 2) != wanted)
            place += 2 * CELL;
        if (place >= t->plic_targets.size || t->controllers[hart] == 0)
            return false;
        t->m->plic_contexts[hart] = place / (2 * CELL);
    }
    return true;
}

int machine_read(struct machine *m, const void *blob, size_t max_bytes, unsigned boot_hart) {
    struct bytes all = {blob, max_bytes};
    struct tree t = {.m = m, .boot_hart = boot_hart};
    memset(m, 0, sizeof *m);
    m->hart_count = 1;
    t.tokens = part_of(all, number_at(all, TOKENS, 1), number_at(all, TOKENS_SIZE, 1));
    t.names = part_of(all, number_at(all, NAMES, 1), number_at(all, NAMES_SIZE, 1));
    if (number_at(all, 0, 1) != TREE_MAGIC || number_at(all, COMPATIBLE_VERSION, 1) > TREE_VERSION)
        return -EINVAL;
    if (t.names.size == 0 || t.names.data[t.names.size - 1] != '\0')
        return -EINVAL; // the last name must end in the block
    if (!walk_tree(&t))
        return -EINVAL;
    if (m->ram_end <= m->ram_start || m->timer_hz == 0 || m->uart.irq == 0 || !find_contexts(&t))
        return -ENODEV;
    return 0;
}
