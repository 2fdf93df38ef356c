// Device trees, made here token by token, and what machine_read finds in them.
#include "test.h"

#include <string.h>

#include "abi/errno.h"
#include "dev/machine.h"

static char tokens[8192], names[1024], blob[16384];
static size_t tokens_size, names_size, blob_size;
static unsigned boot_hart = 7;

static void put(char *to, uint32_t number) {
    for (int i = 0; i < 4; i++)
        to[i] = (char)(number >> (24 - 8 * i));
}

static void token(uint32_t number) {
    put(tokens + tokens_size, number);
    tokens_size += 4;
}

static void bytes(const void *data, size_t size) {
    memset(tokens + tokens_size, 0, size + 4);
    memcpy(tokens + tokens_size, data, size);
    tokens_size += (size + 3) / 4 * 4;
}

static void begin(const char *name) {
    token(1);
    bytes(name, strlen(name) + 1);
}

static void end(void) {
    token(2);
}

static void property(const char *name, const void *data, size_t size) {
    token(3);
    token((uint32_t)size);
    token((uint32_t)names_size);
    bytes(data, size);
    strcpy(names + names_size, name);
    names_size += strlen(name) + 1;
}

static void text(const char *name, const char *value) {
    property(name, value, strlen(value) + 1);
}

#define CELLS(name, ...) \
    cells(name, (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void cells(const char *name, const uint32_t *values, size_t n) {
    char data[256];
    for (size_t i = 0; i < n; i++)
        put(data + 4 * i, values[i]);
    property(name, data, 4 * n);
}

static void tree_begin(void) {
    tokens_size = names_size = 0;
    begin("");
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
}

static void tree_end(void) {
    end();
    token(9);
    uint32_t header[10] = {0xd00dfeed, 0,  40, (uint32_t)(40 + tokens_size), 0,
                           17,         16, 0,  (uint32_t)names_size,         (uint32_t)tokens_size};
    blob_size = 40 + tokens_size + names_size;
    header[1] = (uint32_t)blob_size;
    for (int i = 0; i < 10; i++)
        put(blob + 4 * i, header[i]);
    memcpy(blob + 40, tokens, tokens_size);
    memcpy(blob + 40 + tokens_size, names, names_size);
}

static void device(const char *name, const char *compatible, size_t size, uint32_t address,
                   uint32_t irq) {
    begin(name);
    property("compatible", compatible, size);
    CELLS("reg", 0, address, 0, 0x1000);
    CELLS("interrupts", irq);
    end();
}

static void memory(void) {
    begin("memory@80000000");
    text("device_type", "memory");
    CELLS("reg", 0, 0x80000000, 1, 0x40000000);
    end();
}

static void hart(uint32_t id, const char *status) {
    begin("cpu");
    text("device_type", "cpu");
    CELLS("reg", id);
    if (status)
        text("status", status);
    begin("interrupt-controller");
    text("compatible", "riscv,cpu-intc");
    CELLS("phandle", 100 + id);
    end();
    end();
}

static void harts_begin(void) {
    begin("cpus");
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 0);
    CELLS("timebase-frequency", 10000000);
}

static void harts(void) {
    harts_begin();
    hart(7, NULL);
    hart(2, "okay");
    end();
}

static void soc_begin(void) {
    begin("soc");
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
}

static void plic(void) {
    begin("plic@c000000");
    property("compatible", "sifive,plic-1.0.0\0riscv,plic0", 30);
    CELLS("reg", 0, 0xc000000, 0, 0x600000);
    // Context 1 has no machine mode, as OpenSBI leaves it.
    CELLS("interrupts-extended", 102, 0xffffffff, 102, 9, 107, 11, 107, 9);
    end();
}

static void uart(void) {
    device("serial@10000000", "ns16550a", 9, 0x10000000, 10);
}

static int tree_read(struct machine *m) {
    char *copy = malloc(blob_size); // of exactly that size, for the sanitizer
    memcpy(copy, blob, blob_size);
    int error = machine_read(m, copy, blob_size, boot_hart);
    free(copy);
    return error;
}

static void tree_of_all(void) {
    tree_begin();
    begin("chosen");
    text("bootargs", "init=/x fork=eager");
    end();
    memory();
    harts();
    soc_begin();
    uart();
    device("virtio@3", "virtio,mmio", 12, 0x10003000, 3);
    device("virtio@1", "virtio,mmio", 12, 0x10001000, 1);
    device("virtio@2", "virtio,mmio", 12, 0x10002000, 2);
    plic();
    device("test@100000", "sifive,test1\0sifive,test0\0syscon", 33, 0x100000, 0);
    end();
    tree_end();
}

TEST(machine_reads_everything) {
    struct machine m;
    tree_of_all();
    CHECK_EQUAL(0, tree_read(&m));
    CHECK(m.ram_start == 0x80000000 && m.ram_end == 0x1c0000000);
    CHECK_EQUAL(2, m.hart_count);
    CHECK(m.hart_ids[0] == 7 && m.hart_ids[1] == 2);
    CHECK(m.plic_contexts[0] == 3 && m.plic_contexts[1] == 1);
    CHECK_EQUAL(10000000, m.timer_hz);
    CHECK_EQUAL(0xc000000, m.plic);
    CHECK_EQUAL(0x100000, m.finisher);
    CHECK_STRING("init=/x fork=eager", m.command_line);
}

TEST(machine_lists_virtio_slots_in_the_order_of_the_tree) {
    static const unsigned order[] = {3, 1, 2};
    struct machine m;
    tree_of_all();
    CHECK_EQUAL(0, tree_read(&m));
    CHECK_EQUAL(3, m.virtio_count);
    for (unsigned i = 0; i < 3; i++)
        CHECK(m.virtio[i].address == 0x10000000 + 0x1000 * order[i] && m.virtio[i].irq == order[i]);
}

TEST(machine_numbers_the_boot_hart_first) {
    struct machine m;
    tree_of_all();
    boot_hart = 2;
    CHECK_EQUAL(0, tree_read(&m));
    CHECK(m.hart_count == 2 && m.hart_ids[0] == 2 && m.hart_ids[1] == 7);
    CHECK(m.plic_contexts[0] == 1 && m.plic_contexts[1] == 3);
    boot_hart = 0;
    CHECK_EQUAL(-ENODEV, tree_read(&m));
    boot_hart = 7;
}

// The order of nodes does not matter, /chosen may be missing, and the first UART is the console's.
TEST(machine_accepts_nodes_in_any_order) {
    struct machine m;
    tree_begin();
    soc_begin();
    plic();
    uart();
    device("serial@20000000", "ns16550a", 9, 0x20000000, 20);
    end();
    harts();
    memory();
    tree_end();
    CHECK_EQUAL(0, tree_read(&m));
    CHECK(m.uart.irq == 10 && m.plic_contexts[0] == 3 && m.command_line[0] == '\0');
    CHECK(m.finisher == 0 && m.virtio_count == 0);
}

TEST(machine_reads_one_cell_addresses) {
    struct machine m;
    tokens_size = names_size = 0;
    begin("");
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 1);
    begin("memory");
    text("device_type", "memory");
    CELLS("reg", 0x80000000, 0x2000000, 0xf0000000, 0x1000);
    end();
    harts();
    soc_begin();
    plic();
    uart();
    end();
    tree_end();
    CHECK_EQUAL(0, tree_read(&m));
    CHECK(m.ram_start == 0x80000000 && m.ram_end == 0x82000000);
}

TEST(machine_ignores_disabled_nodes) {
    struct machine m;
    tree_begin();
    memory();
    harts_begin();
    hart(0, "disabled");
    hart(7, "okay");
    end();
    begin("serial@1");
    text("status", "fail");
    text("compatible", "ns16550a");
    CELLS("reg", 0, 0x20000000, 0, 0x1000);
    CELLS("interrupts", 20);
    end();
    soc_begin();
    plic();
    uart();
    end();
    tree_end();
    CHECK_EQUAL(0, tree_read(&m));
    CHECK(m.hart_count == 1 && m.hart_ids[0] == 7 && m.plic_contexts[0] == 3 && m.uart.irq == 10);
}

// The PLIC has a context for each; the boot hart counts even if it is the last.
static void check_many_harts(uint32_t count) {
    uint32_t targets[2 * 16];
    struct machine m;
    tree_begin();
    memory();
    harts_begin();
    for (uint32_t i = 0; i < count; i++) {
        hart(i, NULL);
        targets[2 * i] = 100 + i;
        targets[2 * i + 1] = 9;
    }
    end();
    begin("plic");
    text("compatible", "sifive,plic-1.0.0");
    CELLS("reg", 0, 0xc000000, 0, 0x600000);
    cells("interrupts-extended", targets, 2 * count);
    end();
    uart();
    tree_end();
    for (boot_hart = 0; boot_hart < count; boot_hart++) {
        CHECK_EQUAL(0, tree_read(&m));
        CHECK_EQUAL(HARTS_MAX, m.hart_count);
        CHECK(m.hart_ids[0] == boot_hart && m.plic_contexts[0] == boot_hart);
        for (unsigned i = 1; i < HARTS_MAX; i++)
            CHECK(m.hart_ids[i] == i - (i <= boot_hart) && m.plic_contexts[i] == m.hart_ids[i]);
    }
    boot_hart = 7;
}

TEST(machine_ignores_harts_beyond_its_maximum) {
    check_many_harts(HARTS_MAX);
    check_many_harts(HARTS_MAX + 4);
}

TEST(machine_fails_if_a_part_is_missing) {
    static void (*const parts[])(void) = {memory, harts, plic, uart};
    struct machine m;
    for (unsigned left_out = 0; left_out <= 4; left_out++) {
        tree_begin();
        for (unsigned i = 0; i < 4; i++)
            if (i != left_out)
                parts[i]();
        tree_end();
        CHECK_EQUAL(left_out < 4 ? -ENODEV : 0, tree_read(&m));
    }
}

TEST(machine_cuts_a_long_command_line) {
    struct machine m;
    char line[1000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    tree_begin();
    begin("chosen");
    text("bootargs", line);
    end();
    memory();
    harts();
    plic();
    uart();
    tree_end();
    CHECK_EQUAL(0, tree_read(&m));
    CHECK_EQUAL(sizeof m.command_line - 1, strlen(m.command_line));
}

TEST(machine_refuses_other_blobs) {
    struct machine m;
    tree_of_all();
    for (size_t size = 0; size < blob_size; size += 13)
        CHECK_EQUAL(-EINVAL, machine_read(&m, blob, size, boot_hart));
    blob[0]++;
    CHECK_EQUAL(-EINVAL, tree_read(&m));
    tree_begin();
    token(77);
    tree_end();
    CHECK_EQUAL(-EINVAL, tree_read(&m));
    tree_begin();
    for (int i = 0; i < 100; i++)
        begin("deeper");
    tree_end();
    CHECK_EQUAL(-EINVAL, tree_read(&m));
}

// Whichever byte is changed, nothing is read outside the blob (the sanitizer watches).
TEST(machine_survives_damage) {
    struct machine m;
    tree_of_all();
    for (size_t i = 0; i < blob_size; i++)
        for (int value = 0; value < 256; value += 51) {
            char before = blob[i];
            blob[i] = (char)value;
            tree_read(&m);
            blob[i] = before;
        }
}
