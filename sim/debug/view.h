// Memory as a stopped hart sees it: through its page table, and with what waits in its store
// buffer. No access is made as an instruction would make it, so nothing faults, and no bit of a
// page table entry changes. Devices cannot be seen.
#pragma once
#include "cpu/hart.h"

enum view_space { VIEW_VIRTUAL, VIEW_PHYSICAL };

// Reads bytes; returns how many there are from that address on without a gap.
size_t view_read(const struct hart *h, enum view_space space, uint64_t address, uint8_t *bytes,
                 size_t count);

// Writes bytes, for all harts. Returns false if a part is not memory; then nothing is written.
bool view_write(struct hart *h, enum view_space space, uint64_t address, const uint8_t *bytes,
                size_t count);

// Reads the instruction at pc, as the hart would fetch it. Returns false if it cannot.
bool view_instruction(const struct hart *h, uint64_t pc, uint32_t *bits);
