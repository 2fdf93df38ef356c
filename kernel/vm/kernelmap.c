// The kernel's half of the page tables. It uses the largest pages that fit, so mapping 8 GiB costs
// no more than mapping 32 MiB.
#include "vm/kernelmap.h"
#include "arch/pte.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "sched/task.h"
#include "vm/pagetable.h"

enum {
    EXECUTABLE = PTE_V | PTE_R | PTE_X | PTE_A | PTE_G,
    READABLE = PTE_V | PTE_R | PTE_A | PTE_G,
    WRITABLE = PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | PTE_G,
};

extern char kernel_start[], rodata_start[], data_start[]; // kernel.ld

static pte_t *root;

static pte_t *new_table(void) {
    return memset(frame_set_aside(PAGE_SIZE), 0, PAGE_SIZE);
}

// Returns the table of that level on the way to va, made now if there was none.
static pte_t *table_at(vaddr_t va, int at_level) {
    pte_t *table = root;
    for (int level = ROOT_LEVEL; level > at_level; level--) {
        pte_t *pte = &table[pte_index(va, level)];
        if (!pte_is_table(*pte))
            *pte = pte_make(ptr_to_phys(new_table()), PTE_V);
        table = phys_to_ptr(pte_phys(*pte));
    }
    return table;
}

// Returns the level of the largest page that fits.
static int level_of(vaddr_t va, paddr_t pa, uint64_t size) {
    int level = ROOT_LEVEL;
    while ((va | pa) % pte_span(level) != 0 || size < pte_span(level))
        level--;
    return level;
}

// Fills one table after the other. Only at the end of a table may larger pages begin to fit.
static void map(vaddr_t va, paddr_t pa, uint64_t size, uint64_t flags) {
    while (size > 0) {
        int level = level_of(va, pa, size);
        pte_t *table = table_at(va, level);
        uint64_t span = pte_span(level);
        for (unsigned i = pte_index(va, level); i < TABLE_ENTRIES && size >= span; i++) {
            table[i] = pte_make(pa, flags);
            va += span;
            pa += span;
            size -= span;
        }
    }
}

// Maps physical memory from start to end at its kernel address.
static void map_direct(const void *start, const void *end, uint64_t flags) {
    map((vaddr_t)start, ptr_to_phys(start), (uint64_t)end - (uint64_t)start, flags);
}

// Goes through the slots page by page. Their lower halves stay unmapped.
static void map_stacks(unsigned count) {
    paddr_t pa = ptr_to_phys(frame_set_aside((size_t)count * STACK_SIZE));
    vaddr_t end = STACK_AREA + count * (vaddr_t)STACK_SLOT;
    pte_t *pte = NULL;
    for (vaddr_t va = STACK_AREA; va < end; va += PAGE_SIZE, pte++) {
        if (pte_index(va, 0) == 0)
            pte = table_at(va, 0);
        if (va % STACK_SLOT < STACK_SLOT - STACK_SIZE)
            continue;
        *pte = pte_make(pa, WRITABLE);
        pa += PAGE_SIZE;
    }
}

void kernelmap_init(paddr_t ram_start, paddr_t ram_end, unsigned stack_count) {
    if (ram_end > STACK_AREA - KERNEL_START)
        panic("the kernel can use memory only below 15 GiB");
    root = new_table();
    map_direct(phys_to_ptr(0), phys_to_ptr(ram_start), WRITABLE);
    map_direct(kernel_start, rodata_start, EXECUTABLE);
    map_direct(rodata_start, data_start, READABLE);
    map_direct(data_start, phys_to_ptr(ram_end), WRITABLE);
    map_stacks(stack_count);
    pt_set_kernel_root(root);
    task_set_kernel_root(ptr_to_phys(root));
    task_use_kernel_root();
}
