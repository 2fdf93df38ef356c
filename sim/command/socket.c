// A socket and its client.
#include "command/socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { HOST_BYTES = 200, PATIENCE_MILLISECONDS = 10000 };

static int listener = -1, client = -1;
static const char *path; // of a Unix socket; NULL

// ---- Listening ----

static void remove_path(void) {
    unlink(path);
}

// A program that has been killed leaves its socket behind, at which nobody listens.
static bool is_left_over(const struct sockaddr_un *address) {
    struct stat status;
    int probe = socket(AF_UNIX, SOCK_STREAM, 0);
    bool is_refused = connect(probe, (const struct sockaddr *)address, sizeof *address) < 0 &&
                      errno == ECONNREFUSED;
    close(probe);
    return is_refused && stat(address->sun_path, &status) == 0 && S_ISSOCK(status.st_mode);
}

static const char *open_path(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(name) >= sizeof address.sun_path)
        return "the path of a socket must be shorter";
    memcpy(address.sun_path, name, strlen(name) + 1);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0)
        return strerror(errno);
    if (is_left_over(&address))
        unlink(name);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) < 0)
        return strerror(errno);
    path = name;
    atexit(remove_path);
    return NULL;
}

static const char *open_port(const char *where, const char *colon) {
    struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
    char host[HOST_BYTES] = "127.0.0.1";
    size_t length = colon - where;
    if (length >= sizeof host)
        return "the name of the host is too long";
    if (length > 0) {
        memcpy(host, where, length);
        host[length] = '\0';
    }
    int error = getaddrinfo(host, colon + 1, &wanted, &found);
    if (error != 0)
        return gai_strerror(error);
    listener = socket(found->ai_family, SOCK_STREAM, 0);
    int one = 1;
    bool is_bound = listener >= 0 &&
                    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                    bind(listener, found->ai_addr, found->ai_addrlen) == 0;
    error = errno;
    freeaddrinfo(found);
    return is_bound ? NULL : strerror(error);
}

const char *socket_open(const char *where) {
    const char *colon = strrchr(where, ':');
    const char *problem = colon != NULL ? open_port(where, colon) : open_path(where);
    signal(SIGPIPE, SIG_IGN); // a client that has gone is no reason to end
    if (problem == NULL && listen(listener, 1) < 0)
        problem = strerror(errno);
    return problem;
}

// ---- The client ----

void socket_adopt(int descriptor) {
    client = descriptor;
    signal(SIGPIPE, SIG_IGN);
}

int socket_descriptor(void) {
    return client >= 0 ? client : listener;
}

bool socket_is_connected(void) {
    return client >= 0;
}

static bool is_ready(int fd, short event, int milliseconds) {
    struct pollfd ready = {.fd = fd, .events = event};
    return poll(&ready, 1, milliseconds) > 0;
}

bool socket_accept(void) {
    int one = 1;
    if (client >= 0 || listener < 0 || !is_ready(listener, POLLIN, 0))
        return false;
    client = accept(listener, NULL, NULL);
    if (client >= 0)
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); // a Unix socket has no such
    return client >= 0;
}

void socket_disconnect(void) {
    if (client >= 0)
        close(client);
    client = -1;
}

size_t socket_receive(uint8_t *bytes, size_t most) {
    if (client < 0 || !is_ready(client, POLLIN, 0))
        return 0;
    ssize_t count = recv(client, bytes, most, MSG_DONTWAIT);
    if (count > 0)
        return count;
    if (count == 0 || (errno != EAGAIN && errno != EINTR))
        socket_disconnect();
    return 0;
}

void socket_send(void *owner, const char *bytes, size_t count) {
    while (count > 0 && client >= 0) {
        ssize_t sent = send(client, bytes, count, MSG_DONTWAIT);
        if (sent > 0) {
            bytes += sent;
            count -= sent;
        } else if ((errno != EAGAIN && errno != EINTR) ||
                   !is_ready(client, POLLOUT, PATIENCE_MILLISECONDS)) {
            socket_disconnect();
        }
    }
}
