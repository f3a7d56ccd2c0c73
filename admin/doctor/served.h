/* SPDX-License-Identifier: ISC */
/*
 * served.h - does Dovecot serve users from where the map says?
 */
#ifndef ADMIN_DOCTOR_SERVED_H
#define ADMIN_DOCTOR_SERVED_H

#include "admin/doctor/finding.h"

/*
 * Ask doveadm(1) about some users in each state, and report those who are
 * served from elsewhere.
 *
 * base_dir  Dovecot's; NULL, or no Dovecot running there: nothing is reported.
 */
void		doctor_served(struct doctor *d, const char *base_dir);

#endif
