// Losses of power: what a disk holds then.
#pragma once
#include "command/options.h"

// Writes to the image what is left of the disk's changes: with `is_lost`, as when the power fails
// now, otherwise all. Ends the program if that fails.
void power_save(const struct machine *m, uint64_t chance, bool is_lost);

// Runs the machine as `run` does. At times that the seed decides, it puts into the folder
// o->power_losses what the disk would hold if the power failed then, in files whose names are those
// times. The machine goes on as if nothing had happened.
enum machine_stop power_run(struct machine *m, const struct options *o);
