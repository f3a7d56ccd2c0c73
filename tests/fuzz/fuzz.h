/* SPDX-License-Identifier: ISC */
/*
 * fuzz.h - what the fuzz targets share
 *
 * A target is one file NAME_fuzz.c with LLVMFuzzerTestOneInput(): it gives
 * bytes from outside to a parser and says with HOLDS() what must be true
 * afterwards, whatever the bytes were.  Inputs are text where that is
 * possible: the first line says what to do, the rest is what is parsed.  Seeds
 * and the faults that were found lie in corpus/NAME/.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#include "maps/base/err.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property of the code under test; where it fails the input is kept. */
#define HOLDS(what) \
	((what) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #what))
void	fuzz_broken(const char *file, int line, const char *what) NORETURN;

/* The bytes of an input that are not taken yet. */
struct input {
	const char	*p, *end;
};

struct input fuzz_input(const uint8_t *data, size_t size);

/* Takes one line, without its LF; NUL bytes in it become blanks. */
char   *fuzz_line(TALLOC_CTX *ctx, struct input *in);

/* Takes a word off a line; "" where there is none. */
char   *fuzz_word(char **line);

/* \001 becomes LF, in place; the word itself. */
char   *fuzz_lf(char *word);

/* All that is left, not terminated. */
#define fuzz_rest(in) ((in)->p), ((size_t)((in)->end - (in)->p))

/* The text of an error is for a person: not empty, one line. */
void	fuzz_err(const struct err *err);

/*
 * A directory of this process below $TMPDIR (else /tmp), made at the first call
 * and removed at exit; its path.
 */
int	fuzz_dir(void);
const char *fuzz_path(void);

/* Files below a directory: written, read (NULL: not there), counted, all
 * removed. */
void	fuzz_put(int dirfd, const char *name, const void *data, size_t len);
char   *fuzz_get(TALLOC_CTX *ctx, int dirfd, const char *name, size_t *len);
unsigned fuzz_count(int dirfd);
void	fuzz_clear(int dirfd);

/* Is the file just this?  len 0: also where it is not there. */
bool	fuzz_is(int dirfd, const char *name, const void *data, size_t len);

/* A directory in another, made where it is not there. */
int	fuzz_subdir(int dirfd, const char *name);

#endif
