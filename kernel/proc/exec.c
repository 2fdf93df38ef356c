// The new address space is built beside the old one. Only the program's headers and the end of its
// data are read at once; page faults bring in everything else.
//
//   segments of the file | gap | stack | heap, from a multiple of 2 MiB up to sbrk(0)
#include "proc/exec.h"
#include "abi/errno.h"
#include "fs/path.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "proc/elf.h"
#include "proc/proc.h"
#include "vm/backing_file.h"
#include "vm/usermem.h"

enum { STACK_MAX = 1 << 20, SEGMENTS_AT_ONCE = 8 };

// Segments end below this address; stack, heap and mappings are above it.
#define PROGRAM_END (USER_END / 2)

struct program {
    struct inode *ip; // locked while the headers are read
    struct elf_header header;
    struct addrspace *as; // the new one
    vaddr_t end;          // of the segments
    uint64_t stack_size;
    vaddr_t sp;
};

int arguments_add(struct arguments *a, const char *text) {
    size_t size = strlen(text) + 1;
    if (a->count == ARGS_MAX - 1 || size > ARGUMENT_BYTES - a->bytes)
        return -E2BIG;
    memmove(a->text + a->bytes, text, size); // the string may already be in its place
    a->start[a->count++] = (uint16_t)a->bytes;
    a->bytes += size;
    return 0;
}

static int read_exactly(struct inode *ip, uint64_t offset, void *to, size_t n) {
    int64_t got = inode_read(ip, offset, to, n);
    if (got < 0)
        return (int)got;
    return (size_t)got == n ? 0 : -ENOEXEC;
}

static const char *name_of(uint8_t protection) {
    if (protection & PROT_EXEC)
        return "text";
    return protection & PROT_WRITE ? "data" : "rodata";
}

// Maps the pages from start to end, which hold bytes of the file.
static int map_file_part(struct program *p, const struct elf_segment *s, uint8_t protection,
                         vaddr_t start, vaddr_t end) {
    // In the last page of a read-only segment, bytes that follow it in the file do no harm, so the
    // page can be the cache's own.
    bool is_whole = s->file_size == s->memory_size && !(protection & PROT_WRITE);
    struct region file = {
        .start = start,
        .end = end,
        .protection = protection,
        .name = name_of(protection),
        .backing = &backing_file,
        .object = p->ip,
        .offset = s->offset - s->address,
        .content_end = is_whole ? end : s->address + s->file_size,
    };
    int error = addrspace_map(p->as, &file);
    if (error == 0)
        inode_get(p->ip);
    return error;
}

// Maps a segment: pages that hold bytes of the file come from the file, the others are zeroed.
static int map_segment(struct program *p, const struct elf_segment *s) {
    int error = elf_check_segment(s, p->ip->disk.size, PROGRAM_END);
    if (error || s->memory_size == 0)
        return error;
    uint8_t protection = PROT_READ | (s->flags & ELF_WRITE ? PROT_WRITE : 0) |
                         (s->flags & ELF_EXECUTE ? PROT_EXEC : 0);
    vaddr_t start = round_down(s->address, PAGE_SIZE), file_end = start;
    vaddr_t end = round_up(s->address + s->memory_size, PAGE_SIZE);
    if (s->file_size > 0) {
        file_end = round_up(s->address + s->file_size, PAGE_SIZE);
        error = map_file_part(p, s, protection, start, file_end);
    }
    if (error == 0 && file_end < end)
        error = addrspace_map_zero(p->as, file_end, end, protection, "bss");
    p->end = max(p->end, end);
    return error == -EINVAL ? -ENOEXEC : error; // -EINVAL: segments share a page
}

// Maps the segment, or notes the size of the stack.
static int use_segment(struct program *p, const struct elf_segment *s) {
    if (s->type == ELF_STACK && s->memory_size > 0)
        p->stack_size = round_up(min(s->memory_size, STACK_MAX), PAGE_SIZE);
    return s->type == ELF_LOAD ? map_segment(p, s) : 0;
}

// Reads the headers of n segments, beginning with number `first`, and uses them.
static int read_segments(struct program *p, unsigned first, unsigned n) {
    struct elf_segment s[SEGMENTS_AT_ONCE];
    uint64_t offset = p->header.segment_offset + first * sizeof *s;
    int error = read_exactly(p->ip, offset, s, n * sizeof *s);
    for (unsigned i = 0; error == 0 && i < n; i++)
        error = use_segment(p, &s[i]);
    return error;
}

// Reads the headers of the program, whose inode is locked, and maps its segments.
static int read_program(struct program *p) {
    if (p->ip->disk.type != T_FILE)
        return -EACCES;
    int error = read_exactly(p->ip, 0, &p->header, sizeof p->header);
    if (error == 0)
        error = elf_check_header(&p->header);
    unsigned count = p->header.segment_count;
    for (unsigned i = 0; error == 0 && i < count; i += SEGMENTS_AT_ONCE)
        error = read_segments(p, i, min(count - i, SEGMENTS_AT_ONCE));
    return error;
}

// Maps the stack, at least a page above the segments, and fills its last page: the strings, and
// below them the pointers to them. The heap begins where it ends, and has leaf tables of its own.
static int make_stack(struct program *p, const struct arguments *a) {
    vaddr_t end = round_up(p->end + PAGE_SIZE + p->stack_size, pte_span(1));
    vaddr_t start = end - p->stack_size;
    void *last_page;
    int error = addrspace_map_zero(p->as, start, end, PROT_READ | PROT_WRITE, "stack");
    if (error == 0)
        error = user_page(p->as, end - PAGE_SIZE, ACCESS_WRITE, &last_page);
    if (error)
        return error;
    char *page = last_page;
    vaddr_t strings = end - a->bytes;
    p->sp = round_down(strings - (a->count + 1) * sizeof(vaddr_t), 16);
    assert(p->sp >= end - PAGE_SIZE);
    memcpy(page + strings % PAGE_SIZE, a->text, a->bytes);
    vaddr_t *pointers = (vaddr_t *)(page + p->sp % PAGE_SIZE);
    for (unsigned i = 0; i < a->count; i++)
        pointers[i] = strings + a->start[i];
    p->as->heap_end = end;
    return 0;
}

// A page in which the file's bytes of a writable segment end, and zeroes follow, can never be the
// cache's own. Makes these pages now: then all memory that the program is certain to need is
// present or reserved.
static int fill_last_pages(struct program *p) {
    for (unsigned i = 0; i < p->as->region_count; i++) {
        const struct region *r = &p->as->regions[i];
        void *page;
        if (r->object == NULL || !(r->protection & PROT_WRITE) || r->content_end == r->end)
            continue;
        int error = user_page(p->as, r->end - PAGE_SIZE, ACCESS_WRITE, &page);
        if (error)
            return error;
    }
    return 0;
}

// Builds the address space of the program at that path.
static int build_space(struct program *p, const char *path, const struct arguments *a) {
    int error = path_lookup(current_proc()->cwd, path, &p->ip);
    if (error)
        return error;
    p->as = addrspace_create();
    if (p->as == NULL) {
        inode_put(p->ip);
        return -ENOMEM;
    }
    inode_lock_shared(p->ip);
    error = read_program(p);
    inode_unlock(p->ip);
    inode_put(p->ip);
    if (error == 0)
        error = fill_last_pages(p);
    if (error == 0)
        error = make_stack(p, a);
    if (error)
        addrspace_put(p->as);
    return error;
}

static const char *last_name(const char *path) {
    const char *name = path;
    for (; *path != '\0'; path++) {
        if (path[0] == '/' && path[1] != '\0')
            name = path + 1;
    }
    return name;
}

int proc_exec(const char *path, const struct arguments *a) {
    struct proc *self = current_proc();
    struct program p = {.stack_size = PAGE_SIZE};
    int error = build_space(&p, path, a);
    if (error)
        return error;
    struct addrspace *old = self->as;
    self->as = p.as;
    addrspace_activate(p.as);
    if (old != NULL)
        proc_leave_space(self, old);
    self->task.thread.user =
        (struct registers){.pc = p.header.entry, .sp = p.sp, .a0 = a->count, .a1 = p.sp};
    string_copy(self->name, last_name(path), sizeof self->name);
    return (int)a->count;
}
