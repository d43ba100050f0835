/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The families sonde_* and process_*, as rows: each has a name, a help text and a function that
 * writes its samples, most of them from one member of a struct. A new figure is a member of struct
 * selfstat and a row.
 *
 * Invariants: every family is announced and every counter shown, also at 0, so that rate() and
 * alerts work from the first scrape. Losses that the kernel counts get their reason here, in one
 * table, since enum event_counter is what both halves share.
 */
#include "base/table.h"
#include "out/process.h"
#include "out/selfstat.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct source {
	const struct selfstat *self;
	struct process process;
	struct prom *prom;
};

struct row {
	struct prom_family family;
	void (*write)(const struct source *s, const struct row *row);
	size_t member; /* of the struct that write() reads a figure from */
};

struct reason {
	enum event_counter counter;
	const char *name;
};

static const struct reason unseen_reasons[] = {
	{COUNT_TLS, "tls"},
	{COUNT_IO_URING, "io_uring"},
	{COUNT_UNREADABLE, "unreadable"},
	{COUNT_UNKNOWN, "unknown_protocol"},
	{COUNT_NO_STATE, "no_state"},
	{COUNT_PIPELINED, "pipelined"},
};

static const struct reason record_reasons[] = {
	{COUNT_RING_FULL, "ring_full"},
	{COUNT_LIFE_FULL, "process_table_full"},
	{COUNT_CLOSES_LOST, "close"},
};

#define OF_AGENT(member)    agent, offsetof(struct selfstat, member)
#define OF_PROCESS(member)  process, offsetof(struct process, member)
#define OF_PROTOCOL(member) protocol, offsetof(struct selfstat_protocol, member)

static uint64_t figure(const void *from, const struct row *row)
{
	return *(const uint64_t *)((const char *)from + row->member);
}

static void agent(const struct source *s, const struct row *row)
{
	prom_u64(s->prom, &row->family, NULL, 0, figure(s->self, row));
}

static void process(const struct source *s, const struct row *row)
{
	prom_u64(s->prom, &row->family, NULL, 0, figure(&s->process, row));
}

static void cpu_seconds(const struct source *s, const struct row *row)
{
	prom_double(s->prom, &row->family, NULL, 0, s->process.cpu_seconds);
}

static void start_time(const struct source *s, const struct row *row)
{
	prom_double(s->prom, &row->family, NULL, 0, s->self->start_time);
}

static void labelled(const struct source *s, const struct row *row, const char *label,
		     const char *value, uint64_t number)
{
	const struct prom_label labels[] = {{label, str_of(value)}};

	prom_u64(s->prom, &row->family, labels, 1, number);
}

static void build_info(const struct source *s, const struct row *row)
{
	labelled(s, row, "version", s->self->version, 1);
}

static void backend(const struct source *s, const struct row *row)
{
	if (s->self->backend && *s->self->backend)
		labelled(s, row, "name", s->self->backend, 1);
}

static void programs(const struct source *s, const struct row *row)
{
	const struct selfstat_program *program = s->self->programs;

	for (unsigned i = 0; i < s->self->program_count; i++, program++)
		labelled(s, row, "program", program->name, program->attached);
}

static void probe_misses(const struct source *s, const struct row *row)
{
	const struct selfstat_program *program = s->self->programs;

	for (unsigned i = 0; i < s->self->program_count; i++, program++)
		labelled(s, row, "program", program->name, program->misses);
}

static void probe_seconds(const struct source *s, const struct row *row)
{
	const struct selfstat_program *program = s->self->programs;

	for (unsigned i = 0; s->self->probe_times && i < s->self->program_count; i++, program++) {
		const struct prom_label labels[] = {{"program", str_of(program->name)}};

		prom_double(s->prom, &row->family, labels, 1, (double)program->run_ns / 1e9);
	}
}

static void table_entries(const struct source *s, const struct row *row)
{
	for (unsigned i = 0; i < s->self->table_count; i++)
		labelled(s, row, "table", table_name(s->self->tables[i]),
			 table_count(s->self->tables[i]));
}

static void table_evicted(const struct source *s, const struct row *row)
{
	for (unsigned i = 0; i < s->self->table_count; i++)
		labelled(s, row, "table", table_name(s->self->tables[i]),
			 table_evictions(s->self->tables[i]));
}

static void protocol(const struct source *s, const struct row *row)
{
	const struct selfstat_protocol *p = s->self->protocols;

	for (unsigned i = 0; i < s->self->protocol_count; i++, p++)
		labelled(s, row, "protocol", p->name, figure(p, row));
}

static void lost(const struct source *s, const struct row *row)
{
	const struct selfstat_lost *l = s->self->lost;

	for (unsigned i = 0; i < s->self->lost_count; i++, l++) {
		const struct prom_label labels[] = {{"protocol", str_of(l->protocol)},
						    {"reason", str_of(l->reason)}};

		prom_u64(s->prom, &row->family, labels, 2, l->count);
	}
}

static void ids_invalid(const struct source *s, const struct row *row)
{
	const struct selfstat_header *h = s->self->ids_invalid;

	for (unsigned i = 0; i < s->self->ids_invalid_count; i++, h++)
		labelled(s, row, "header", h->header, h->count);
}

static void kube_up(const struct source *s, const struct row *row)
{
	if (s->self->kube_api)
		prom_u64(s->prom, &row->family, NULL, 0, s->self->kube_up);
}

static void kube_requests(const struct source *s, const struct row *row)
{
	const struct selfstat_named *n = s->self->kube_requests;

	for (unsigned i = 0; i < s->self->kube_request_count; i++, n++)
		labelled(s, row, "verb", n->name, n->count);
}

static void kube_errors(const struct source *s, const struct row *row)
{
	const struct selfstat_named *n = s->self->kube_errors;

	for (unsigned i = 0; i < s->self->kube_error_count; i++, n++)
		labelled(s, row, "reason", n->name, n->count);
}

static void unseen(const struct source *s, const struct row *row)
{
	for (size_t i = 0; i < LENGTH(unseen_reasons); i++)
		labelled(s, row, "reason", unseen_reasons[i].name,
			 s->self->kernel[unseen_reasons[i].counter]);
	labelled(s, row, "reason", "unpaired", s->self->unpaired);
}

static void suppressed(const struct source *s, const struct row *row)
{
	labelled(s, row, "reason", "sample", s->self->log_lines_sampled);
	labelled(s, row, "reason", "rate", s->self->log_lines_above_rate);
}

static void records_lost(const struct source *s, const struct row *row)
{
	for (size_t i = 0; i < LENGTH(record_reasons); i++)
		labelled(s, row, "reason", record_reasons[i].name,
			 s->self->kernel[record_reasons[i].counter]);
}

static void shed_overflows(const struct source *s, const struct row *row)
{
	prom_u64(s->prom, &row->family, NULL, 0, s->self->kernel[COUNT_SHED_FULL]);
}

/* clang-format off */
static const struct row rows[] = {
	{{"sonde_build_info", PROM_GAUGE, NULL,
	  "The version of the agent; always 1."},
	 build_info, 0},
	{{"sonde_backend", PROM_GAUGE, NULL,
	  "The kernel hooks in use, by name; always 1."},
	 backend, 0},
	{{"sonde_programs_attached", PROM_GAUGE, NULL,
	  "Whether a BPF program is attached."},
	 programs, 0},
	{{"sonde_probe_misses_total", PROM_COUNTER, NULL,
	  "Times that the kernel skipped a BPF program; what it would have seen is not known."},
	 probe_misses, 0},
	{{"sonde_probe_seconds_total", PROM_COUNTER, "seconds",
	  "Time spent in a BPF program; only with --bpf-stats."},
	 probe_seconds, 0},
	{{"sonde_ring_bytes", PROM_GAUGE, "bytes",
	  "Size of the ring buffer between kernel and agent."},
	 OF_AGENT(ring_bytes)},
	{{"sonde_table_entries", PROM_GAUGE, NULL,
	  "Entries in use of a bounded table."},
	 table_entries, 0},
	{{"sonde_table_evictions_total", PROM_COUNTER, NULL,
	  "Entries that a full table gave up for newer ones."},
	 table_evicted, 0},
	{{"sonde_transactions_seen_total", PROM_COUNTER, NULL,
	  "Transactions that the kernel half saw."},
	 OF_PROTOCOL(seen)},
	{{"sonde_transactions_counted_total", PROM_COUNTER, NULL,
	  "Transactions that are counted in the metrics from records, with all detail."},
	 OF_PROTOCOL(counted)},
	{{"sonde_transactions_shed_total", PROM_COUNTER, NULL,
	  "Transactions that are counted in the metrics by the kernel half, without route."},
	 OF_PROTOCOL(shed)},
	{{"sonde_transactions_open", PROM_GAUGE, NULL,
	  "Transactions that are not over."},
	 OF_PROTOCOL(open)},
	{{"sonde_transactions_lost_total", PROM_COUNTER, NULL,
	  "Transactions that were seen but could not be counted."},
	 lost, 0},
	{{"sonde_unseen_total", PROM_COUNTER, NULL,
	  "Traffic that could not be looked into, by reason."},
	 unseen, 0},
	{{"sonde_records_lost_total", PROM_COUNTER, NULL,
	  "Records that found no room on their way out of the kernel."},
	 records_lost, 0},
	{{"sonde_parse_errors_total", PROM_COUNTER, NULL,
	  "Messages that began like a protocol but did not follow it."},
	 OF_PROTOCOL(parse_errors)},
	{{"sonde_ids_invalid_total", PROM_COUNTER, NULL,
	  "Requests with a trace header that breaks its own specification; the next kind was tried."},
	 ids_invalid, 0},
	{{"sonde_shed_overflow_total", PROM_COUNTER, NULL,
	  "Transactions that the kernel half counted under the service other, for want of room."},
	 shed_overflows, 0},
	{{"sonde_log_lines_total", PROM_COUNTER, NULL,
	  "Request lines written."},
	 OF_AGENT(log_lines)},
	{{"sonde_log_lines_dropped_total", PROM_COUNTER, NULL,
	  "Request lines dropped as their reader was too slow or gone."},
	 OF_AGENT(log_lines_dropped)},
	{{"sonde_log_lines_suppressed_total", PROM_COUNTER, NULL,
	  "Lines left out by --log-sample or --log-rate."},
	 suppressed, 0},
	{{"sonde_series", PROM_GAUGE, NULL,
	  "Series in the registry."},
	 OF_AGENT(series)},
	{{"sonde_series_overflow_total", PROM_COUNTER, NULL,
	  "Requests counted in a coarser series because of a cap."},
	 OF_AGENT(series_overflows)},
	{{"sonde_kube_api_up", PROM_GAUGE, NULL,
	  "Whether the Kubernetes API tells of this node's pods; only with --kube=api."},
	 kube_up, 0},
	{{"sonde_kube_api_requests_total", PROM_COUNTER, NULL,
	  "Requests to the Kubernetes API, by verb."},
	 kube_requests, 0},
	{{"sonde_kube_api_errors_total", PROM_COUNTER, NULL,
	  "Answers of the Kubernetes API that were none, or could not be used, by reason."},
	 kube_errors, 0},
	{{"process_cpu_seconds_total", PROM_COUNTER, "seconds",
	  "Total user and system CPU time spent in seconds."},
	 cpu_seconds, 0},
	{{"process_resident_memory_bytes", PROM_GAUGE, "bytes",
	  "Resident memory size in bytes."},
	 OF_PROCESS(resident_bytes)},
	{{"process_virtual_memory_bytes", PROM_GAUGE, "bytes",
	  "Virtual memory size in bytes."},
	 OF_PROCESS(virtual_bytes)},
	{{"process_start_time_seconds", PROM_GAUGE, "seconds",
	  "Start time of the process since unix epoch in seconds."},
	 start_time, 0},
	{{"process_open_fds", PROM_GAUGE, NULL,
	  "Number of open file descriptors."},
	 OF_PROCESS(open_fds)},
	{{"process_max_fds", PROM_GAUGE, NULL,
	  "Maximum number of open file descriptors."},
	 OF_PROCESS(max_fds)},
	{{"process_threads", PROM_GAUGE, NULL,
	  "Number of OS threads in the process."},
	 OF_PROCESS(threads)},
};
/* clang-format on */

void selfstat_write(const struct selfstat *s, struct prom *p)
{
	struct source source = {.self = s, .prom = p};

	process_read(&source.process);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		prom_family(p, &rows[i].family);
		rows[i].write(&source, &rows[i]);
	}
}
