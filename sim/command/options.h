// The command line of the simulator.
#pragma once
#include "machine.h"

struct options {
    const char *kernel;
    const char *image;    // NULL: no disk
    const char *firmware; // NULL: our own
    const char *input;    // a file that is typed; NULL: what the user types
    struct machine_settings machine;
    uint64_t end;     // instructions after which the machine is stopped
    bool keeps_image; // the disk's changes do not go to the image
};

// Reads the command line. Ends the program if it is wrong, or asks for help.
struct options options_read(int argc, char **argv);
