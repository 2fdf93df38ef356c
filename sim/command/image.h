// Files: the kernel, and the disk's image.
#pragma once
#include "machine.h"

// Stores the file's bytes, readable until the program ends. Returns false, with errno set, if it
// cannot be read.
bool file_read(const char *name, struct machine_file *file);

// Opens an image to be written later; returns false, with errno set, if it cannot be.
bool image_open(const char *name);

// Writes to the image. Ends the program if that fails.
void image_write(uint64_t start, const void *bytes, size_t count);
