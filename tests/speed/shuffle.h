/* SPDX-License-Identifier: ISC */
/*
 * shuffle.h - candidates in another order each round
 *
 * What one leaves to be written burdens the next, so that each comes behind
 * each.
 */
#ifndef TESTS_SPEED_SHUFFLE_H
#define TESTS_SPEED_SHUFFLE_H

#include <stdlib.h>

/* The same orders each time. */
static void
shuffle(int *order, int n)
{
	int i, k, was;

	for (i = 0; i < n; i++) {
		k = (int)(random() % (i + 1));
		was = order[k];
		order[k] = i;
		order[i] = i == k ? i : was;
	}
}

#endif
