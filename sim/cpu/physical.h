// Memory at a physical address.
#pragma once
#include "cpu/hart.h"

// Read or write 1 to 8 bytes within a page, which must be memory. physical_write returns false if
// the host has no more memory.
uint64_t physical_read(const struct system *s, uint64_t pa, unsigned bytes);
bool physical_write(struct system *s, uint64_t pa, unsigned bytes, uint64_t value);

// As physical_write, for a range that may cross pages.
bool physical_fill(struct system *s, uint64_t pa, const void *bytes, uint64_t count);

// Returns the page's bytes, which stay there until it is written.
const uint8_t *physical_page(const struct system *s, uint64_t pa);
