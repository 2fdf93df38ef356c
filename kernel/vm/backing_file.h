// The backings of mapped files; the object is an inode. A private mapping has the file's contents
// until it is written to, a shared one is the file: all who map it see the same pages, and its
// dirty pages are written back when they are unmapped.
#pragma once
#include "vm/region.h"

extern const struct backing backing_file;        // private
extern const struct backing backing_shared_file; // shared
