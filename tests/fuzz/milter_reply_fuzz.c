/* SPDX-License-Identifier: ISC */
/*
 * milter_reply_fuzz.c - any argument of RCPT, any window_text
 *
 * The bytes up to the first NUL are a recipient as an MTA brings him, the rest
 * is the text of a refusal.  The one user in a window, alice, is found by her
 * names alone.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maps/address.h"
#include "milter/reply.h"
#include "milter/windows.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf *conf;
static struct record *alice;
static struct windows *windows;

static void
set_up(void)
{
	static const char text[] = "map = tdb:/x\ndomains = x.test\n";
	static const char rec[] = RECORD_HEAD "user alice\nstate cutover\n"
	    "entered overlap\nwindow 1000 2000\nversion 7\nold /o/a\nnew /n/a\n"
	    "address al@y.test\n";
	struct err err;

	if (conf_parse(NULL, "f", text, strlen(text), &conf, &err) != ST_OK ||
	    record_parse(NULL, "alice", rec, strlen(rec), &alice, &err) !=
		ST_OK)
		abort();
	windows = windows_new(NULL);
	windows_put(windows, alice, 1000);
	windows_complete(windows, true);
}

static bool
is(const char *name, const char *want)
{
	return name != NULL && strcmp(name, want) == 0;
}

/* As map_recipient() finds her. */
static bool
is_alice(const char *address, size_t len, bool local)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct address a;
	bool yes = address_parse(ctx, conf, address, len, local, &a) &&
	    (is(a.full, "al@y.test") || is(a.plain, "al@y.test") ||
	    is(a.full, "alice") || is(a.plain, "alice") || is(a.user, "alice"));

	talloc_free(ctx);
	return yes;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *arg = malloc(size + 2);
	const char *address, *text, *p;
	struct reply reply;
	size_t len;
	int local;

	if (windows == NULL)
		set_up();
	memcpy(arg, data, size);
	arg[size] = arg[size + 1] = '\0';
	text = arg + strlen(arg) + 1;
	address = reply_address(arg, &len);
	if (address < arg || address + len > arg + strlen(arg))
		abort();
	for (local = 0; local < 2; local++)
		if (windows_none(windows, conf, address, len, local) ==
		    is_alice(address, len, local))
			abort();
	if (text > arg + size)
		text = "";
	(void)reply_of(alice, 1500, text, &reply);
	if (!reply.defer || strlen(reply.text) > REPLY_TEXT_MAX)
		abort();
	for (p = reply.text; (p = strchr(p, '%')) != NULL; p += 2)
		if (p[1] != '%')
			abort();
	free(arg);
	return 0;
}
