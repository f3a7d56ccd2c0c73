/* SPDX-License-Identifier: ISC */
/*
 * dovecot.h - Dovecot's settings, as doveconf(1) reports them
 */
#ifndef ADMIN_DOCTOR_DOVECOT_H
#define ADMIN_DOCTOR_DOVECOT_H

#include "admin/doctor/finding.h"

/* Report on them, and on logins; nothing where Dovecot is not installed. */
void		doctor_dovecot(struct doctor *d);

#endif
