#pragma once

// What a loop of the router asks of Linux and Swift's Glibc module does not offer: epoll, eventfd and accept4; and what
// it takes to listen, and to hand a listening socket over to another process.
// Every function answers as the system call does, but with the negated errno instead of -1.

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SLIPWAY_READABLE = 1,
    SLIPWAY_WRITABLE = 2,
    /// The peer has ended its stream, or the connection is gone.
    SLIPWAY_HANG_UP = 4,
    /// Both directions are gone.
    SLIPWAY_BROKEN = 8,
};

struct slipway_io_event {
    uint64_t tag;
    uint32_t flags;
};

/// The events of one call are converted in place, so that Swift never sees the packed struct of the kernel.
#define SLIPWAY_MAX_EVENTS 256

int slipway_io_epoll_create(void);
/// Edge-triggered: an event says that something changed, and is said once.
int slipway_io_epoll_add(int epoll, int descriptor, uint64_t tag, bool writes);
int slipway_io_epoll_change(int epoll, int descriptor, uint64_t tag, bool writes);
/// Level-triggered: said again as long as it is so.
int slipway_io_epoll_add_listener(int epoll, int descriptor, uint64_t tag);
int slipway_io_epoll_remove(int epoll, int descriptor);
/// At most SLIPWAY_MAX_EVENTS; `timeout` in milliseconds.
int slipway_io_epoll_wait(int epoll, struct slipway_io_event *events, int timeout);

int slipway_io_eventfd_create(void);
void slipway_io_eventfd_signal(int descriptor);
void slipway_io_eventfd_clear(int descriptor);

/// Non-blocking, closed on exec. Writes the peer's address as it is.
int slipway_io_accept(int listener, void *address, uint32_t *length);
/// A stream socket with the same properties.
int slipway_io_socket(int family);
/// 0, EINPROGRESS or another errno.
int slipway_io_connect(int descriptor, const void *address, uint32_t length);
/// The error that a connection attempt ended with; 0 for none.
int slipway_io_socket_error(int descriptor);
int slipway_io_no_delay(int descriptor);
void slipway_io_shut_down_output(int descriptor);

ssize_t slipway_io_receive(int descriptor, void *bytes, size_t count);
ssize_t slipway_io_send(int descriptor, const void *bytes, size_t count);
/// The bytes that were sent and that the peer has not confirmed.
int slipway_io_unconfirmed(int descriptor);
/// 1 when the peer has not closed and has sent nothing, 0 otherwise.
int slipway_io_is_quiet(int descriptor);

struct slipway_io_piece {
    const void *bytes;
    size_t count;
};
/// Several pieces in one call; at most 16 of them.
ssize_t slipway_io_send_pieces(int descriptor, const struct slipway_io_piece *pieces, int count);

// Listening, on every system.

/// A listening socket at this address, which may have been in use a moment ago.
int slipway_io_listen(const void *address, uint32_t length, int backlog);
/// Makes a listening socket that came from elsewhere like one of ours; -ENOTSOCK or -EINVAL when it is none.
int slipway_io_adopt_listener(int descriptor, int backlog);
/// Another descriptor of the same socket.
int slipway_io_duplicate(int descriptor);
int slipway_io_local_address(int descriptor, void *address, uint32_t *length);
/// How many descriptors the process may have, raised to `wanted` first as far as it may raise that itself; -1 when the
/// system does not say.
int64_t slipway_io_descriptor_limit(int64_t wanted);
void slipway_io_close(int descriptor);

// A local socket over which descriptors go. Each message arrives whole or not at all.

#define SLIPWAY_MAX_DESCRIPTORS 128

/// Listens at a path that nobody has, for this user alone.
int slipway_io_local_listen(const char *path, int backlog);
int slipway_io_local_connect(const char *path);
/// Who is at the other end, as the kernel knows it.
int slipway_io_peer(int descriptor, uint32_t *user, int *process);
/// Sends one message, with at most SLIPWAY_MAX_DESCRIPTORS descriptors.
ssize_t slipway_io_send_message(int descriptor, const void *bytes, size_t size, const int *passed, int count);
/// Receives one message. The descriptors are closed on exec; -EMSGSIZE when there were more bytes or more descriptors
/// than there is room for, and then none of them is left open.
ssize_t slipway_io_receive_message(int descriptor, void *bytes, size_t size, int *passed, int *count);
