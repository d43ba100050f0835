#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The rules for the Prometheus operator: writes a Kustomize component into a folder, in which each file of
# rules/ is the spec of a PrometheusRule.
# usage: deploy/prometheus/operator.sh FOLDER
set -eu
if [ $# != 1 ]; then
	echo "usage: $0 FOLDER" >&2
	exit 2
fi
rules=$(dirname "$0")/rules
mkdir -p "$1"
cat >"$1/kustomization.yaml" <<-END
	apiVersion: kustomize.config.k8s.io/v1alpha1
	kind: Component
	resources:
END
for file in "$rules"/*.yml; do
	topic=$(basename "$file" .yml | tr _ -)
	echo "  - $topic.yaml" >>"$1/kustomization.yaml"
	{
		cat <<-END
			apiVersion: monitoring.coreos.com/v1
			kind: PrometheusRule
			metadata:
			  name: sonde-$topic
			  namespace: sonde
			  labels:
			    app.kubernetes.io/name: sonde
			    app.kubernetes.io/part-of: sonde
			spec:
		END
		sed 's/^./  &/' "$file"
	} >"$1/$topic.yaml"
done
