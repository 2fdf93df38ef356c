// The log area of the disk: appends records to it, and replays them when the machine starts again.
// Which records count, and why, is explained in abi/logformat.h. Transactions are unknown here:
// fs/log.c makes sure that only one task at a time calls these functions. All but logarea_has_room
// may sleep. Common errors: -EIO. After the first failure no record becomes valid any more, and
// every call fails.
#pragma once
#include "fs/cache.h"

// Recovers: writes home the blocks of all records that count, and then starts the area again. From
// now on only the first `blocks` blocks of the area are used. Stores in *was_used whether anything
// was ever logged.
int logarea_recover(const struct superblock *super, uint32_t blocks, bool *was_used);

// True if the area has room for another record, of `count` blocks.
bool logarea_has_room(uint32_t count);

// Appends a record with the contents of the blocks of the list, and returns when it is durable.
int logarea_append(struct list *blocks, uint32_t count);

// Writes the blocks of the list home, and returns when they are durable.
int logarea_write_home(struct list *blocks);

// Starts the area again with an empty record, after which the old records no longer count. All
// their blocks must be at home.
int logarea_restart(void);
