/* SPDX-License-Identifier: ISC */
/*
 * scoring.c - weighted scores of conditions
 */
#include "lda/recipe/scoring.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *
skip(const char *p)
{
	return p + strspn(p, " \t");
}

const char *
scoring_weight(const char *text, struct weight *weight)
{
	double w, x;
	char *end;

	if (*text == '\0' || strchr("0123456789-+.,", *text) == NULL)
		return NULL;
	w = strtod(text, &end);
	if (end == text || *skip(end) != '^')
		return NULL;
	text = skip(end) + 1;
	x = strtod(text, &end);
	if (end == text)
		return NULL;
	*weight = (struct weight){ w, x };
	return skip(end);
}

struct series
scoring_series(struct weight weight, double *score)
{
	return (struct series){ weight, weight.w * weight.w, score };
}

bool
scoring_goes_on(const struct series *s)
{
	return s->weight.w != 0 && *s->score > -SCORE_MAX &&
	    *s->score < SCORE_MAX;
}

bool
scoring_match(struct series *s, bool empty)
{
	double x = s->weight.x, next;

	*s->score += s->weight.w;
	s->weight.w *= x;
	if (empty) {
		if (x > 0 && x < 1)
			*s->score += s->weight.w / (1 - x);
		else if (x >= 1 && s->weight.w != 0)
			*s->score += s->weight.w < 0 ? -SCORE_MAX : SCORE_MAX;
		return false;
	}
	next = s->weight.w * s->weight.w;
	if (next < s->square && s->square < 1)
		return false;		/* too little to count */
	s->square = next;
	return true;
}

void
scoring_program(struct weight weight, int code, bool negate, double *score)
{
	if (!negate) {
		*score += code == 0 ? weight.w : weight.x;
		return;
	}
	for (; code > 0; code--) {
		*score += weight.w;
		if (*score >= SCORE_MAX || *score <= -SCORE_MAX)
			return;
		weight.w *= weight.x;
	}
}

bool
scoring_size(struct weight weight, size_t size, long limit, bool less,
    double *score)
{
	double ratio;

	if (less && size == 0) {
		*score = limit > 0 ? SCORE_MAX : -SCORE_MAX;
		return limit > 0;
	}
	if (!less && limit == 0) {
		*score = SCORE_MAX;
		return true;
	}
	ratio = less ? (double)limit / (double)size :
	    (double)size / (double)limit;
	*score += weight.w * pow(ratio, weight.x);
	return true;
}

bool
scoring_limit(double *score)
{
	if (*score > SCORE_MAX)
		*score = SCORE_MAX;
	if (*score <= -SCORE_MAX) {
		*score = -SCORE_MAX;
		return false;
	}
	return true;
}
