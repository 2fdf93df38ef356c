// The rows of a picture: consecutive pages that look alike are one row.
#include "cowmap.h"

struct row {
    uint64_t start, pages;
    struct pageinfo cells[COLUMNS]; // of the first page
};

static size_t row_count; // of the picture

// The page at the address in the column's process.
static const struct pageinfo *page_at(struct column *c, uint64_t address) {
    static const struct pageinfo nothing;
    if (c->gone == NULL && address - c->start >= (uint64_t)c->count * PAGE_BYTES) {
        c->start = address;
        c->count = pagemap(c->process.pid, address, c->pages, CHUNK_PAGES);
        if (c->count < 0)
            c->gone = errno == ESRCH ? "has ended" : strerror(errno);
        if (c->count < 0)
            c->count = 0;
    }
    return address - c->start < (uint64_t)c->count * PAGE_BYTES
               ? &c->pages[(address - c->start) / PAGE_BYTES]
               : &nothing;
}

// Fills the cells of the page. Returns whether a region of any column covers it, and stores the
// address of the next page to look at, 0 if there is none.
static bool read_cells(uint64_t address, struct pageinfo *cells, uint64_t *next) {
    bool covered = false;
    *next = 0;
    for (size_t i = 0; i < column_count; i++) {
        cells[i] = *page_at(&columns[i], address);
        uint64_t above = cells[i].frame * PAGE_BYTES; // where nothing is: the next region
        if (cells[i].flags & PAGE_REGION)
            covered = true;
        else if (above > address && (*next == 0 || above < *next))
            *next = above;
    }
    if (covered)
        *next = address + PAGE_BYTES;
    return covered;
}

static bool is_same_frame(const struct pageinfo *a, const struct pageinfo *b) {
    return a->flags & b->flags & PAGE_PRESENT && a->frame == b->frame;
}

// Whether the page follows the row's last one and looks like it.
static bool row_continues(const struct row *r, uint64_t address, const struct pageinfo *cells) {
    if (r->pages == 0 || address != r->start + r->pages * PAGE_BYTES)
        return false;
    for (size_t i = 0; i < column_count; i++) {
        if (cells[i].flags != r->cells[i].flags || cells[i].sharers != r->cells[i].sharers)
            return false;
        for (size_t j = 0; j < i; j++)
            if (is_same_frame(&cells[i], &cells[j]) != is_same_frame(&r->cells[i], &r->cells[j]))
                return false;
    }
    return true;
}

// Two processes can write to one private page only if they share an address space: a child of vfork
// uses its parent's.
static void find_lenders(const struct row *r) {
    for (size_t i = 0; i < column_count; i++)
        for (size_t j = 0; j < i; j++)
            if (is_same_frame(&r->cells[i], &r->cells[j]) && mark_of(&r->cells[i]) == 'W' &&
                mark_of(&r->cells[j]) == 'W')
                columns[i].lender = columns[j].process.pid;
}

static void print_row(const struct row *r) {
    char left[32];
    if (r->pages == 0)
        return;
    find_lenders(r);
    row_count++;
    if (watching && row_count > SCREEN_ROWS)
        return;
    snprintf(left, sizeof left, "%10lx %6lu", r->start, r->pages);
    cells_print(left, r->cells, r->pages > 1);
}

size_t rows_print(void) {
    struct row row = {0};
    uint64_t address = 0, next;
    row_count = 0;
    do {
        struct pageinfo cells[COLUMNS];
        bool covered = read_cells(address, cells, &next);
        if (!covered || !row_continues(&row, address, cells)) {
            print_row(&row);
            row = (struct row){.start = address};
            memcpy(row.cells, cells, sizeof cells);
        }
        row.pages += covered;
        address = next;
    } while (next != 0);
    print_row(&row);
    return row_count;
}
