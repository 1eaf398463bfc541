#include "page.h"

/*
 * The files as they are, each with a NUL after it.  Found from the root of the
 * tree, where the compiler is started; the makefile knows that this depends on
 * them.
 */
#define EMBED(symbol, file)						\
	__asm__(".section .rodata\n"					\
	    ".global " #symbol "\n"					\
	    ".type " #symbol ", @object\n"				\
	    #symbol ":\n"						\
	    ".incbin \"" file "\"\n"					\
	    ".byte 0\n"							\
	    ".size " #symbol ", . - " #symbol "\n"			\
	    ".previous\n")

EMBED(page_css, "metrics/page.css");
EMBED(page_js, "metrics/page.js");
