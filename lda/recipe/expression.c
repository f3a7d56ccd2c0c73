/* SPDX-License-Identifier: ISC */
/*
 * expression.c - from the text of a condition to its regular expression
 */
#include "lda/recipe/expression.h"

#include <string.h>

#include "maps/base/err.h"

#define TO_FIELDS	"(^((Original-)?(Resent-)?(To|Cc|Bcc)|" \
	"(X-Envelope|Apparently(-Resent)?)-To):(.*"

/* In the order in which they are looked for; word for word as procmail's. */
static const struct macro {
	const char	*name, *expr;
	bool		 no_case;	/* whatever the D flag says */
} macros[] = {
	{ "^FROM_DAEMON", "(^(Mailing-List:|Precedence:.*(junk|bulk|list)|"
	    "To: Multiple recipients of |(((Resent-)?(From|Sender)|"
	    "X-Envelope-From):|>?From )([^>]*[^(.%@a-z0-9])?"
	    "(Post(ma?(st(e?r)?|n)|office)|(send)?Mail(er)?|daemon|"
	    "m(mdf|ajordomo)|n?uucp|LIST(SERV|proc)|NETSERV|o(wner|ps)|"
	    "r(e(quest|sponse)|oot)|"
	    "b(ounce|bs\\.smtp)|echo|mirror|s(erv(ices?|er)|mtp(error)?|ystem)|"
	    "A(dmin(istrator)?|MMGR|utoanswer))(([^).!:a-z0-9][-_a-z0-9]*)?"
	    "[%@>\t ][^<)]*(\\(.*\\).*)?)?$([^>]|$)))", true },
	{ "^TO_", TO_FIELDS "[^-a-zA-Z0-9_.])?)", false },
	{ "^TO", TO_FIELDS "[^a-zA-Z])?)", false },
	{ "^FROM_MAILER", "(^(((Resent-)?(From|Sender)|X-Envelope-From):|"
	    ">?From )([^>]*[^(.%@a-z0-9])?(Post(ma(st(er)?|n)|office)|"
	    "(send)?Mail(er)?|daemon|mmdf|n?uucp|ops|r(esponse|oot)|"
	    "(bbs\\.)?smtp(error)?|s(erv(ices?|er)|ystem)|A(dmin(istrator)?|"
	    "MMGR))(([^).!:a-z0-9][-_a-z0-9]*)?[%@>\t ][^<)]*(\\(.*\\).*)?)?$"
	    "([^>]|$))", false },
};

#define MACROS	(sizeof(macros) / sizeof(macros[0]))

char *
expression_joined(TALLOC_CTX *ctx, const char *text)
{
	char *out = must(talloc_size(ctx, strlen(text) + 1)), *to = out;
	bool line_begins = false;

	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] == '\n') {
			text++;
			line_begins = true;
		} else if (line_begins && (*text == ' ' || *text == '\t'))
			continue;
		else {
			line_begins = *text == '\n';
			*to++ = *text;
		}
	}
	*to = '\0';
	return out;
}

/* Replace a macro, up to the first one after a backslash; quoted: a backslash
 * stands before expr. */
static char *
with_macro(TALLOC_CTX *ctx, const char *expr, const struct macro *macro,
    bool quoted, bool *no_case)
{
	size_t name = strlen(macro->name), len = strlen(macro->expr), n = 0;
	const char *hit, *end = expr;
	char *out, *to;

	while ((hit = strstr(end, macro->name)) != NULL &&
	    !(hit > expr ? hit[-1] == '\\' : quoted)) {
		n++;
		end = hit + name;
	}
	*no_case = *no_case || (n > 0 && macro->no_case);
	out = to = must(talloc_size(ctx, strlen(expr) + n * len + 1));
	for (; n > 0; n--) {
		hit = strstr(expr, macro->name);
		to = mempcpy(mempcpy(to, expr, (size_t)(hit - expr)),
		    macro->expr, len);
		expr = hit + name;
	}
	memcpy(to, expr, strlen(expr) + 1);
	return out;
}

char *
expression_text(TALLOC_CTX *ctx, const char *text, bool quoted, bool *no_case)
{
	char *expr = expression_joined(ctx, text);
	size_t i;

	for (i = 0; i < MACROS; i++)
		if (strstr(expr, macros[i].name) != NULL)
			expr = with_macro(ctx, expr, &macros[i], quoted,
			    no_case);
	return expr;
}
