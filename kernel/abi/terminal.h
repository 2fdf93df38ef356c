// What the call `terminal` reports.
#pragma once
struct terminal {
    int columns; // its width; 80 if it does not tell
    int column;  // where its cursor is, from 0; -1 if it does not tell
};
