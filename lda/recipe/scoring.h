/* SPDX-License-Identifier: ISC */
/*
 * scoring.h - weighted scores of conditions
 *
 * Pure: the caller matches, runs programs and compares sizes; here their
 * results become points.  The points of a recipe lie within +-SCORE_MAX, but
 * that they may be NaN (a root of a negative number), as in procmail.
 *
 * Source: procmailsc(5); procmail 3.22 src/misc.c.
 */
#ifndef LDA_RECIPE_SCORING_H
#define LDA_RECIPE_SCORING_H

#include <stdbool.h>
#include <stddef.h>

#define SCORE_MAX	2147483647.0

struct weight {				/* `w^x` before a condition */
	double		 w, x;
};

/*
 * Parse the weight that text begins with.  Returns the rest after it and
 * blanks, or NULL if there is none; *weight is written only with a result.
 */
const char     *scoring_weight(const char *text, struct weight *weight);

/* The points that several matches of one expression add. */
struct series {
	struct weight	 weight;	/* w: of the next match */
	double		 square;	/* of the last weight */
	double		*score;		/* to which they are added */
};

struct series	scoring_series(struct weight weight, double *score);

/* May a further match change the score? */
bool		scoring_goes_on(const struct series *s);

/*
 * Add the points of a match.  empty: it ended where it began, and so would
 * match for ever; the limit of the series is added.  Returns false if no
 * further match counts.
 */
bool		scoring_match(struct series *s, bool empty);

/* Add the points of a program by its exit status, or with negate by its exit
 * status as a number of matches. */
void		scoring_program(struct weight weight, int code, bool negate,
		    double *score);

/*
 * Add the points of a size compared with a limit, both bytes.  less: the
 * condition is `<`, or a negated `>`.
 *
 * Returns false if the condition then fails: the size is 0, and the limit not
 * above it.
 */
bool		scoring_size(struct weight weight, size_t size, long limit,
		    bool less, double *score);

/* Bring a score within the limits.  Returns false if it is at the lower one: no
 * further condition counts, and the recipe does not match. */
bool		scoring_limit(double *score);

#endif
