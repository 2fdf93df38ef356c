// Findings of the checker.
#include "findings.h"

#include <stdarg.h>

enum { FINDINGS_KEPT = 1000 };

struct finding {
    bool warning;
    uint32_t inode; // 0: none
    uint32_t other; // a second inode that the text ends with, 0: none
    char text[128];
};

void findings_init(struct check *c) {
    c->findings = memory_map_or_fail(FINDINGS_KEPT * sizeof *c->findings);
}

void findings_destroy(struct check *c) {
    memory_unmap(c->findings, FINDINGS_KEPT * sizeof *c->findings);
}

static void keep(struct check *c, struct finding finding, const char *format, va_list arguments) {
    unsigned kept = c->violations + c->warnings;
    if (finding.warning)
        c->warnings++;
    else
        c->violations++;
    if (kept >= FINDINGS_KEPT)
        return;
    vsnprintf(finding.text, sizeof finding.text, format, arguments);
    c->findings[kept] = finding;
}

void report_two(struct check *c, uint32_t inode, uint32_t other, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep(c, (struct finding){.inode = inode, .other = other}, format, arguments);
    va_end(arguments);
}

void warn(struct check *c, uint32_t inode, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep(c, (struct finding){.warning = true, .inode = inode}, format, arguments);
    va_end(arguments);
}

static void print_inode(const struct check *c, FILE *out, uint32_t number) {
    fprintf(out, "inode %u", number);
    if (c->facts != NULL && (number == ROOT_INODE || c->facts[number].name != NULL))
        fprintf(out, " (%s)", facts_path(c, number, NULL));
}

void findings_print(const struct check *c, FILE *out, bool warnings) {
    unsigned found = c->violations + c->warnings;
    for (unsigned i = 0; i < found && i < FINDINGS_KEPT; i++) {
        const struct finding *finding = &c->findings[i];
        if (finding->warning && !warnings)
            continue;
        fputs(finding->warning ? "warning: " : "violation: ", out);
        if (finding->inode != 0) {
            print_inode(c, out, finding->inode);
            fputs(": ", out);
        }
        fputs(finding->text, out);
        if (finding->other != 0)
            print_inode(c, out, finding->other);
        fputc('\n', out);
    }
    if (found > FINDINGS_KEPT)
        fprintf(out, "... and %u more\n", found - FINDINGS_KEPT);
}
