#ifndef L4_CTL_TABLE_H
#define L4_CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

/*
 * Text in aligned columns.  Cells are escaped when they are added: whatever a
 * client sent, it cannot move the cursor.
 */
struct table {
	const char *const	*head;	/* one per column; ">" first: right */
	size_t			 ncols;
	char			**cell;	/* row by row */
	size_t			 ncells, cap;
};

void	table_init(struct table *, const char *const *head, size_t ncols);
/* Adds the next cell; fatal without memory. */
void	table_add(struct table *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* Prints head and rows to stdout and frees the rows; nothing without rows. */
void	table_print(struct table *);

/* Prints with every byte outside printable ASCII escaped. */
void	print_escaped(const char *, size_t);
void	fescaped(FILE *, const char *);

#endif
