/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of a program by its command line. Usually the base name of its first argument. An
 * interpreter gives way to what it runs, and a process title ("nginx: worker process") to its first
 * word.
 *
 * Interpreters are rows: which options take a value, which one names what is run, which one brings
 * code of its own. A word of a row ends with what it does:
 *   :  takes a value, attached or the next argument
 *   =  its value is the script, file or module that is run
 *   .  its value is a class (java)
 *   !  there is no script: the interpreter's own name stays
 *   >  a command; the script comes later
 *   *  (letters only) the rest of this argument belongs to it
 * Letters may be bundled as getopt() does (-euo pipefail). What stands in no row is a flag. It
 * refuses to guess: a script called "." or code on the command line leaves the interpreter's name.
 */
#include "who/who.h"

#include "who/name.h"

struct interpreter {
	const char *names;    /* each also with a version behind it: python3.11, lua5.4 */
	const char *letters;  /* options of one letter */
	const char *words;    /* options of several letters, with their dashes */
	const char *commands; /* words that may stand where the script would */
	char first;	      /* what the first argument is that is no option: = or . */
};

enum action {
	FLAG = 0,
	VALUE = ':',
	SCRIPT = '=',
	CLASS = '.',
	OWN_NAME = '!',
	COMMAND = '>',
	TAIL = '*',
};

static const struct interpreter interpreters[] = {
	{"python pypy", "W:X:m=c!", "--check-hash-based-pycs:", NULL, SCRIPT},
	{"node nodejs", "r:e!p!C:",
	 "--require: --import: --loader: --experimental-loader: --conditions: --env-file: "
	 "--watch-path: --title: --icu-data-dir: --eval! --print!",
	 "inspect>", SCRIPT},
	{"bun", "r:e!p!c:",
	 "--preload: --require: --import: --cwd: --config: --env-file: --port: "
	 "--define: --eval! --print!",
	 "run> x> test! install! add! build!", SCRIPT},
	{"deno", "c:L:", "--config: --import-map: --cert: --location: --log-level: --port: --host:",
	 "run> serve> task! eval! repl! test! bench! check! install! cache! compile! fmt! lint! "
	 "lsp!",
	 SCRIPT},
	{"java", NULL,
	 "-cp: -classpath: --class-path: -p: --module-path: --upgrade-module-path: --add-modules: "
	 "--add-opens: --add-exports: --add-reads: --patch-module: --limit-modules: "
	 "--enable-native-access: --source: -jar= -m. --module.",
	 NULL, CLASS},
	{"dotnet", NULL,
	 "--depsfile: --runtimeconfig: --additionalprobingpath: --additional-deps: --roll-forward: "
	 "--fx-version:",
	 "exec> run! watch! build! test! publish! tool!", SCRIPT},
	{"ruby jruby", "I:r:e!C:E:F*K*T*W*i*x*", "--encoding:", NULL, SCRIPT},
	{"perl", "I:e!E!M*m*C*D*F*V*d*i*x*", NULL, NULL, SCRIPT},
	{"php", "f=F=d:c:r!B!R!E!S:t:z:",
	 "--file= --define: --php-ini: --run! --server: --docroot:", NULL, SCRIPT},
	{"lua luajit", "l:e:j:O*", NULL, NULL, SCRIPT},
	{"R Rscript", "f=e!", "--file= --args!", NULL, SCRIPT},
	{"tclsh", NULL, "-encoding:", NULL, SCRIPT},
	{"mono", NULL, "--config:", NULL, SCRIPT},
	{"busybox", "c!s!o:", NULL, "sh> ash>", SCRIPT},
	{"sh bash dash zsh ash ksh", "c!s!o:O:", "--rcfile: --init-file:", NULL, SCRIPT},
};

static const char script_suffixes[] = ".py .pyc .js .mjs .cjs .ts .mts .cts .rb .pl .php .jar .dll "
				      ".sh .lua .java .exe .R .tcl";

static struct str base_name(struct str path)
{
	const char *slash;

	while (path.n && path.p[path.n - 1] == '/')
		path.n--;
	slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
	return slash ? str_from(path, (size_t)(slash - path.p) + 1) : path;
}

static struct str without_suffix(struct str file)
{
	struct str list = STR(script_suffixes);

	while (list.n) {
		struct str suffix = str_cut(&list, ' ');

		if (file.n > suffix.n && str_has_suffix(file, suffix))
			return (struct str){file.p, file.n - suffix.n};
	}
	return file;
}

/* com.example.Main and module/com.example.Main are Main; Main.java is a file. */
static struct str class_name(struct str value)
{
	struct str base = base_name(value), stem = without_suffix(base);
	const char *dot = stem.n && stem.n == base.n ? memrchr(stem.p, '.', stem.n) : NULL;

	return dot ? str_from(stem, (size_t)(dot - stem.p) + 1) : stem;
}

static bool is_version(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.' || s.p[i] == '-'))
			return false;
	return true;
}

static bool interpreter_has_name(const struct interpreter *in, struct str program)
{
	struct str names = str_of(in->names);

	while (names.n) {
		struct str name = str_cut(&names, ' ');

		if (str_has_prefix(program, name) && is_version(str_from(program, name.n)))
			return true;
	}
	return false;
}

static const struct interpreter *interpreter_find(struct str program)
{
	for (size_t i = 0; i < sizeof(interpreters) / sizeof(*interpreters); i++)
		if (interpreter_has_name(&interpreters[i], program))
			return &interpreters[i];
	return NULL;
}

static enum action word_action(const char *words, struct str wanted)
{
	struct str list = str_of(words);

	while (list.n) {
		struct str word = str_cut(&list, ' ');

		if (str_eq((struct str){word.p, word.n - 1}, wanted))
			return (enum action)(unsigned char)word.p[word.n - 1];
	}
	return FLAG;
}

static enum action letter_action(const char *letters, char letter)
{
	bool known = (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z');
	const char *at = known && letters ? strchr(letters, letter) : NULL;

	return at ? (enum action)(unsigned char)at[1] : FLAG;
}

/* *value: what is attached to the option; p is NULL if nothing is. */
static enum action option_action(const struct interpreter *in, struct str arg, struct str *value)
{
	struct str rest = arg, word = str_cut(&rest, '=');
	enum action action = word_action(in->words, word);

	if (action != FLAG) {
		*value = word.n < arg.n ? str_from(arg, word.n + 1) : *value;
		return action;
	}
	if (arg.p[1] == '-')
		return FLAG;
	for (size_t i = 1; i < arg.n; i++) {
		action = letter_action(in->letters, arg.p[i]);
		if (action == FLAG)
			continue;
		if (i + 1 < arg.n)
			*value = str_from(arg, i + 1);
		return action == TAIL ? FLAG : action;
	}
	return FLAG;
}

static enum action argument_action(const struct interpreter *in, struct str arg, struct str *value)
{
	enum action command;

	if (arg.n == 0 || (arg.p[0] == '@' && in->first == CLASS)) /* java @file: more options */
		return FLAG;
	if (str_eq(arg, STR("-")))
		return OWN_NAME;
	if (str_eq(arg, STR("--")))
		return (enum action)in->first;
	if (arg.p[0] == '-' || arg.p[0] == '+') /* shells: +o pipefail */
		return option_action(in, arg, value);
	command = word_action(in->commands, arg);
	*value = arg;
	return command == FLAG ? (enum action)in->first : command;
}

/* What the interpreter runs, or its own name. args: those behind its name. */
static struct str script_name(const struct interpreter *in, struct str own, struct str args)
{
	while (args.n) {
		struct str value = {NULL, 0}, name;
		enum action action = argument_action(in, str_cut(&args, '\0'), &value);

		if (action == FLAG || action == COMMAND)
			continue;
		if (action == OWN_NAME)
			break;
		if (!value.p)
			value = str_cut(&args, '\0');
		if (action == VALUE)
			continue;
		name = action == CLASS ? class_name(value) : without_suffix(base_name(value));
		if (name.n == 0 || str_eq(name, STR(".")) || str_eq(name, STR("..")))
			break;
		return name;
	}
	return own;
}

static struct str cut_before(struct str s, struct str mark)
{
	const char *at = s.n ? memmem(s.p, s.n, mark.p, mark.n) : NULL;

	return at ? (struct str){s.p, (size_t)(at - s.p)} : s;
}

/*
 * A process that sets its title leaves one string: "nginx: worker process", "npm run start", or its
 * joined arguments. A path may hold spaces of its own.
 */
static struct str title_name(struct str first, bool alone)
{
	const struct str gone = STR(" (deleted)");

	if (str_has_suffix(first, gone))
		first.n -= gone.n;
	first = cut_before(first, STR(": "));
	if (alone)
		first = cut_before(first, first.n && first.p[0] == '/' ? STR(" -") : STR(" "));
	if (first.n > 1 && first.p[0] == '-') /* a login shell */
		first = str_from(first, 1);
	return base_name(first);
}

size_t who_program(struct str args, char *name, size_t size)
{
	const struct interpreter *in;
	struct str program;

	while (args.n && args.p[args.n - 1] == '\0')
		args.n--;
	program = str_cut(&args, '\0');
	program = title_name(program, args.n == 0);
	in = interpreter_find(program);
	return name_copy(name, size, in ? script_name(in, program, args) : program);
}
