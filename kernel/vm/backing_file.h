// The backings of mapped files; the object is an inode. A private mapping shows the file's contents
// until it is written to. A shared mapping is the file itself: all processes that map it see the
// same pages, and dirty pages are written back when they are unmapped.
#pragma once
#include "vm/region.h"

extern const struct backing backing_file;        // private
extern const struct backing backing_shared_file; // shared
