// A socket that one client at a time connects to.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Listens at a path (a Unix socket, which is removed when the program ends), or at host:port or
// :port (of this computer alone). Returns NULL, or what is wrong.
const char *socket_open(const char *where);

// Returns what to wait for: the client's connection, or the next one; -1: not open.
int socket_descriptor(void);

// Serves the client at the other end of a socket that is open already.
void socket_adopt(int descriptor);

// Accepts a client if one is there and there is none yet. Returns true if it is a new one.
bool socket_accept(void);

bool socket_is_connected(void);

// Returns how many bytes the client has sent, up to `most`, without waiting. A client that has gone
// is disconnected.
size_t socket_receive(uint8_t *bytes, size_t most);

// Sends bytes to the client; one that does not read them is disconnected. For struct packets.
void socket_send(void *owner, const char *bytes, size_t count);

void socket_disconnect(void);
