/* SPDX-License-Identifier: ISC */
/*
 * dict_fuzz.c - what Dovecot may send: an answer for each look-up, and never
 * the mailbox of somebody else
 *
 * Input: what one connection sends.
 */
#include "tests/fuzz/lookups.h"

#include <jansson.h>

#include "maps/mapd/dict.h"

static const char userdb[] = "Lshared/userdb/", passdb[] = "Lshared/passdb/";

/* NAME, or NAME@x.test of who has no record under that whole name. */
static bool
is_user(const char *key, const char *name)
{
	size_t len = strlen(name);

	return strncmp(key, name, len) == 0 && (key[len] == '\0' ||
	    strcasecmp(key + len, "@x.test") == 0);
}

/* The last directory of the location is the user's whose it is. */
static void
check_mail(const char *key, const char *mail)
{
	char copy[600];
	size_t n = 0;

	HOLDS(strncmp(mail, "maildir:/secret/old/", 20) == 0 ||
	    strncmp(mail, "maildir:/secret/new/", 20) == 0);
	for (mail += 20; *mail != '\0'; mail++) {
		HOLDS(n < sizeof(copy) - 1);
		copy[n++] = *mail;
		mail += *mail == ':';		/* each is there twice */
	}
	copy[n] = '\0';
	HOLDS(is_user(key, copy));
	HOLDS(!is_user(key, "dave"));
}

static void
check_found(const char *line, const char *json, size_t len)
{
	json_t *obj = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	char *key = must(talloc_strdup(NULL, line + sizeof(userdb) - 1));

	HOLDS(obj != NULL);
	key[strcspn(key, "\t")] = '\0';
	if (strchr(key, 1) == NULL && strncmp(line, userdb, 15) == 0)
		check_mail(
		    key, json_string_value(json_object_get(obj, "mail")));
	HOLDS(strncmp(line, userdb, 15) == 0 || strncmp(line, passdb, 15) == 0);
	HOLDS(json_object_get(obj, "password") == NULL &&
	    json_object_get(obj, "nopassword") == NULL);
	json_decref(obj);
	talloc_free(key);
}

static void
check(const char *line, const struct answer *out)
{
	size_t i;

	HOLDS(!out->close || (out->why != NULL && out->len == 0));
	HOLDS(*line != 'L' || out->close || out->len > 0);
	if (out->len == 0)
		return;
	HOLDS(strchr("LICD", *line) != NULL);
	HOLDS(out->data[out->len - 1] == '\n');
	HOLDS(strchr("ONF", out->data[0]) != NULL);
	for (i = 1; i < out->len - 1; i++)
		HOLDS(out->data[i] != '\n' && out->data[i] != '\r' &&
		    out->data[i] != '\0' && (*line != 'L' ||
		    (unsigned char)out->data[i] >= ' '));
	if (out->data[0] == 'O')
		check_found(line, out->data + 1, out->len - 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct wire_peer peer = { .uid = 0, .admin = true };
	const char *buf = (const char *)data, *req;
	struct map *map = lookups_map();
	bool closed = false;
	size_t len, used;

	while (!closed && protocol_dict.parse(buf, size, &req, &len, &used) ==
	    ST_OK) {
		TALLOC_CTX *ctx = must(talloc_new(NULL));
		struct answer out = { .st = ST_OK };

		HOLDS(req == buf && used == len + 1 && used <= size);
		protocol_dict.answer(ctx, map, &peer, req, len, &out);
		check(must(talloc_strndup(ctx, req, len)), &out);
		closed = out.close;
		talloc_free(ctx);
		buf += used;
		size -= used;
	}
	return 0;
}
