// The command line of the simulator.
#pragma once
#include "machine.h"

struct options {
    const char *kernel;
    const char *image;    // NULL: no disk
    const char *firmware; // NULL: our own
    const char *input;    // a file that is typed; NULL: what the user types
    struct machine_settings machine;
    uint64_t end;        // instructions after which the machine is stopped
    const char *stop_at; // the address or the function where it is stopped; NULL: nowhere
    const char *trace;   // a file for the trace, - for stderr; NULL: none
    uint64_t trace_from; // time
    bool traces_only_traps;
    const char *debugger;     // where one connects; NULL: there is none
    int observer;             // the open socket of a program that observes the machine; -1: none
    const char *shown;        // a file in which that program sees memory
    bool keeps_image;         // the disk's changes do not go to the image
    bool loses_power;         // at `end`
    const char *power_losses; // a folder for what disks hold without power; NULL: none
    uint64_t loss_every;      // instructions, on average
    bool explores;            // schedules: so many, or, if that is 0, the one of that number
    uint64_t schedules, schedule;
    uint64_t explore_from;          // instructions before the schedules begin
    const char *explore_from_place; // or the address or the function where they do; NULL: neither
    uint64_t schedule_instructions; // after which a schedule that has not ended fails
};

// Reads the command line. Ends the program if it is wrong, or asks for help.
struct options options_read(int argc, char **argv);
