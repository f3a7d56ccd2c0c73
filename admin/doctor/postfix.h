/* SPDX-License-Identifier: ISC */
/*
 * postfix.h - Postfix's delivery, its limits, its tables and its milters
 */
#ifndef ADMIN_DOCTOR_POSTFIX_H
#define ADMIN_DOCTOR_POSTFIX_H

#include "admin/doctor/finding.h"

/* Report on main.cf and master.cf; nothing where Postfix is not installed. */
void		doctor_postfix(struct doctor *d);

#endif
