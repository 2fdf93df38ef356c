// What the call `terminal` reports.
#pragma once
struct terminal {
    int columns; // the width of the terminal; 80 if it does not answer
    int column;  // of its cursor, from 0; -1 if it does not answer
};
