/*
 * both.c - wait for two filers at once
 *
 * A second thread for the moment of a wait: a filer that hangs holds it in the
 * kernel, and the LDA's deadline ends both.
 */
#include "lda/both.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define STACK	(64 * 1024)		/* fsync() and a struct err */

struct other {
	both_fn		*fn;
	void		*arg;
	enum status	 st;
	struct err	 err;
};

static void *
run_other(void *arg)
{
	struct other *o = arg;

	o->st = o->fn(o->arg, &o->err);
	return NULL;
}

enum status
both(both_fn *fn, void *a, void *b, struct err *err)
{
	struct other o = { .fn = fn, .arg = b, .st = ST_OK };
	pthread_attr_t attr;
	pthread_t thread;
	bool beside;
	enum status st;

	if (b == NULL)
		return fn(a, err);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	beside = pthread_create(&thread, &attr, run_other, &o) == 0;
	(void)pthread_attr_destroy(&attr);
	st = fn(a, err);
	if (beside)
		(void)pthread_join(thread, NULL);
	else				/* no thread to be had: one by one */
		(void)run_other(&o);
	if (st == ST_OK && o.st != ST_OK) {
		*err = o.err;
		st = o.st;
	}
	return st;
}
