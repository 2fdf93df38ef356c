// Descriptions in XML, in the words that GDB expects ("RISC-V Features" in its manual).
#include "debug/description.h"
#include "debug/csr_names.h"
#include "debug/registers.h"

#include <string.h>

enum { GENERAL = 32 };

static const char target[] =
    "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
    "<architecture>riscv:rv64</architecture><xi:include href=\"cpu.xml\"/>"
    "<xi:include href=\"virtual.xml\"/><xi:include href=\"csr.xml\"/></target>";

static void begin_feature(struct text *t, const char *name) {
    text_add(t, "<?xml version=\"1.0\"?><!DOCTYPE feature SYSTEM \"gdb-target.dtd\">"
                "<feature name=\"org.gnu.gdb.riscv.");
    text_add(t, name);
    text_add(t, "\">");
}

static void add_register(struct text *t, const char *name, unsigned number, const char *type) {
    text_add(t, "<reg name=\"");
    text_add(t, name);
    text_add(t, "\" bitsize=\"64\" regnum=\"");
    text_add_number(t, number);
    text_add(t, "\" type=\"");
    text_add(t, type);
    text_add(t, "\"/>");
}

static void write_general(struct text *t) {
    begin_feature(t, "cpu");
    for (unsigned i = 0; i < GENERAL; i++) {
        bool is_pointer = i >= 2 && i <= 4;
        const char *name = i == 8 ? "fp" : registers_name(i);
        add_register(t, name, i, i == 1 ? "code_ptr" : is_pointer ? "data_ptr" : "int");
    }
    add_register(t, "pc", REGISTER_PC, "code_ptr");
    text_add(t, "</feature>");
}

static void write_csrs(struct text *t) {
    begin_feature(t, "csr");
    for (size_t i = 0; i < csr_name_count; i++)
        add_register(t, csr_names[i].name, REGISTER_CSR + csr_names[i].number, "int");
    text_add(t, "</feature>");
}

void description_add_hart(const struct machine *m, unsigned hart, struct text *t) {
    static const char *const privileges[] = {
        [USER] = "user mode",
        [SUPERVISOR] = "supervisor mode",
        [MACHINE] = "machine mode",
    };
    const struct registers *r = &m->system.harts[hart].r;
    if (r->mode != HART_STOPPED)
        text_add(t, privileges[r->privilege]);
    text_add(t, r->mode == HART_STOPPED   ? "not started"
                : r->mode == HART_WAITING ? ", waits for an interrupt"
                                          : "");
}

static void write_harts(const struct machine *m, struct text *t) {
    text_add(t, "<?xml version=\"1.0\"?><threads>");
    for (unsigned i = 0; i < m->system.hart_count; i++) {
        text_add(t, "<thread id=\"");
        text_add_hex(t, i + 1, 1);
        text_add(t, "\" name=\"hart ");
        text_add_number(t, i);
        text_add(t, "\">");
        description_add_hart(m, i, t);
        text_add(t, "</thread>");
    }
    text_add(t, "</threads>");
}

bool description_write(const struct machine *m, const char *name, struct text *t) {
    if (strcmp(name, "target.xml") == 0) {
        text_add(t, target);
    } else if (strcmp(name, "cpu.xml") == 0) {
        write_general(t);
    } else if (strcmp(name, "csr.xml") == 0) {
        write_csrs(t);
    } else if (strcmp(name, "virtual.xml") == 0) {
        begin_feature(t, "virtual");
        add_register(t, "priv", REGISTER_PRIVILEGE, "int");
        text_add(t, "</feature>");
    } else if (strcmp(name, "threads") == 0) {
        write_harts(m, t);
    } else {
        return false;
    }
    return true;
}
