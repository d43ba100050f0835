/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --service rules: the name of who serves a port, whatever else is known of it. A rule names the
 * service alone; where the process runs stays what it is, so one rule makes an identity for each
 * pod whose process serves its port. A process that served the ports of several rules goes by the
 * first of them for what it sends.
 *
 * The invariant: process.ruled is the owner of process.rule in the place of process.owner, or NULL;
 * whoever changes one of the two empties it.
 */
#include "who/cache.h"

#include <string.h>

/* False: the process is nowhere in particular. */
static bool rule_names(const struct who *w, const struct process *p, unsigned rule,
		       struct names *names)
{
	const struct identity *own = p && p->owner ? identity_of(p->owner) : NULL;

	if (!own || (!own->names.pod[0] && !own->names.container[0]))
		return false;
	*names = own->names;
	memcpy(names->service, identity_of(w->rules[rule].owner)->names.service,
	       sizeof(names->service));
	return true;
}

const struct owner *rule_owner(const struct who *w, const struct process *p, unsigned rule)
{
	struct identity *identity;
	struct names names;

	if (!rule_names(w, p, rule, &names))
		return w->rules[rule].owner;
	identity = table_find(w->identities, &names);
	return identity ? &identity->owner : NULL;
}

static const struct owner *rule_give(struct who *w, struct process *p, unsigned rule)
{
	const struct owner *owner;
	struct names names;

	if (p && p->ruled && p->rule == rule + 1)
		return p->ruled;
	owner = rule_names(w, p, rule, &names) ? names_intern(w, &names) : w->rules[rule].owner;
	if (p && p->rule == rule + 1)
		p->ruled = owner;
	return owner;
}

const struct owner *process_rule(struct who *w, struct process *p, uint16_t server_port)
{
	if (!server_port)
		return p && p->rule ? rule_give(w, p, p->rule - 1) : NULL;
	for (unsigned i = 0; i < w->rule_count; i++) {
		if (w->rules[i].port != server_port)
			continue;
		if (p)
			p->served |= rule_bit(i);
		if (p && (!p->rule || i + 1 < p->rule)) {
			p->rule = i + 1;
			p->ruled = NULL;
		}
		return rule_give(w, p, i);
	}
	return NULL;
}
