/* SPDX-License-Identifier: ISC */
/*
 * address.c - the names by which an address may be known, most exact first
 */
#include "maps/address.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "maps/record.h"

/*
 * Characters that need no quotes in a local part.  Where another one is quoted,
 * the quotes are a part of the name, and no record has such a name.
 */
static bool
is_plain(const char *local)
{
	static const char special[] = "\"(),:;<>@[\\] \t";

	return strpbrk(local, special) == NULL;
}

/* Make alice of `"alice"`, in place.  False: the quotes are needed. */
static bool
unquote(char *local)
{
	size_t len = strlen(local);

	if (local[0] == '"') {
		if (len < 3 || local[len - 1] != '"')
			return false;
		memmove(local, local + 1, len - 2);
		local[len - 2] = '\0';
	}
	return *local != '\0' && is_plain(local);
}

bool
address_is_ours(const struct conf *conf, const char *domain)
{
	const char **d;

	for (d = conf->domains; *d != NULL; d++)
		if (strcasecmp(*d, domain) == 0)
			return true;
	return false;
}

/*
 * The extension with its delimiter; NULL: there is none.  A delimiter at the
 * very beginning is a part of the name, as in Postfix.
 */
static const char *
extension(const struct conf *conf, const char *local)
{
	return conf->delimiter == NULL || *local == '\0' ? NULL :
	    strpbrk(local + 1, conf->delimiter);
}

bool
address_parse(TALLOC_CTX *ctx, const struct conf *conf, const char *text,
    size_t len, bool local, struct address *addr)
{
	const char *domain = NULL, *ext;
	char *full, *name, *at;
	bool quoted;

	*addr = (struct address){ NULL, NULL, NULL };
	if (len == 0 || len > ADDRESS_MAX || memchr(text, '\0', len) != NULL)
		return false;
	/* The whole, and what it is cut into, in one piece of memory. */
	full = must(talloc_size(ctx, 2 * (len + 1)));
	memcpy(full, text, len);
	full[len] = '\0';
	record_fold_address(full);
	name = memcpy(full + len + 1, full, len + 1);
	at = strrchr(name, '@');
	if (at != NULL) {
		*at = '\0';
		domain = at + 1;
		if (*domain == '\0' || !is_plain(domain))
			return false;
	}
	quoted = *name == '"';
	if (!unquote(name))
		return false;
	if (quoted)
		(void)snprintf(full, len + 1, "%s%s%s", name,
		    domain == NULL ? "" : "@", domain == NULL ? "" : domain);
	addr->full = full;
	if (!record_text_valid(addr->full, false))
		return false;
	ext = extension(conf, name);
	if (ext != NULL)
		addr->plain = must(talloc_asprintf(ctx, "%.*s%s%s",
		    (int)(ext - name), name, domain == NULL ? "" : "@",
		    domain == NULL ? "" : domain));
	if (domain == NULL || local || address_is_ours(conf, domain))
		addr->user = ext == NULL ? name : must(talloc_strndup(ctx, name,
		    (size_t)(ext - name)));
	return true;
}
