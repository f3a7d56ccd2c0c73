/* SPDX-License-Identifier: ISC */
/*
 * comsat.h - COMSAT: a notice to biff(1) that mail has come
 *
 * Off until COMSAT is set.  Hosts are known by number or by /etc/hosts: no name
 * is looked up in the network while mail waits.
 *
 * Source: procmailrc(5), COMSAT; comsat(8); procmail 3.22 src/comsat.c.
 */
#ifndef LDA_RECIPE_COMSAT_H
#define LDA_RECIPE_COMSAT_H

#include <stdbool.h>

struct engine;

/* COMSAT=value: `no`, `yes`, or `service@host` with either part left out.
 * Returns false if it cannot be understood, and is then off. */
bool		comsat_set(struct engine *e, const char *value);

/* Send a notice for a delivery to `folder`, which is at e->last.tell, if COMSAT
 * is on.  An error is ignored. */
void		comsat_send(struct engine *e, const char *folder);

#endif
