#ifndef L4_WIRE_H
#define L4_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Little-endian fields in a bounded buffer.  Errors are sticky: read or write
 * all fields, then look once.  Nothing allocates.
 */
struct wr {
	uint8_t	*buf;
	size_t	 len;		/* written so far */
	size_t	 cap;
	bool	 bad;		/* did not fit */
};

struct rd {
	const uint8_t	*p;
	size_t		 left;
	bool		 bad;	/* asked for more than there was */
};

void	wr_init(struct wr *, void *buf, size_t cap);
void	wr_u8(struct wr *, uint8_t);
void	wr_u16(struct wr *, uint16_t);
void	wr_u32(struct wr *, uint32_t);
void	wr_u64(struct wr *, uint64_t);
void	wr_bytes(struct wr *, const void *, size_t);
/* u16 length, then the bytes. */
void	wr_blob(struct wr *, const void *, size_t);
void	wr_str(struct wr *, const char *);

void	rd_init(struct rd *, const void *buf, size_t len);
uint8_t	 rd_u8(struct rd *);
uint16_t rd_u16(struct rd *);
uint32_t rd_u32(struct rd *);
uint64_t rd_u64(struct rd *);
/* Points into the buffer; NULL when there is less. */
const uint8_t *rd_bytes(struct rd *, size_t);
const uint8_t *rd_blob(struct rd *, size_t *len);
/* Copies and terminates; a longer string, or one with a NUL, is an error. */
void	rd_str(struct rd *, char *dst, size_t dstsize);
/* True when every field was there and nothing is left over. */
bool	rd_done(const struct rd *);

#endif
