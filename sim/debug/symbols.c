// Names of functions and of data, sorted by address.
#include "debug/symbols.h"
#include "boot/elf.h"
#include "boot/elf_format.h"
#include "memory/host.h"

#include <string.h>

enum { FIRST_GAP = 1 << 16, HEXADECIMAL = 16, DECIMAL = 10, NAME_BYTES = 1000 };

struct symbol {
    uint64_t start, end; // end: of what surely belongs to it
    const char *name;
    unsigned rank; // which of several names of an address is the best one: the highest
    bool is_code;
};

struct symbols {
    const uint8_t *file;
    uint64_t bytes;
    struct elf_header header;
    size_t count;
    struct symbol list[]; // by address; for one address, the best name comes last
};

// ---- The file ----

// Copies a part of the file. Returns false if it is not there.
static bool get(const struct symbols *s, uint64_t place, void *to, size_t bytes) {
    if (place > s->bytes || bytes > s->bytes - place)
        return false;
    memcpy(to, s->file + place, bytes);
    return true;
}

static bool get_section(const struct symbols *s, unsigned i, struct elf_section *section) {
    uint64_t place = (uint64_t)i * s->header.section_size;
    return i < s->header.section_count && s->header.sections <= s->bytes &&
           get(s, s->header.sections + place, section, sizeof *section);
}

// Returns the name at that place of a section, NULL if it does not end there, or is too long.
static const char *get_name(const struct symbols *s, const struct elf_section *names,
                            uint32_t place) {
    if (names->offset > s->bytes || names->bytes > s->bytes - names->offset)
        return NULL;
    const char *start = (const char *)s->file + names->offset;
    for (uint64_t end = place; end < names->bytes && end - place < NAME_BYTES; end++) {
        if (start[end] == '\0')
            return start + place;
    }
    return NULL;
}

static bool find_table(const struct symbols *s, struct elf_section *table) {
    for (unsigned i = 0; get_section(s, i, table); i++) {
        if (table->type == ELF_SECTION_SYMBOLS && table->entry_bytes >= sizeof(struct elf_symbol))
            return true;
    }
    return false;
}

// ---- Making the list ----

// Makes a row for a symbol. Returns false if it names neither code nor data.
static bool read_symbol(const struct symbols *s, const struct elf_symbol *symbol,
                        const struct elf_section *names, struct symbol *row) {
    unsigned type = symbol->info & 15;
    struct elf_section part;
    const char *name = get_name(s, names, symbol->name);
    if (name == NULL || *name == '\0' || *name == '$' || *name == '.' || // '$': marks of assemblers
        !get_section(s, symbol->section, &part) || symbol->address < part.address ||
        symbol->address - part.address >= part.bytes)
        return false;
    bool is_code = (part.flags & ELF_SECTION_CODE) != 0;
    if (is_code ? type != ELF_SYMBOL_FUNCTION && type != ELF_SYMBOL_UNTYPED
                : type != ELF_SYMBOL_OBJECT || symbol->bytes == 0)
        return false;
    uint64_t end = symbol->bytes > 0 ? symbol->address + symbol->bytes : part.address + part.bytes;
    unsigned rank = 2 * (type == ELF_SYMBOL_FUNCTION) + (symbol->info >> 4 != 0);
    *row = (struct symbol){symbol->address, end, name, rank, is_code};
    return true;
}

static bool comes_after(const struct symbol *a, const struct symbol *b) {
    return a->start != b->start ? a->start > b->start : a->rank > b->rank;
}

// Shell's method: sorts what is far apart first.
static void sort(struct symbol *list, size_t count) {
    for (size_t gap = FIRST_GAP; gap > 0; gap /= 2) {
        for (size_t i = gap; i < count; i++) {
            struct symbol moved = list[i];
            size_t place = i;
            for (; place >= gap && comes_after(&list[place - gap], &moved); place -= gap)
                list[place] = list[place - gap];
            list[place] = moved;
        }
    }
}

static void fill(struct symbols *s, const struct elf_section *table, size_t count) {
    struct elf_section names;
    struct elf_symbol symbol;
    if (!get_section(s, table->link, &names))
        return;
    for (size_t i = 0; i < count; i++) {
        if (get(s, table->offset + i * table->entry_bytes, &symbol, sizeof symbol) &&
            read_symbol(s, &symbol, &names, &s->list[s->count]))
            s->count++;
    }
    sort(s->list, s->count);
}

struct symbols *symbols_read(const uint8_t *file, uint64_t bytes) {
    struct symbols source = {.file = file, .bytes = bytes};
    struct elf_section table;
    if (!elf_is(file, bytes) || !get(&source, 0, &source.header, sizeof source.header) ||
        !find_table(&source, &table) || table.offset > bytes || table.bytes > bytes - table.offset)
        return NULL;
    size_t count = table.bytes / table.entry_bytes;
    struct symbols *s = host_alloc(sizeof *s + (count + 1) * sizeof s->list[0]);
    if (s == NULL)
        return NULL;
    *s = source;
    fill(s, &table, count);
    return s;
}

void symbols_free(struct symbols *s) {
    host_free(s);
}

// ---- Looking up ----

// Reads a number; returns false if that is not all of the text.
static bool read_number(const char *text, uint64_t *number) {
    unsigned base = DECIMAL;
    *number = 0;
    if (text[0] == '0' && text[1] == 'x') {
        base = HEXADECIMAL;
        text += 2;
    }
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned byte = (unsigned char)*text;
        unsigned digit = byte >= 'a' ? byte - 'a' + DECIMAL : byte - '0';
        if (digit >= base)
            return false;
        *number = *number * base + digit;
    }
    return true;
}

static bool is_name(const char *name, const char *text, size_t length) {
    size_t i = 0;
    while (i < length && name[i] == text[i])
        i++;
    return i == length && name[i] == '\0';
}

bool symbols_find(const struct symbols *s, const char *text, uint64_t *address) {
    size_t length = 0;
    uint64_t offset = 0;
    while (text[length] != '\0' && text[length] != '+')
        length++;
    if (s == NULL || (text[length] == '+' && !read_number(text + length + 1, &offset)))
        return false;
    for (size_t i = s->count; i-- > 0;) {
        if (!s->list[i].is_code || !is_name(s->list[i].name, text, length))
            continue;
        *address = s->list[i].start + offset;
        return true;
    }
    return false;
}

// Returns how far the virtual addresses of the segment that has this address lie behind its
// physical ones; 0 if none has it.
static uint64_t distance(const struct symbols *s, uint64_t address, bool is_physical) {
    for (unsigned i = 0; s != NULL && i < s->header.segment_count; i++) {
        struct elf_segment segment;
        uint64_t place = (uint64_t)i * s->header.segment_size;
        if (s->header.segments > s->bytes ||
            !get(s, s->header.segments + place, &segment, sizeof segment))
            break;
        uint64_t start = is_physical ? segment.physical_address : segment.virtual_address;
        if (segment.type == ELF_SEGMENT_LOADED && address - start < segment.memory_bytes)
            return segment.virtual_address - segment.physical_address;
    }
    return 0;
}

uint64_t symbols_physical(const struct symbols *s, uint64_t address) {
    return address - distance(s, address, false);
}

// Returns the last symbol that does not begin after the address; NULL if there is none.
static const struct symbol *find(const struct symbols *s, uint64_t address) {
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->list[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &s->list[low - 1] : NULL;
}

bool symbols_add_name(const struct symbols *s, uint64_t address, struct text *t) {
    const struct symbol *found = s != NULL ? find(s, address) : NULL;
    if (s != NULL && (found == NULL || address >= found->end)) {
        address += distance(s, address, true);
        found = find(s, address);
    }
    if (found == NULL || address >= found->end)
        return false;
    text_add(t, found->name);
    if (address == found->start)
        return true;
    text_add_byte(t, '+');
    text_add_address(t, address - found->start);
    return true;
}
