// A machine gets its program.
#include "boot/devicetree.h"
#include "boot/elf.h"
#include "cpu/physical.h"
#include "machine.h"

enum { A0 = 10, A1 = 11, A2 = 12 };

// What is put behind the program, in one page or several.
struct last_pages {
    uint8_t tree[DEVICETREE_BYTES_MAX];
    struct firmware_info info;
};

// Puts the device tree at the end of memory, and what firmware wants to know. Returns the address,
// 0 if it does not fit behind the program.
static uint64_t put_last_pages(struct machine *m, uint64_t program_start, uint64_t program_end) {
    struct last_pages last = {
        .info = {FIRMWARE_INFO_MAGIC, 2, program_start, SUPERVISOR, 0, 0},
    };
    uint64_t place = MEMORY_START + m->settings.memory_bytes - sizeof last;
    const struct devicetree_machine described = {
        m->settings.harts,
        m->settings.memory_bytes,
        m->settings.arguments,
    };
    place -= place % PAGE_BYTES;
    if (devicetree_make(last.tree, &described) == 0 || place < program_end ||
        !physical_fill(&m->system, place, &last, sizeof last))
        return 0;
    return place;
}

static void start_in_machine_mode(struct machine *m, uint64_t tree) {
    for (unsigned i = 0; i < m->system.hart_count; i++) {
        uint64_t *x = m->system.harts[i].r.x;
        x[A0] = i;
        x[A1] = tree;
        x[A2] = tree + offsetof(struct last_pages, info);
    }
}

static const char *load_plain(struct machine *m, struct machine_file file) {
    bool fits = bus_is_memory(&m->system.bus, MEMORY_START, file.size) &&
                physical_fill(&m->system, MEMORY_START, file.bytes, file.size);
    return fits ? NULL : "it does not fit into the machine's memory";
}

const char *machine_load(struct machine *m, struct machine_file program,
                         const struct machine_file *firmware) {
    struct elf_program placed = {MEMORY_START, MEMORY_START + program.size};
    if (program.size == 0)
        return "it is empty";
    bool is_elf = elf_is(program.bytes, program.size);
    const char *problem = is_elf ? elf_load(&m->system, program.bytes, program.size, &placed)
                                 : load_plain(m, program);
    if (problem == NULL && firmware != NULL)
        problem = placed.start < MEMORY_START + firmware->size ? "it leaves no room for firmware"
                                                               : load_plain(m, *firmware);
    if (problem != NULL)
        return problem;
    uint64_t tree = put_last_pages(m, placed.start, placed.end);
    if (tree == 0)
        return "the device tree does not fit into the machine's memory";
    if (firmware != NULL || placed.start == MEMORY_START)
        start_in_machine_mode(m, tree);
    else
        firmware_start(&m->firmware, placed.start, tree);
    return NULL;
}
