# Cuts the listed types out of `bpftool btf dump file BTF format c`.
# usage: awk -f extract.awk types full-dump.h
# CO-RE finds members by name through anonymous structs and unions, so they are written flat; a struct
# listed without members is taken whole.

FNR == NR && $1 == "struct" {
	wanted[$2] = NF > 2 ? "some" : "whole"
	for (i = 3; i <= NF; i++)
		member[$2, $i] = 1
}
FNR == NR && $1 == "const" {
	for (i = 2; i <= NF; i++)
		constant[$i] = 1
}
FNR == NR { next }

/^struct [a-z0-9_]+ \{$/ && ($2 in wanted) {
	name = $2
	text[name] = ""
	order[++structs] = name
	depth = 0
	next
}
name != "" && /^\}/ {
	name = ""
	next
}
name != "" {
	line = $0
	if (wanted[name] == "whole") {
		text[name] = text[name] line "\n"
		next
	}
	declared = line
	sub(/;.*/, "", declared)
	sub(/(\[[0-9]*\])+$/, "", declared)
	sub(/: [0-9]+$/, "", declared)
	sub(/.*[ *]/, "", declared)
	# a struct group says its members twice
	if (line ~ /;$/ && line !~ /^\t+\}/ && ((name, declared) in member) && !((name, declared) in said)) {
		said[name, declared] = 1
		sub(/^\t+/, "\t", line)
		text[name] = text[name] line "\n"
	}
	# a named inner union is kept whole
	if (line ~ /^\t(union|struct) \{$/)
		block = ""
	block = block line "\n"
	if (line ~ /^\t\} [a-z0-9_]+;$/) {
		inner = $2
		sub(/;/, "", inner)
		if ((name, inner) in member)
			text[name] = text[name] block
	}
}
/^\t[A-Z0-9_]+ = -?[0-9]+,?$/ && ($1 in constant) && !seen[$1]++ {
	value = $3
	sub(/,/, "", value)
	constants = constants "\t" $1 " = " value ",\n"
}
END {
	for (i = 1; i <= structs; i++)
		printf "struct %s {\n%s};\n\n", order[i], text[order[i]]
	printf "enum kernel_constants {\n%s};\n", constants
	for (name in wanted)
		if (!(name in text))
			print "#error \"no struct " name " in this BTF\""
	for (name in constant)
		if (!seen[name])
			print "#error \"no constant " name " in this BTF\""
}
