/* SPDX-License-Identifier: ISC */
/*
 * macros.h - what ^TO_, ^TO, ^FROM_DAEMON and ^FROM_MAILER stand for
 *
 * Source: procmailrc(5), MISCELLANEOUS, word for word: users rely on each of them.
 */
#ifndef LDA_RECIPE_MACROS_H
#define LDA_RECIPE_MACROS_H

#include <stdbool.h>

#define TO_FIELDS	"(^((Original-)?(Resent-)?(To|Cc|Bcc)|" \
	"(X-Envelope|Apparently(-Resent)?)-To):(.*"

/* In the order in which they are looked for. */
static const struct macro {
	const char	*name, *expr;
	bool		 no_case;	/* whatever the D flag says */
} macros[] = {
	{ "^FROM_DAEMON", "(^(Mailing-List:|Precedence:.*(junk|bulk|list)|"
	    "To: Multiple recipients of |(((Resent-)?(From|Sender)|"
	    "X-Envelope-From):|>?From )([^>]*[^(.%@a-z0-9])?(Post(ma?(st(e?r)?|n)"
	    "|office)|(send)?Mail(er)?|daemon|m(mdf|ajordomo)|n?uucp|"
	    "LIST(SERV|proc)|NETSERV|o(wner|ps)|r(e(quest|sponse)|oot)|"
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

#endif
