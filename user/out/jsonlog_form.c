/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in each line, worked out once: the keys of headers when the agent starts, the names
 * of an owner when its first line is written.
 *
 * Invariants: what is kept of an owner is what would be written anew, since an owner's names never
 * change and its id is never used again. Owners whose ids end alike take turns in one place; names
 * that are too long for it are written each time. The keys are free of what JSON would have
 * escaped: header_ and the letters, digits and underscores of the header's name.
 */
#include "out/jsonlog_fields.h"

#define FIELD_NAME(name) #name,

const char *const jsonlog_field_names[JSONLOG_FIELD_COUNT] = {JSONLOG_FIELDS(FIELD_NAME)};

_Static_assert(JSONLOG_FIELD_COUNT < 64, "a bit for each");

size_t jsonlog_header_key(char key[static JSONLOG_HEADER_KEY], struct str name)
{
	char *to = put_str(key, STR(",\"header_"));
	for (size_t i = 0; i < name.n && i < JSONLOG_HEADER_NAME; i++) {
		char c = name.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		*to++ = (char)(letter ? c : c >= 'A' && c <= 'Z' ? c | 0x20 : '_');
	}
	return (size_t)(put_str(to, STR("\":")) - key);
}

void jsonlog_form_init(struct jsonlog_form *form, const struct jsonlog_form_options *options)
{
	*form = (struct jsonlog_form){.node = str_of(options->node),
				      .clock = options->clock,
				      .fields = options->fields ? options->fields
								: JSONLOG_FIELDS_ALL};
	form->header_count = options->header_count;
	for (unsigned i = 0; i < form->header_count; i++)
		form->key_length[i] =
			(uint8_t)jsonlog_header_key(form->key[i], options->headers[i]);
}

static char *put_names(const struct jsonlog_form *form, char *to, const struct owner *owner)
{
	struct line l = {.to = to, .fields = form->fields};

	if (owner) {
		field_text(&l, FIELD(service), owner->service, NAME_MAX_BYTES);
		field_text(&l, FIELD(namespace), owner->namespace, NAME_MAX_BYTES);
		field_text(&l, FIELD(pod), owner->pod, NAME_MAX_BYTES);
		field_text(&l, FIELD(container), owner->container, NAME_MAX_BYTES);
	}
	field_text(&l, FIELD(node), form->node, NAME_MAX_BYTES);
	return l.to;
}

char *jsonlog_put_owner(struct jsonlog_form *form, char *to, const struct owner *owner)
{
	struct jsonlog_owner *kept = &form->owners[owner ? owner->id % JSONLOG_OWNERS : 0];
	char *end;

	if (!owner || !owner->id)
		return put_names(form, to, owner);
	if (kept->id == owner->id) {
		memcpy(to, kept->text, kept->length);
		return to + kept->length;
	}
	end = put_names(form, to, owner);
	if ((size_t)(end - to) <= sizeof(kept->text)) {
		kept->id = owner->id;
		kept->length = (uint32_t)(end - to);
		memcpy(kept->text, to, kept->length);
	}
	return end;
}
