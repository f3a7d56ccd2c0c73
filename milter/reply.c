/* SPDX-License-Identifier: ISC */
/*
 * reply.c - the SMTP reply for one recipient, given the record
 */
#include "milter/reply.h"

#include <stdio.h>
#include <string.h>

#include "maps/route.h"

static size_t
put(char *out, size_t len, const char *text, size_t n)
{
	if (n > REPLY_TEXT_MAX - len)
		n = REPLY_TEXT_MAX - len;
	memcpy(out + len, text, n);
	return len + n;
}

/* Percent signs are doubled: libmilter passes the text on as a format. */
static void
fill(char *out, const char *text, long seconds)
{
	char num[24];
	size_t len = 0, n = (size_t)snprintf(num, sizeof(num), "%ld", seconds);

	for (; *text != '\0'; text++)
		if (text[0] == '%' && text[1] == 's') {
			len = put(out, len, num, n);
			text++;
		} else if (*text == '%') {
			if (REPLY_TEXT_MAX - len >= 2)
				len = put(out, len, "%%", 2);
		} else
			len = put(out, len, text, 1);
	out[len] = '\0';
}

time_t
reply_of(const struct record *rec, time_t now, const char *text,
    struct reply *reply)
{
	struct plan plan;

	reply->defer = false;
	if (rec == NULL)
		return 0;
	if (route(rec, now, &plan) == ST_OK)
		return rec->end != 0 && rec->begin > now ? rec->begin : 0;
	reply->defer = true;
	reply->state = rec->state;
	reply->retry = plan.retry_after;
	/* The window has begun, but the record does not say so yet. */
	if (plan.due == STATE_CUTOVER)
		reply->retry = rec->end - now;
	fill(reply->text, text, reply->retry);
	return 0;
}

const char *
reply_address(const char *arg, size_t *len)
{
	*len = strlen(arg);
	if (*len >= 2 && arg[0] == '<' && arg[*len - 1] == '>') {
		*len -= 2;
		arg++;
	}
	return arg;
}
