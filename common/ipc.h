#ifndef L4_IPC_H
#define L4_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Typed messages, with the descriptors their type allows, over SOCK_SEQPACKET.
 * A packet is: u16 type, u16 version, u32 id, then the payload in the fields
 * of wire.h; an empty packet would read as end of file, so a header is never
 * left out.
 */
#define IPC_VERSION	1
#define IPC_HEADER	8
#define IPC_DATA_MAX	16384	/* payload bytes */
#define IPC_FDS_MAX	64	/* descriptors a message may carry */

struct ipc_msg {
	uint16_t	 type;		/* enum ipc_type, proto.h */
	uint32_t	 id;		/* correlates a reply; 0 = none */
	const uint8_t	*data;		/* of the receive buffer: valid until
					   the next receive */
	size_t		 len;
	int		 fd[IPC_FDS_MAX];
	unsigned int	 nfds;
};

enum ipc_result {
	IPC_OK,
	IPC_AGAIN,		/* would block, or ETOOMANYREFS: try later */
	IPC_GONE,		/* end of file, or the peer is gone; or an
				   empty packet, as a captured peer may send:
				   epoll says EPOLLHUP only of the former */
	IPC_BAD,		/* truncated, no header, wrong version: the
				   descriptors that came were closed */
	IPC_LOST,		/* our descriptor table was full: the packet is
				   gone, its descriptors too; the next is fine */
};

/* A connected pair, close-on-exec, non-blocking; -1 with errno set. */
int	ipc_pair(int fd[2]);

/* The descriptors stay the caller's to close, whatever is returned. */
enum ipc_result ipc_send(int chan, const struct ipc_msg *);

/*
 * Receives into buf (IPC_HEADER + IPC_DATA_MAX bytes are enough for all).
 * Descriptors in msg are the caller's to close.
 */
enum ipc_result ipc_recv(int chan, void *buf, size_t bufsize,
	    struct ipc_msg *);
/* The same, waiting for a message. */
enum ipc_result ipc_recv_wait(int chan, void *buf, size_t bufsize,
	    struct ipc_msg *);

void	ipc_close_fds(struct ipc_msg *);

/* What a descriptor that arrives must be. */
enum ipc_fd {
	IPC_FD_NONE,
	IPC_FD_STREAM,		/* connected TCP or UNIX stream socket */
	IPC_FD_LISTENER,	/* listening TCP socket */
	IPC_FD_CHANNEL,		/* SOCK_SEQPACKET UNIX socket */
	IPC_FD_FILE,		/* regular file or memfd */
	IPC_FD_DIR,
	IPC_FD_PIPE,
	IPC_FD_ANY,			/* in a rule: the handler asks of each */
};
bool	ipc_fd_is(int fd, enum ipc_fd kind);

/*
 * What a peer may send: anything not listed, in the wrong phase, with the
 * wrong number or kind of descriptors or of the wrong size is refused, the
 * descriptors are closed, and -1 is returned; else what the handler returns
 * (0, or -1 for a payload that is wrong).  A handler owns the descriptors.
 */
struct ipc_rule {
	uint16_t	 type;
	uint32_t	 phases;	/* bits of the owner's phases */
	enum ipc_fd	 fdkind;
	unsigned int	 fdmin, fdmax;
	size_t		 min, max;	/* payload */
	int		(*handler)(void *arg, struct ipc_msg *);
};
int	ipc_dispatch(const struct ipc_rule *, size_t nrules, uint32_t phase,
	    struct ipc_msg *, void *arg);

#endif
