// Writes the device tree: a block of tokens for nodes and properties, then the properties' names.
#include "boot/devicetree.h"
#include "cpu/hart.h"
#include "devices/clint.h"
#include "devices/finisher.h"
#include "devices/plic.h"
#include "devices/uart.h"
#include "devices/virtio.h"

#include <string.h>

enum { NODE = 1, NODE_END = 2, PROPERTY = 3, END = 9 };
enum { MAGIC = 0xd00dfeedu, VERSION = 17, COMPATIBLE_VERSION = 16, HEADER = 40, RESERVED = 16 };
enum { NAMES_MAX = 1024, TIMEBASE = 10000000, NODE_NAME_MAX = 32 };
enum { PLIC_PHANDLE = 1, HART_PHANDLE = 2 }; // and those of the other harts

struct writer {
    uint8_t *bytes;
    uint32_t used;
    bool is_full;
    char names[NAMES_MAX];
    uint32_t names_used;
};

static void put(struct writer *w, const void *bytes, uint32_t count) {
    uint32_t room = DEVICETREE_BYTES_MAX - NAMES_MAX - w->used, padded = (count + 3) & ~3u;
    if (w->is_full || padded < count || padded > room) {
        w->is_full = true;
        return;
    }
    memset(w->bytes + w->used, 0, padded);
    memcpy(w->bytes + w->used, bytes, count);
    w->used += padded;
}

static void put_cell(struct writer *w, uint32_t value) {
    uint8_t bytes[] = {value >> 24, value >> 16, value >> 8, value};
    put(w, bytes, sizeof bytes);
}

// Returns where the name is among the names.
static uint32_t name_place(struct writer *w, const char *name) {
    uint32_t size = strlen(name) + 1;
    for (uint32_t i = 0; i < w->names_used; i += strlen(w->names + i) + 1) {
        if (strcmp(w->names + i, name) == 0)
            return i;
    }
    if (size > NAMES_MAX - w->names_used) {
        w->is_full = true;
        return 0;
    }
    memcpy(w->names + w->names_used, name, size);
    w->names_used += size;
    return w->names_used - size;
}

static void property(struct writer *w, const char *name, const void *value, uint32_t size) {
    put_cell(w, PROPERTY);
    put_cell(w, size);
    put_cell(w, name_place(w, name));
    put(w, value, size);
}

static void text(struct writer *w, const char *name, const char *value) {
    property(w, name, value, strlen(value) + 1);
}

static void cells(struct writer *w, const char *name, const uint32_t *values, uint32_t count) {
    put_cell(w, PROPERTY);
    put_cell(w, 4 * count);
    put_cell(w, name_place(w, name));
    for (uint32_t i = 0; i < count; i++)
        put_cell(w, values[i]);
}

static void cell(struct writer *w, const char *name, uint32_t value) {
    cells(w, name, &value, 1);
}

// The node's name has the address after an @, unless it is NO_ADDRESS.
#define NO_ADDRESS UINT64_MAX

static void node(struct writer *w, const char *name, uint64_t address) {
    char full[NODE_NAME_MAX] = {0};
    uint32_t used = strlen(name);
    memcpy(full, name, used);
    if (address != NO_ADDRESS) {
        int shift = 60;
        while (shift > 0 && address >> shift == 0)
            shift -= 4;
        full[used++] = '@';
        for (; shift >= 0; shift -= 4)
            full[used++] = "0123456789abcdef"[address >> shift & 15];
    }
    put_cell(w, NODE);
    put(w, full, used + 1);
}

static void node_end(struct writer *w) {
    put_cell(w, NODE_END);
}

static void address_cells(struct writer *w, uint32_t address, uint32_t size) {
    cell(w, "#address-cells", address);
    cell(w, "#size-cells", size);
}

static void range(struct writer *w, uint64_t start, uint64_t bytes) {
    const uint32_t values[] = {start >> 32, start, bytes >> 32, bytes};
    cells(w, "reg", values, 4);
}

// Interrupts of the harts that a controller raises: two for each hart.
static void hart_interrupts(struct writer *w, unsigned harts, uint32_t first, uint32_t second) {
    uint32_t values[4 * HARTS_MAX];
    for (unsigned i = 0; i < harts; i++) {
        values[4 * i] = values[4 * i + 2] = HART_PHANDLE + i;
        values[4 * i + 1] = first;
        values[4 * i + 3] = second;
    }
    cells(w, "interrupts-extended", values, 4 * harts);
}

static void put_harts(struct writer *w, unsigned harts) {
    node(w, "cpus", NO_ADDRESS);
    address_cells(w, 1, 0);
    cell(w, "timebase-frequency", TIMEBASE);
    for (unsigned i = 0; i < harts; i++) {
        node(w, "cpu", i);
        text(w, "device_type", "cpu");
        cell(w, "reg", i);
        text(w, "status", "okay");
        text(w, "compatible", "riscv");
        text(w, "riscv,isa", "rv64imac_zicsr_zifencei_sstc");
        text(w, "mmu-type", "riscv,sv39");
        node(w, "interrupt-controller", NO_ADDRESS);
        cell(w, "#interrupt-cells", 1);
        property(w, "interrupt-controller", "", 0);
        text(w, "compatible", "riscv,cpu-intc");
        cell(w, "phandle", HART_PHANDLE + i);
        node_end(w);
        node_end(w);
    }
    node_end(w);
}

static void device(struct writer *w, const char *name, const char *kind, uint64_t start,
                   uint64_t bytes, uint32_t irq) {
    node(w, name, start);
    text(w, "compatible", kind);
    range(w, start, bytes);
    if (irq != 0) {
        cell(w, "interrupt-parent", PLIC_PHANDLE);
        cell(w, "interrupts", irq);
    }
}

static void put_devices(struct writer *w, unsigned harts) {
    node(w, "soc", NO_ADDRESS);
    address_cells(w, 2, 2);
    text(w, "compatible", "simple-bus");
    property(w, "ranges", "", 0);

    device(w, "test", "sifive,test1", FINISHER_START, FINISHER_BYTES, 0);
    node_end(w);
    device(w, "clint", "sifive,clint0", CLINT_START, CLINT_BYTES, 0);
    hart_interrupts(w, harts, SOFTWARE_M, TIMER_M);
    node_end(w);
    device(w, "plic", "sifive,plic-1.0.0", PLIC_START, PLIC_BYTES, 0);
    cell(w, "phandle", PLIC_PHANDLE);
    cell(w, "#interrupt-cells", 1);
    property(w, "interrupt-controller", "", 0);
    cell(w, "riscv,ndev", PLIC_SOURCES - 1);
    hart_interrupts(w, harts, EXTERNAL_M, EXTERNAL_S);
    node_end(w);
    device(w, "serial", "ns16550a", UART_START, UART_BYTES, UART_IRQ);
    cell(w, "clock-frequency", 3686400);
    node_end(w);
    for (unsigned i = VIRTIO_SLOTS; i-- > 0;) { // as QEMU, the last one first
        device(w, "virtio_mmio", "virtio,mmio", VIRTIO_START + i * VIRTIO_BYTES, VIRTIO_BYTES,
               VIRTIO_IRQ + i);
        node_end(w);
    }
    node_end(w);
}

static void put_tree(struct writer *w, const struct devicetree_machine *m) {
    put_cell(w, NODE);
    put_cell(w, 0); // the root has no name
    address_cells(w, 2, 2);
    text(w, "compatible", "riscv-virtio");
    text(w, "model", "cow6,sim");
    node(w, "chosen", NO_ADDRESS);
    text(w, "stdout-path", "/soc/serial@10000000");
    if (m->arguments != NULL && m->arguments[0] != '\0')
        text(w, "bootargs", m->arguments);
    node_end(w);
    node(w, "memory", MEMORY_START);
    text(w, "device_type", "memory");
    range(w, MEMORY_START, m->memory_bytes);
    node_end(w);
    put_harts(w, m->harts);
    put_devices(w, m->harts);
    node_end(w);
    put_cell(w, END);
}

uint32_t devicetree_make(uint8_t tree[DEVICETREE_BYTES_MAX], const struct devicetree_machine *m) {
    struct writer w = {.bytes = tree, .used = HEADER + RESERVED};
    put_tree(&w, m);
    if (w.is_full)
        return 0;
    uint32_t names = w.used, tokens = HEADER + RESERVED, total = names + w.names_used;
    memcpy(tree + names, w.names, w.names_used);
    memset(tree, 0, HEADER + RESERVED);
    w.used = 0;
    const uint32_t header[] = {
        MAGIC, total,        tokens,         names, HEADER, VERSION, COMPATIBLE_VERSION,
        0,     w.names_used, names - tokens,
    };
    for (unsigned i = 0; i < sizeof header / sizeof header[0]; i++)
        put_cell(&w, header[i]);
    return total;
}
