// Names for addresses in a program.
#include "proc/symbol.h"

#include "fs/inode.h"
#include "lib/string.h"
#include "proc/elf.h"

enum { SYMBOLS_MAX = 1 << 18 }; // bytes of a symbol table to look at

static bool read(struct inode *ip, uint64_t offset, void *to, size_t n) {
    return inode_read(ip, offset, to, n) == (int64_t)n;
}

static bool read_section(struct inode *ip, const struct elf_header *h, unsigned i, struct elf_section *s) {
    return i < h->section_count && read(ip, h->section_offset + i * sizeof *s, s, sizeof *s);
}

// Finds the symbol table, and the section with its names.
static bool find_sections(struct inode *ip, struct elf_section *symbols, struct elf_section *names) {
    struct elf_header h;
    if (!read(ip, 0, &h, sizeof h) || elf_check_header(&h) != 0) return false;
    for (unsigned i = 0; i < h.section_count && read_section(ip, &h, i, symbols); i++) {
        if (symbols->type == ELF_SYMBOL_TABLE) return read_section(ip, &h, symbols->link, names);
    }
    return false;
}

// Finds the function in the inode, which is locked.
static bool find_in(struct inode *ip, vaddr_t pc, char name[SYMBOL_NAME], uint64_t *offset) {
    struct elf_section symbols, names;
    struct elf_symbol s;
    if (!find_sections(ip, &symbols, &names)) return false;
    for (uint64_t at = 0; at < symbols.size && at < SYMBOLS_MAX && read(ip, symbols.offset + at, &s, sizeof s);
         at += sizeof s) {
        if ((s.info & 15) != ELF_FUNCTION || pc - s.value >= s.size) continue;
        *offset = pc - s.value;
        int64_t n = inode_read(ip, names.offset + s.name, name, SYMBOL_NAME - 1);
        name[n > 0 ? n : 0] = '\0';
        return name[0] != '\0';
    }
    return false;
}

bool symbol_find(const struct proc *p, vaddr_t pc, char name[SYMBOL_NAME], uint64_t *offset) {
    const struct region *r = addrspace_find(p->as, pc);
    if (r == NULL || r->backing != &backing_file) return false;
    struct inode *ip = r->object;
    inode_lock(ip);
    bool found = find_in(ip, pc, name, offset);
    inode_unlock(ip);
    return found;
}
