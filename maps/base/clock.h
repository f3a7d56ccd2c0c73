/* SPDX-License-Identifier: ISC */
/*
 * clock.h - the clock that only goes forward, for deadlines
 */
#ifndef MAPS_BASE_CLOCK_H
#define MAPS_BASE_CLOCK_H

#include <time.h>

/* CLOCK_MONOTONIC in milliseconds. */
static inline long long
clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The same in microseconds, for what is measured. */
static inline long long
clock_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

#endif
