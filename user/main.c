/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sonde: sees every HTTP request that any process of this node serves or makes, and turns it into
 * Prometheus metrics and one JSON line. This file is the story: read the options, make the agent,
 * run it, end it. Exit: 0 ok, 1 it could not run, 2 it was called wrongly.
 */
#include <signal.h>
#include <stdio.h>

#include "agent.h"
#include "check.h"
#include "options.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int command_run(const struct options *o)
{
	struct agent *agent;
	int err;

	signal(SIGPIPE, SIG_IGN);
	agent = agent_new(o);
	if (!agent)
		return EXIT_FAILED;
	err = agent_run(agent);
	agent_free(agent);
	return err ? EXIT_FAILED : EXIT_OK;
}

static int command_check(const struct options *o)
{
	return check_run(o) ? EXIT_FAILED : EXIT_OK;
}

static int command_version(const struct options *o)
{
	(void)o;
	printf("sonde %s\n", SONDE_VERSION);
	return EXIT_OK;
}

static int command_help(const struct options *o)
{
	options_help(o->markdown);
	return EXIT_OK;
}

static int (*const commands[])(const struct options *o) = {
	[COMMAND_RUN] = command_run,
	[COMMAND_CHECK] = command_check,
	[COMMAND_VERSION] = command_version,
	[COMMAND_HELP] = command_help,
};

int main(int argc, char **argv, char **env)
{
	struct options options;
	int status = EXIT_USAGE;

	if (!options_parse(&options, argc, argv, env)) {
		log_set_level(options.log_level);
		status = commands[options.command](&options);
		options_free(&options);
	}
	return status;
}
