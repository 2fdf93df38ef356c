// Reads the flattened device tree: a block of tokens, which nest nodes and their properties, and a
// block of property names. Numbers are big-endian; a cell is 32 bits.
//
// The blob is not trusted: every read is checked against the size of its block. Buses are expected
// to map addresses one to one, as those of QEMU's virt machine do.
#include "dev/machine.h"

#include "abi/errno.h"
#include "lib/string.h"

enum { TREE_MAGIC = 0xd00dfeed, TREE_VERSION = 17, DEPTH_MAX = 16, CELL = 4 };
enum token { NODE = 1, NODE_END = 2, PROPERTY = 3, NOP = 4, END = 9 };
enum { S_EXTERNAL = 9, PLIC_CONTEXTS = 15872 };

struct bytes {
    const char *data;
    size_t size;
};

struct node {
    const char *name;
    size_t properties; // where they start in the token block
    bool disabled;     // it or a node around it
};

// A walk through the tree, and what it found so far.
struct tree {
    struct bytes tokens, names;
    size_t position;
    bool damaged;
    unsigned depth; // nodes[0] is the root, nodes[depth - 1] the current node
    struct node nodes[DEPTH_MAX];
    struct machine *m;
    const char *stdout_path;         // of the console's UART, or NULL
    size_t hart_properties;          // which node the last hart came from
    uint64_t controllers[HARTS_MAX]; // phandle of each hart's own interrupt controller; 0: none
    struct bytes plic_targets;
};

static uint32_t cell_at(const char *data)
{
    const uint8_t *byte = (const uint8_t *)data;
    return (uint32_t)byte[0] << 24 | byte[1] << 16 | byte[2] << 8 | byte[3];
}

static uint64_t number_at(const char *data, unsigned cells)
{
    return cells == 0 ? 0 : cells == 1 ? cell_at(data) : (uint64_t)cell_at(data) << 32 | cell_at(data + CELL);
}

// The end of the block reads as END.
static uint32_t token_at(const struct tree *t, size_t position)
{
    return position + CELL <= t->tokens.size ? cell_at(t->tokens.data + position) : END;
}

// Moves *position past properties, up to and including the one of that name, if there is one, else
// to the next token that begins no valid property. NULL is no property's name.
static struct bytes property_scan(const struct tree *t, size_t *position, const char *name)
{
    for (;;) {
        while (token_at(t, *position) == NOP)
            *position += CELL;
        size_t data = *position + 3 * CELL;
        if (token_at(t, *position) != PROPERTY || data > t->tokens.size)
            break;
        size_t size = token_at(t, *position + CELL), name_start = token_at(t, *position + 2 * CELL);
        if (size > t->tokens.size - data || name_start >= t->names.size)
            break;
        *position = data + (size + CELL - 1) / CELL * CELL;
        if (name != NULL && strcmp(t->names.data + name_start, name) == 0)
            return (struct bytes){t->tokens.data + data, size};
    }
    return (struct bytes){NULL, 0};
}

static struct bytes property_find(const struct tree *t, const struct node *n, const char *name)
{
    size_t position = n->properties;
    return property_scan(t, &position, name);
}

static const char *property_text(const struct tree *t, const struct node *n, const char *name)
{
    struct bytes p = property_find(t, n, name);
    return p.size > 0 && p.data[p.size - 1] == '\0' ? p.data : NULL;
}

static uint64_t property_number(const struct tree *t, const struct node *n, const char *name, uint64_t other)
{
    struct bytes p = property_find(t, n, name);
    return p.size == CELL || p.size == 2 * CELL ? number_at(p.data, p.size / CELL) : other;
}

// True if the strings that fill p, each ending with a zero, include text.
static bool property_lists(struct bytes p, const char *text)
{
    size_t size = strlen(text) + 1;
    for (size_t i = 0; i + size <= p.size; i++)
        if ((i == 0 || p.data[i - 1] == '\0') && memcmp(p.data + i, text, size) == 0)
            return true;
    return false;
}

// Moves to the next node in the order of the blob; false at the end, or if the tree is damaged.
static bool node_next(struct tree *t)
{
    property_scan(t, &t->position, NULL);
    for (; t->depth > 0 && token_at(t, t->position) == NODE_END; t->depth--) {
        t->position += CELL;
        property_scan(t, &t->position, NULL);
    }
    size_t name = t->position + CELL, end = name;
    if (token_at(t, t->position) != NODE) {
        t->damaged |= token_at(t, t->position) != END || t->depth != 0;
        return false;
    }
    while (end < t->tokens.size && t->tokens.data[end] != '\0')
        end++;
    if (end >= t->tokens.size || t->depth == DEPTH_MAX) {
        t->damaged = true;
        return false;
    }
    t->position = (end + CELL) / CELL * CELL;
    struct node *n = &t->nodes[t->depth++];
    *n = (struct node){.name = t->tokens.data + name, .properties = t->position};
    struct bytes status = property_find(t, n, "status");
    n->disabled = status.size > 0 && !property_lists(status, "okay") && !property_lists(status, "ok");
    n->disabled |= t->depth > 1 && n[-1].disabled;
    return true;
}

// True if path, which may end with ":options", is that of the current node.
static bool path_is_current(const struct tree *t, const char *path)
{
    for (unsigned i = 1; i < t->depth; i++) {
        size_t n = strlen(t->nodes[i].name);
        if (*path != '/' || strncmp(path + 1, t->nodes[i].name, n) != 0)
            return false;
        path += 1 + n;
    }
    return *path == '\0' || *path == ':';
}

// Reads the first entry of the node's "reg".
static bool reg_read(const struct tree *t, const struct node *n, uint64_t *address, uint64_t *size)
{
    struct bytes p = property_find(t, n, "reg");
    unsigned address_cells = property_number(t, n - 1, "#address-cells", 2);
    unsigned size_cells = property_number(t, n - 1, "#size-cells", 1);
    if (address_cells - 1 > 1 || size_cells > 2 || p.size < (address_cells + size_cells) * CELL)
        return false;
    *address = number_at(p.data, address_cells);
    *size = number_at(p.data + address_cells * CELL, size_cells);
    return true;
}

static bool device_read(const struct tree *t, const struct node *n, struct device *d)
{
    uint64_t size, irq = property_number(t, n, "interrupts", 0);
    if (irq == 0 || irq >= IRQS_MAX || !reg_read(t, n, &d->address, &size))
        return false;
    d->irq = irq;
    return true;
}

// Inserts the slot in the order of addresses; of too many, the lowest stay.
static void virtio_add(struct machine *m, struct device slot)
{
    for (unsigned i = 0; i < m->virtio_count; i++)
        if (slot.address < m->virtio[i].address) {
            struct device next = m->virtio[i];
            m->virtio[i] = slot;
            slot = next;
        }
    if (m->virtio_count < VIRTIO_MAX)
        m->virtio[m->virtio_count++] = slot;
}

static void hart_read(struct tree *t, const struct node *n)
{
    uint64_t id, size;
    if (t->m->hart_count == HARTS_MAX || !reg_read(t, n, &id, &size))
        return;
    t->m->hart_ids[t->m->hart_count++] = id;
    t->m->timer_hz = property_number(t, n - 1, "timebase-frequency", 0);
    t->m->timer_hz = property_number(t, n, "timebase-frequency", t->m->timer_hz);
    t->hart_properties = n->properties;
}

// Takes what the machine has to say of the node, which is not the root.
static void node_read(struct tree *t, const struct node *n)
{
    struct machine *m = t->m;
    struct bytes type = property_find(t, n, "device_type"), compatible = property_find(t, n, "compatible");
    struct device slot;
    uint64_t size;
    if (property_lists(type, "memory")) {
        if (m->ram_end == 0 && reg_read(t, n, &m->ram_start, &size))
            m->ram_end = m->ram_start + size;
    } else if (property_lists(type, "cpu")) {
        hart_read(t, n);
    } else if (property_lists(compatible, "riscv,cpu-intc")) { // a node inside of the hart's
        if (m->hart_count > 0 && n[-1].properties == t->hart_properties)
            t->controllers[m->hart_count - 1] = property_number(t, n, "phandle", 0);
    } else if (property_lists(compatible, "sifive,plic-1.0.0") || property_lists(compatible, "riscv,plic0")) {
        if (m->plic == 0 && reg_read(t, n, &m->plic, &size))
            t->plic_targets = property_find(t, n, "interrupts-extended");
    } else if (property_lists(compatible, "ns16550a")) {
        if (m->uart.irq == 0 || (t->stdout_path != NULL && path_is_current(t, t->stdout_path)))
            device_read(t, n, &m->uart);
    } else if (property_lists(compatible, "virtio,mmio")) {
        if (device_read(t, n, &slot))
            virtio_add(m, slot);
    } else if (property_lists(compatible, "sifive,test0") || property_lists(compatible, "sifive,test1")) {
        reg_read(t, n, &m->finisher, &size);
    }
}

// The PLIC lists the interrupts that it raises in pairs: the phandle of a hart's own controller, a
// number there. A pair's place in the list is the number of the context.
static bool contexts_find(struct tree *t)
{
    bool found = false;
    for (unsigned hart = 0; hart < t->m->hart_count; hart++) {
        t->m->plic_contexts[hart] = PLIC_NO_CONTEXT;
        for (unsigned i = 0; i < t->plic_targets.size / (2 * CELL) && i < PLIC_CONTEXTS; i++) {
            const char *pair = t->plic_targets.data + i * 2 * CELL;
            if (cell_at(pair) == t->controllers[hart] && cell_at(pair + CELL) == S_EXTERNAL) {
                t->m->plic_contexts[hart] = i;
                found = true;
            }
        }
    }
    return found;
}

// Finds a block whose offset and size stand at those places of the header.
static bool block_find(struct bytes *block, const char *blob, size_t most_bytes, size_t offset, size_t size)
{
    size_t start = cell_at(blob + offset);
    block->data = blob + start;
    block->size = cell_at(blob + size);
    return start <= most_bytes && block->size <= most_bytes - start;
}

int machine_read(struct machine *m, const void *tree, size_t most_bytes)
{
    enum { TOKENS = 8, NAMES = 12, VERSION = 20, COMPATIBLE = 24, NAMES_SIZE = 32, TOKENS_SIZE = 36 };
    const char *blob = tree;
    struct tree t = {.m = m};
    memset(m, 0, sizeof *m);
    if (most_bytes < TOKENS_SIZE + CELL || cell_at(blob) != TREE_MAGIC ||
        cell_at(blob + VERSION) < TREE_VERSION || cell_at(blob + COMPATIBLE) > TREE_VERSION ||
        !block_find(&t.tokens, blob, most_bytes, TOKENS, TOKENS_SIZE) ||
        !block_find(&t.names, blob, most_bytes, NAMES, NAMES_SIZE) || t.names.size == 0 ||
        t.names.data[t.names.size - 1] != '\0') // so that all names end in the block
        return -EINVAL;
    bool chosen = false;
    while (!chosen && node_next(&t))
        chosen = path_is_current(&t, "/chosen");
    if (chosen) {
        const char *arguments = property_text(&t, &t.nodes[1], "bootargs");
        string_copy(m->command_line, arguments ? arguments : "", sizeof m->command_line);
        t.stdout_path = property_text(&t, &t.nodes[1], "stdout-path");
    }
    t.position = t.depth = 0;
    while (!t.damaged && node_next(&t))
        if (t.depth > 1 && !t.nodes[t.depth - 1].disabled)
            node_read(&t, &t.nodes[t.depth - 1]);
    if (t.damaged)
        return -EINVAL;
    if (m->ram_end <= m->ram_start || m->timer_hz == 0 || m->uart.irq == 0 || !contexts_find(&t))
        return -ENODEV;
    return 0;
}
