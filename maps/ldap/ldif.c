/* SPDX-License-Identifier: ISC */
/*
 * ldif.c - names of records in a directory, and records as LDIF
 */
#include "maps/ldap/ldif.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "maps/base/crc.h"

unsigned
ldap_shelf(const char *user)
{
	return crc32_of(0, user, strlen(user)) % LDAP_SHELVES;
}

/* All but harmless bytes as \XX, which RFC 4514 allows for every byte. */
char *
ldap_escape_dn(TALLOC_CTX *ctx, const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@";
	char *out = must(talloc_size(ctx, 3 * strlen(value) + 1)), *p = out;

	for (; *value != '\0'; value++) {
		if (strchr(plain, *value) != NULL)
			*p++ = *value;
		else
			p += snprintf(p, 4, "\\%02x", (unsigned char)*value);
	}
	*p = '\0';
	return out;
}

static bool
is_safe(const char *value)
{
	const char *p;

	for (p = value; *p > ' ' && *p < 0x7f; p++)
		continue;
	return *p == '\0' && p != value && *value != ':' && *value != '<';
}

static char *
base64(TALLOC_CTX *ctx, const char *value)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = (const unsigned char *)value;
	size_t len = strlen(value), i;
	char *out = must(talloc_size(ctx, (len + 2) / 3 * 4 + 1)), *p = out;
	uint32_t n;

	for (i = 0; i < len; i += 3) {
		n = (uint32_t)in[i] << 16;
		n |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
		n |= i + 2 < len ? in[i + 2] : 0;
		*p++ = digit[n >> 18];
		*p++ = digit[n >> 12 & 63];
		*p++ = i + 1 < len ? digit[n >> 6 & 63] : '=';
		*p++ = i + 2 < len ? digit[n & 63] : '=';
	}
	*p = '\0';
	return out;
}

static void
put(char **out, const char *attr, const char *value)
{
	bool safe = is_safe(value);

	*out = must(talloc_asprintf_append_buffer(*out, "%s:%s %s\n", attr,
	    safe ? "" : ":", safe ? value : base64(*out, value)));
}

static void
put_number(char **out, const char *attr, uint64_t value)
{
	*out = must(talloc_asprintf_append_buffer(*out, "%s: %llu\n", attr,
	    (unsigned long long)value));
}

static char *
begin(TALLOC_CTX *ctx, char *out, const char *rdn, const char *below,
    const char *map_entry)
{
	char *dn = must(talloc_asprintf(ctx, "%s%s%s%s%s", rdn, *rdn == '\0' ?
	    "" : ",", below, *below == '\0' ? "" : ",", map_entry));

	if (*out != '\0')
		out = must(talloc_strdup_append_buffer(out, "\n"));
	put(&out, "dn", dn);
	talloc_free(dn);
	return out;
}

char *
ldif_map(TALLOC_CTX *ctx, const char *map_entry)
{
	static const char *const below[] = { "records", "history", "addresses",
	    "imports" };
	char *out = must(talloc_strdup(ctx, "")), *rdn;
	const char *eq = strchr(map_entry, '=');
	size_t i;

	eq = eq == NULL ? "" : eq + 1;
	out = begin(ctx, out, "", "", map_entry);
	put(&out, "objectClass", "mailferryMap");
	put(&out, "cn", must(talloc_strndup(out, eq, strcspn(eq, ","))));
	put_number(&out, "mailferrySequence", 0);
	put_number(&out, "mailferryConnects", 0);
	for (i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		rdn = must(talloc_asprintf(ctx, "cn=%s", below[i]));
		out = begin(ctx, out, rdn, "", map_entry);
		put(&out, "objectClass", "mailferryMap");
		put(&out, "cn", below[i]);
		talloc_free(rdn);
	}
	return must(talloc_strdup_append_buffer(out, "\n"));
}

char *
ldif_record(TALLOC_CTX *ctx, const char *map_entry, const struct record *rec)
{
	char *out = must(talloc_strdup(ctx, "")), *rdn, *text;
	const char **a;

	text = record_format(ctx, rec);
	rdn = must(talloc_asprintf(ctx, "mailferryUser=%s", ldap_escape_dn(ctx,
	    rec->user)));
	out = begin(ctx, out, rdn, "cn=records", map_entry);
	put(&out, "objectClass", "mailferryName");
	put(&out, "objectClass", "mailferryRecord");
	put(&out, "mailferryUser", rec->user);
	put_number(&out, "mailferryShelf", ldap_shelf(rec->user));
	put_number(&out, "mailferryVersion", rec->version);
	put(&out, "mailferryState", state_name(rec->state));
	put(&out, "mailferryText", text);
	for (a = rec->address; *a != NULL; a++)
		put(&out, "mailferryAddress", *a);
	for (a = rec->address; *a != NULL; a++) {
		rdn = must(talloc_asprintf(ctx, "mailferryClaim=%s",
		    ldap_escape_dn(ctx, *a)));
		out = begin(ctx, out, rdn, "cn=addresses", map_entry);
		put(&out, "objectClass", "mailferryAddressClaim");
		put(&out, "mailferryClaim", *a);
		put(&out, "mailferryOwner", rec->user);
		put_number(&out, "mailferryAt", (uint64_t)rec->at);
	}
	return must(talloc_strdup_append_buffer(out, "\n"));
}
