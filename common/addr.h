#ifndef L4_ADDR_H
#define L4_ADDR_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An internet address and port, or none.  IPv4-mapped IPv6 addresses are
 * always stored as IPv4 (BACKENDS L19).
 */
enum addr_family { ADDR_NONE = 0, ADDR_V4 = 4, ADDR_V6 = 6 };

struct addr {
	uint8_t		family;		/* enum addr_family */
	uint8_t		ip[16];		/* network order; 4 bytes used for v4 */
	uint16_t	port;		/* host order */
};

/* A network: an address and a prefix length; port unused. */
struct cidr {
	struct addr	net;
	uint8_t		bits;
};

#define ADDR_STRLEN	64	/* "[v6]:port" fits */

/* Unmaps; another family gives ADDR_NONE. */
void	addr_from_sockaddr(struct addr *, const struct sockaddr_storage *);
/* From 4 or 16 bytes in network order; unmaps. */
void	addr_set(struct addr *, enum addr_family, const uint8_t *ip,
	    uint16_t port);
/* As 16 bytes, an IPv4 address mapped; not for ADDR_NONE. */
void	addr_to_v6(const struct addr *, uint8_t dst[16]);
/* Returns the length for bind() or connect(); 0 for ADDR_NONE. */
socklen_t addr_to_sockaddr(const struct addr *, struct sockaddr_storage *);
/* "192.0.2.1:443", "[2001:db8::1]:443", or "-" for none.  Returns dst. */
const char *addr_format(const struct addr *, char dst[ADDR_STRLEN]);
/* The address without its port. */
const char *addr_format_ip(const struct addr *, char dst[ADDR_STRLEN]);
/* A numeric IP address, no port, no brackets, no zone. */
bool	addr_parse_ip(struct addr *, const char *);
bool	addr_equal_ip(const struct addr *, const struct addr *);
bool	addr_is_loopback(const struct addr *);

/* "10.0.0.0/8", "2001:db8::/32", or a single address.  Host bits that are set,
 * a bad length or a zone are errors.  A mapped network becomes IPv4. */
bool	cidr_parse(struct cidr *, const char *);
bool	cidr_contains(const struct cidr *, const struct addr *);

#endif
